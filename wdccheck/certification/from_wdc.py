"""What the WDC of a layer says of its R2WDC (Fact 12: it is at least as large, and equal for layer 1)."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from wdccheck import brackets
from wdccheck.brackets import Bracket, Reason, Stop
from wdccheck.conditions.maximizer import maximizer
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.linalg import rounding
from wdccheck.reports.row import Row

__all__ = ["bounded", "first_layer", "upper_at"]


def first_layer(row: Row, condition: R2WDC) -> Row:
    """The row of the R2WDC of layer 1, whose range is R^k itself, from that of its WDC, at its alpha."""
    return replace(row, bracket=_of_first_layer(row.bracket, condition.with_alpha(row.scale)))


def _of_first_layer(known: Bracket, condition: R2WDC) -> Bracket:
    """The same bounds of another condition.

    Witness (r, s) becomes x = r, y = s, x1 = x3 = the top eigenvector of A_{r,s} - alpha Q_{r,s},
    x2 = x4 = 0, and is evaluated again. The engines are those of the WDC: run on this condition
    they prove the same upper bound.
    """
    found = replace(known, condition=condition.describe(), part=None, lower=0.0, witness=None,
                    lower_by=f"WDC of layer 1: {known.lower_by}",
                    upper_by=f"WDC of layer 1: {known.upper_by}")
    if known.witness is None:
        return found
    r, s = known.witness["r"], known.witness["s"]
    W, alpha = condition.net.layers[0], condition.alpha
    exponent = max(math.frexp(x)[1] for x in (float(np.abs(W).max()), math.sqrt(alpha)))
    rows = np.ldexp(W, -exponent)  # squares of any W stay in range
    on = rows[(rounding.open_gates(rows, r[None]) & rounding.open_gates(rows, s[None]))[0]]
    u, zero = maximizer(on, r, s, math.ldexp(alpha, -2 * exponent)), np.zeros(len(r))
    witness = {"x": r, "y": s, "x1": u, "x2": zero, "x3": u.copy(), "x4": zero.copy()}
    return replace(found, lower=condition.lower_bound(witness), witness=witness)


def upper_at(known: Bracket, alpha: float) -> float:
    """An upper bound on the WDC at another `alpha`: at the same one its own, else a weaker one.

    By 0 <= Q <= 1/2 (Fact 1), ||A - alpha' Q|| <= ||A - alpha Q|| + |alpha' - alpha|/2; the sum is
    exact and rounded up once.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.certification.from_wdc import upper_at
    >>> known = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> upper_at(known, 1.0) == known.upper, upper_at(known, 1.5) >= known.upper + 0.25
    (True, True)
    """
    if math.isinf(known.upper):
        return known.upper
    exact = Fraction(known.upper) + abs(Fraction(alpha) - Fraction(float(known.condition["alpha"]))) / 2
    nearest = float(exact)
    return nearest if nearest >= exact else math.nextafter(nearest, math.inf)


def bounded(known: Bracket, above: Bracket) -> Bracket:
    """`known`, of the R2WDC of a layer, with the upper bound that `above`, of its WDC, gives.

    Raises
    ------
    UnsoundBound
        They contradict each other: a bug.
    """
    alpha = float(known.condition["alpha"])
    upper = upper_at(above, alpha)
    if upper >= known.upper:
        return known
    layer, scale = above.condition["layer"], float(above.condition["alpha"])
    reason = f"Fact 12: WDC of layer {layer}" + (f" at alpha = {scale:.6g}" if scale != alpha else "")
    stop = Stop(Reason.CAP_ONLY, "what bounds the WDC bounds the R2WDC")
    return brackets.merge(known, Bracket(known.condition, upper=upper, upper_by=reason,
                                         stopped={"upper": stop}))
