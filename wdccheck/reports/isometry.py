"""Both one-sided isometry constants of measurements over a range, each bracketed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck import result_files
from wdccheck.brackets import Bracket
from wdccheck.rounded_text import between, item, quotient

__all__ = ["Constant", "Isometry"]


@dataclass(frozen=True, eq=False)
class Constant:
    """The least or the largest of ``||A u||^2 / ||u||^2`` over the range differences u.

    Attributes
    ----------
    exhibited : float
        A difference has this or a more extreme ratio: at most `exhibited` for the least, at least for the
        largest. inf, or 0, where none is known.
    proved : float
        No difference has a more extreme ratio.
    bracket : Bracket
        Of the largest ratio, or of the reciprocal of the least, with the engines that were run.
    """

    exhibited: float
    proved: float
    bracket: Bracket

    @property
    def witness(self) -> Mapping[str, np.ndarray] | None:
        """The codes x1 and x2 of the difference; None where none is known."""
        return self.bracket.witness

    @property
    def empty(self) -> bool:
        """Whether there are no differences."""
        return self.bracket.upper == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"exhibited": result_files.encode_float(self.exhibited),
                "proved": result_files.encode_float(self.proved), "bracket": self.bracket.to_dict()}


@dataclass(frozen=True, eq=False)
class Isometry:
    """``lower ||u||^2 <= ||A u||^2 <= upper ||u||^2`` for all range differences u, at best.

    Attributes
    ----------
    reciprocal : Bracket
        Of the largest ``||u||^2 / ||A u||^2``.
    largest : Bracket
        Of the largest ``||A u||^2 / ||u||^2``.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> found = wc.isometry(np.diag([2.0, 0.5]), wc.ReLUNetwork([np.eye(2)]))
    >>> 0.24 < found.lower.proved <= 0.25 <= found.lower.exhibited < 0.26
    True
    >>> 3.9 < found.upper.exhibited <= 4.0 <= found.upper.proved < 4.1
    True
    """

    reciprocal: Bracket
    largest: Bracket

    @property
    def lower(self) -> Constant:
        """The least ratio. Where no bound is proved that counts, `proved` is 0 (Fact 27)."""
        known = self.reciprocal
        floor = float(known.condition["options"]["floor"])
        proved = quotient(1.0, known.upper, 0.0) if known.upper > 0 else math.inf
        exhibited = quotient(1.0, known.lower, math.inf) if known.lower > 0 else math.inf
        return Constant(exhibited, proved if proved > floor else 0.0, known)

    @property
    def upper(self) -> Constant:
        """The largest ratio."""
        return Constant(self.largest.lower, self.largest.upper, self.largest)

    @property
    def interrupted(self) -> bool:
        """Whether one of the searches was."""
        return self.reciprocal.interrupted or self.largest.interrupted

    def to_dict(self) -> dict[str, Any]:
        """Both constants as plain JSON data."""
        return {"lower": self.lower.to_dict(), "upper": self.upper.to_dict()}

    @staticmethod
    def from_dict(data: Mapping[str, Any], source: str = "isometry") -> Isometry:
        """Inverse of :meth:`to_dict`."""
        return Isometry(*(Bracket.from_dict(data[side]["bracket"], f"{source}: {side}")
                          for side in ("lower", "upper")))

    def to_lines(self) -> list[str]:
        """Both constants as indented lines of text."""
        if self.upper.empty:
            return item("isometry", "there are no differences")
        lines = []
        for name, least, most, by in (
                ("min", self.lower.proved, self.lower.exhibited, self.reciprocal),
                ("max", self.upper.exhibited, self.upper.proved, self.largest)):
            stop = by.stopped.get("upper")
            lines += item("isometry", between(least, f"{name} |A u|^2/|u|^2", most)
                          + (f"; stopped by {stop}" if stop else ""))
        return lines

    def to_text(self) -> str:
        """Both constants as text."""
        return "\n".join(["isometry over the range, u a difference of outputs", *self.to_lines()])
