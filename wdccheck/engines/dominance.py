"""What a bracket of one condition says of another that it dominates (Fact 12).

Branch and bound, certification and verification carry bounds over by these functions. The condition
itself (``dominated_by``) and the table of kinds say which conditions dominate it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from wdccheck import brackets
from wdccheck.brackets import Bracket
from wdccheck.kinds import named
from wdccheck.linalg.rounding import rounded_up
from wdccheck.rounded_text import shortest
from wdccheck.stops import Reason, Stop

__all__ = ["bounded", "name_of", "through", "upper_at"]


def upper_at(above: Bracket, alpha: float) -> float:
    """An upper bound at `alpha` from `above`: its own at the same alpha, else a weaker one.

    As 0 <= Q <= c, c the critical value of its kind (Fact 1), ||A - alpha' Q|| <= ||A - alpha Q||
    + c |alpha' - alpha|; the sum is exact and rounded up once.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.engines.dominance import upper_at
    >>> known = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> upper_at(known, 1.0) == known.upper, upper_at(known, 1.5) >= known.upper + 0.25
    (True, True)
    """
    if math.isinf(above.upper):
        return above.upper
    moved = abs(Fraction(alpha) - Fraction(float(above.condition["alpha"])))
    return rounded_up(Fraction(above.upper) + named(above.condition["kind"]).critical * moved)


def bounded(known: Bracket, above: Bracket) -> Bracket:
    """`known` with the upper bound of `above`, which has the same layer, perhaps another alpha.

    Raises
    ------
    UnsoundBound
        They contradict each other: a bug.
    """
    alpha = float(known.condition["alpha"])
    upper = upper_at(above, alpha)
    if upper >= known.upper:
        return known
    scale = float(above.condition["alpha"])
    reason = f"Fact 12: {name_of(above)}" + (f" at alpha = {shortest(scale)}" if scale != alpha else "")
    stop = Stop(Reason.CAP_ONLY, f"what bounds the {above.condition['kind']} bounds the "
                f"{known.condition['kind']}")
    return brackets.merge(known, Bracket(known.condition, upper=upper, upper_by=reason,
                                         stopped={"upper": stop}))


def through(known: Bracket, above: Bracket) -> Bracket:
    """`known` with the upper bound and the work of `above`, which was searched at the same alpha.

    A lower bound of the dominated condition is one of the other; no witness is passed either way.
    """
    if above.upper < known.upper:
        known = replace(known, upper=above.upper, upper_by=f"{name_of(above)}: {above.upper_by}")
    return replace(known, engines=above.engines)


def name_of(above: Bracket) -> str:
    """The condition and its layer."""
    layer = above.condition["layer"]
    return f"{above.condition['kind']}{'' if layer is None else f' of layer {layer}'}"
