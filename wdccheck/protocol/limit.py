"""What is asked of an epsilon: that it, or its ratio to alpha, is at most a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from wdccheck.errors import InvalidInput
from wdccheck.linalg.inputs import limit_value
from wdccheck.rounded_text import shortest

__all__ = ["Limit"]


@dataclass(frozen=True)
class Limit:
    """``eps <= value``, or ``eps/alpha <= value``.

    Attributes
    ----------
    value : float
        What is compared with; inf is allowed.
    alpha : float or None
        The scale, where eps/alpha is compared; None where eps is.

    Examples
    --------
    >>> from wdccheck.protocol.limit import Limit
    >>> print(Limit(0.5), "and", Limit(0.5, 2.0))
    eps <= 0.5 and eps/alpha <= 0.5 at alpha = 2
    """

    value: float
    alpha: float | None = None

    @staticmethod
    def of(alpha: float | None, eps: float | None = None, ratio: float | None = None) -> Limit:
        """The limit that `eps` or `ratio` is, for a condition of this scale.

        Raises
        ------
        InvalidInput
            There are both or neither, it is no number >= 0, or `ratio` is given where there is no alpha.
        """
        if (eps is None) == (ratio is None):
            raise InvalidInput("eps or ratio", "exactly one of them", "neither" if eps is None else "both")
        if ratio is None:
            return Limit(limit_value("eps", eps, finite=False))
        if alpha is None:
            raise InvalidInput("ratio", "a condition with an alpha", f"one without: ask for eps={ratio!r}")
        return Limit(limit_value("ratio", ratio, finite=False), float(alpha))

    @property
    def name(self) -> str:
        """What is compared: eps, or eps/alpha."""
        return "eps" if self.alpha is None else "eps/alpha"

    @property
    def scale(self) -> float:
        """What epsilon is divided by: alpha, or 1."""
        return 1.0 if self.alpha is None else self.alpha

    @property
    def eps(self) -> float:
        """The largest float within the limit: what a float epsilon is compared with, without rounding."""
        if self.alpha is None or math.isinf(self.value):
            return self.value
        exact = Fraction(self.value) * Fraction(self.scale)
        try:
            nearest = float(exact)
        except OverflowError:
            return math.nextafter(math.inf, 0.0)
        return nearest if nearest <= exact else math.nextafter(nearest, 0.0)

    @property
    def words(self) -> str:
        """What is asked, without the alpha."""
        return f"{self.name} <= {shortest(self.value)}"

    def __str__(self) -> str:
        return self.words if self.alpha is None else f"{self.words} at alpha = {shortest(self.alpha)}"
