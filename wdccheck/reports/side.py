"""One side of a bracket as a line of a report: what gives it, and why it ended there."""

from __future__ import annotations

import re

from wdccheck.brackets import Bracket
from wdccheck.rounded_text import item

__all__ = ["side_lines"]


def side_lines(side: str, engine: str, known: Bracket) -> list[str]:
    """The engine, whose parameters are in the JSON, and the reason of its stop."""
    stop = known.stopped.get(side)
    name = re.sub(r"\b(\w+)\([^()]*=[^()]*\)$", r"\1", engine)
    return item(side, name + (f"; stopped by {stop}" if stop else ""))
