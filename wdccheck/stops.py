"""Why a search or a proof stopped: the reasons, and the sentences of proofs that can go no further."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CONES_EXHAUSTED", "DEPTH_EXHAUSTED", "Reason", "Stop"]

DEPTH_EXHAUSTED = "regions at the depth limit stay undecided: too many dependent hyperplanes meet there"
"""The `limit` of a proof by boxes."""

CONES_EXHAUSTED = "single cones allow no smaller bound"
"""The `limit` of a proof by groups of activation cones."""


class Reason(StrEnum):
    """Why a side of a bracket stands where it does."""

    GAP = "gap"
    TARGET = "target"
    TIME = "time"
    NODES = "nodes"
    BUDGET = "budget"
    EXHAUSTED = "exhausted"
    MEMORY = "memory"
    INTERRUPTED = "interrupted"
    EXACT = "exact"
    CAP_ONLY = "cap_only"
    EMPTY = "empty"


@dataclass(frozen=True)
class Stop:
    """A reason, and one line that says it of this run."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value
