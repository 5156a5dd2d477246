"""The minimum over all alpha of epsilon(alpha)/alpha, from both sides: what no choice of alpha changes.

From below by two witnesses (Fact 4); from above by every alpha at which there is an upper bound, by the
value that every large alpha gives (Fact 9), and by a condition of the same layer that dominates this one
at every alpha (Fact 12).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wdccheck.brackets import Bracket, decode_witness, encode_witness
from wdccheck.engines.lines import Line, lines, lowest, proved
from wdccheck.errors import UnsoundBound
from wdccheck.geometry.spheres import Points
from wdccheck.kinds import named
from wdccheck.protocol.condition import Scaled
from wdccheck.rounded_text import quotient, shortest

__all__ = ["LeastRatio", "least_ratio", "least_upper"]


@dataclass(frozen=True, eq=False)
class LeastRatio:
    """``lower <= min over alpha of epsilon(alpha)/alpha <= upper``.

    Attributes
    ----------
    lower, upper : float
        The bounds.
    upper_by : str
        What gives `upper`.
    witnesses : tuple of mappings
        The points that prove `lower`: two, or one that proves the vacuous value; none where it is 0.
    alpha : float or None
        The scale where their lines cross, at which their terms are measured; None without witnesses.
    """

    lower: float
    upper: float
    upper_by: str
    witnesses: tuple[Points, ...] = ()
    alpha: float | None = None

    @property
    def lower_by(self) -> str:
        """What gives `lower`, in words."""
        if self.witnesses:
            return "two witnesses" if len(self.witnesses) == 2 else "one witness"
        if self.lower > 0:
            return "witnesses that the file does not hold"  # of schema 1
        return "nothing above 0 is proved"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"lower": self.lower, "upper": self.upper, "upper_by": self.upper_by, "alpha": self.alpha,
                "witnesses": [encode_witness(one) for one in self.witnesses]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> LeastRatio:
        """Inverse of :meth:`to_dict`, of data whose form has been checked."""
        return LeastRatio(float(data["lower"]), float(data["upper"]), data["upper_by"],
                          tuple(map(decode_witness, data["witnesses"])),
                          None if data["alpha"] is None else float(data["alpha"]))


def least_ratio(
    condition: Scaled, known: Bracket, found: Sequence[Line], others: Sequence[tuple[float, str]] = (),
    brief: bool = False,
) -> LeastRatio:
    """What lines, a bracket at the alpha of `condition`, and a dominating condition say of the minimum.

    Two points and the alpha where their lines cross are the whole proof: along the vectors at either end of
    the spectrum there, one line is at least as high as the one that rises, one as the one that falls, and
    so is their crossing. Measured again along one vector each, they may prove more, and then that counts.

    Parameters
    ----------
    condition : Scaled
    known : Bracket
        Its bracket.
    found : sequence of Line
        Those of its witness among them.
    others : sequence of (float, str)
        Upper bounds on the minimum from elsewhere, and what gives them.
    brief : bool
        Nothing is measured again.

    Raises
    ------
    UnsoundBound
        Both sides contradict each other: a bug.
    """
    lower, pair = proved(found)
    upper, by = least_upper(known, others)
    if pair is None:
        return LeastRatio(0.0, upper, by)
    points = tuple({id(line.point): line.point for line in pair}.values())
    beta = lowest(pair, condition.vacuous).beta
    alpha = 1 / beta if 0 < beta < math.inf and 0 < 1 / beta < math.inf else condition.alpha
    if not brief:
        lower = max(lower, proved(lines(condition.with_alpha(alpha), points))[0])
    if lower > upper:
        raise UnsoundBound(f"{condition!r}: eps/alpha >= {lower!r} at every alpha, and <= {upper!r} by {by}; "
                           "please report this", known, known)
    return LeastRatio(lower, upper, by, points, alpha)


def least_upper(known: Bracket, others: Sequence[tuple[float, str]] = ()) -> tuple[float, str]:
    """The least upper bound on the minimum, `others` among them, and what gives it.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.engines.least_ratio import least_upper
    >>> least_upper(wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()))
    (0.5, 'every large alpha (Fact 9)')
    """
    scale = float(known.condition["alpha"])
    critical = float(named(known.condition["kind"]).critical)
    bounds = [(critical, "every large alpha (Fact 9)"), *others,
              (quotient(known.upper, scale, math.inf), f"alpha = {shortest(scale)}: {known.upper_by}")]
    return min(bounds, key=lambda bound: bound[0])  # ties to the earlier
