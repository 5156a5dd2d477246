"""One layer of a report: its bracket, the scale it was bracketed at, and both as text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from wdccheck import certificate, thresholds
from wdccheck.brackets import Bracket, Verdict
from wdccheck.errors import InvalidInput
from wdccheck.printing import between, down, item, quotient, up

if TYPE_CHECKING:
    from wdccheck.calibration import Calibration

__all__ = ["Row"]


@dataclass(frozen=True, eq=False)
class Row:
    """What is known of one layer.

    Attributes
    ----------
    bracket : Bracket
        ``lower <= eps <= upper`` at the row's alpha.
    calibration : Calibration or None
        How alpha was chosen; None where it was given.
    """

    bracket: Bracket
    calibration: Calibration | None = None

    @property
    def layer(self) -> int | None:
        """Counted from 1, as in the papers; None for a lone matrix."""
        layer = self.bracket.condition.get("layer")
        return None if layer is None else int(layer)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, k); for a pair (l, n, p)."""
        return tuple(self.bracket.condition["shape"])

    @property
    def alpha(self) -> float:
        """The scale of the layer."""
        return float(self.bracket.condition["alpha"])

    @property
    def ratio_lower(self) -> float:
        """A float at most ``lower / alpha``."""
        return quotient(self.bracket.lower, self.alpha, 0.0)

    @property
    def ratio_upper(self) -> float:
        """A float at least ``upper / alpha``."""
        return quotient(self.bracket.upper, self.alpha, math.inf)

    def verdict(self, eps: float) -> Verdict:
        """Whether ``epsilon <= eps * alpha``, decided in exact arithmetic."""
        if not 0 <= eps < math.inf:
            raise InvalidInput("eps", "a finite number >= 0", repr(eps))
        limit = Fraction(eps) * Fraction(self.alpha)
        if math.isfinite(self.bracket.upper) and Fraction(self.bracket.upper) <= limit:
            return Verdict.HOLDS
        return Verdict.VIOLATED if Fraction(self.bracket.lower) > limit else Verdict.UNDECIDED

    def to_dict(self, threshold: float | None = None) -> dict[str, Any]:
        """The row as plain JSON data; `margin` is the least factor by which eps is too large."""
        known, chosen = self.bracket, self.calibration
        return {
            "layer": self.layer,
            "shape": list(self.shape),
            "alpha": self.alpha,
            "lower": known.lower,
            "upper": certificate.encode_float(known.upper),
            "gap": certificate.encode_float(known.gap),
            "ratio_lower": self.ratio_lower,
            "ratio_upper": certificate.encode_float(self.ratio_upper),
            "margin": None if threshold is None else thresholds.margin(self.ratio_lower, threshold),
            "lower_by": known.lower_by,
            "upper_by": known.upper_by,
            "stopped": {side: str(stop) for side, stop in known.stopped.items()},
            "ratio_lower_any_alpha": None if chosen is None else chosen.lower,
            "vacuous": None if chosen is None else chosen.vacuous,
        }

    def to_text(self, threshold: float | None = None) -> str:
        """The row as `wdccheck` prints it, at most 100 columns wide."""
        known, (n, *widths), least = self.bracket, self.shape, self._vacuous
        chosen = ""
        if self.calibration is not None:
            chosen = (f", for which {least} is proved" if self.calibration.vacuous
                      else ", chosen to minimize eps/alpha")
        name = f"layer {self.layer}" if self.layer else "matrix" if len(widths) == 1 else "pair"
        size = " and ".join(f"{n} x {k}" for k in widths)
        lines = [
            f"{name}: {size}, alpha = {self.alpha:.6g}{chosen}",
            f"    {between(known.lower, 'eps', known.upper):<40}  gap {up(known.gap, 3)}",
            f"    {between(self.ratio_lower, 'eps/alpha', self.ratio_upper)}",
            *_side("lower", known.lower_by, known), *_side("upper", known.upper_by, known),
            *_calibrated(self.calibration, least), *self._margin(threshold),
        ]
        return "\n".join(lines)

    @property
    def _vacuous(self) -> str:
        """epsilon/alpha of any large alpha."""
        return "1/4" if self.bracket.condition["kind"] == "joint-WDC" else "1/2"

    def _margin(self, threshold: float | None) -> list[str]:
        if threshold is None:
            return []
        needs = f"[HV] Lemma 8 needs eps/alpha < {down(threshold, 3)}"
        if self.ratio_upper < threshold:
            return item("margin", f"{needs}: satisfied")
        if self.ratio_lower < threshold:
            return item("margin", f"{needs}: undecided")
        factor = thresholds.margin(self.ratio_lower, threshold) * (1 - 2**-52)
        low, high = thresholds.gaussian_expansion(threshold)
        n, k = self.shape
        return [
            *item("margin", f"{needs}: at least {down(factor, 3)} times too large"),
            *item("", f"a Gaussian layer would need n/k of about {down(low, 2)} to {up(high, 2)} "
                      f"(estimate); here it is {n / k:.3g}"),
        ]


def _side(side: str, engine: str, known: Bracket) -> list[str]:
    stop = known.stopped.get(side)
    name = re.sub(r"^(\w+)\(.*\)$", r"\1", engine)  # the parameters of an engine are in the JSON
    return item(side, name + (f"; stopped by {stop}" if stop else ""))


def _calibrated(chosen: Calibration | None, least: str) -> list[str]:
    if chosen is None:
        return []
    bound = down(chosen.lower, 9 if chosen.vacuous else 5)
    if chosen.vacuous:
        return item("any alpha", f"none brings eps/alpha below {bound}, and every larger one gives {least}: "
                                 + ("the WDC is vacuous here, it says nothing of this layer"
                                    if least == "1/2" else "the joint-WDC is vacuous here"))
    return item("any alpha", f"none brings eps/alpha below {bound}")
