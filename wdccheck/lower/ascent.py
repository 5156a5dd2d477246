"""Ascent: exact great-circle steps alternated with eigenvector steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from wdccheck import spheres
from wdccheck.brackets import Bracket, Reason, Stop
from wdccheck.conditions.condition import Condition
from wdccheck.errors import InvalidInput
from wdccheck.run import Run

__all__ = ["Ascent"]


@dataclass(frozen=True)
class Ascent:
    starts: int = 1024
    unit = "starts"

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        yield known
