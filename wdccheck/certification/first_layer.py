"""The R2WDC of layer 1 is the WDC of layer 1: its range is R^k itself (Fact 12)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.conditions.maximizer import maximizer
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.engines.least_ratio import LeastRatio
from wdccheck.engines.lines import lines, proved
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import rounding
from wdccheck.reports.row import Row

__all__ = ["first_layer"]


def first_layer(row: Row, condition: R2WDC) -> Row:
    """The row of the R2WDC of layer 1, whose range is R^k itself, from that of its WDC, at its alpha."""
    own = condition.with_alpha(row.scale)
    least = None if row.least is None else _least_of_first_layer(row.least, own)
    return replace(row, bracket=_of_first_layer(row.bracket, own), least=least)


def _of_first_layer(known: Bracket, condition: R2WDC) -> Bracket:
    """The same bounds of another condition.

    The witness is evaluated again. The engines are those of the WDC: run on this condition they prove the
    same upper bound.
    """
    found = replace(known, condition=condition.describe(), part=None, lower=0.0, witness=None,
                    lower_by=f"WDC of layer 1: {known.lower_by}",
                    upper_by=f"WDC of layer 1: {known.upper_by}")
    if known.witness is None:
        return found
    witness = _of_range(known.witness, condition)
    return replace(found, lower=condition.lower_bound(witness), witness=witness)


def _least_of_first_layer(least: LeastRatio, condition: R2WDC) -> LeastRatio:
    """The same bounds on the minimum over alpha; witnesses are measured again."""
    scaled = condition if least.alpha is None else condition.with_alpha(least.alpha)
    points = tuple(_of_range(one, scaled) for one in least.witnesses)
    lower, _ = proved(lines(scaled, points))
    return replace(least, lower=lower, witnesses=points, upper_by=f"WDC of layer 1: {least.upper_by}")


def _of_range(witness: Points, condition: R2WDC) -> Points:
    """(r, s) as x = r, y = s, x1 = x3 = the top eigenvector of A_{r,s} - alpha Q_{r,s}, x2 = x4 = 0."""
    r, s = witness["r"], witness["s"]
    W, alpha = condition.net.layers[0], condition.alpha
    exponent = max(math.frexp(x)[1] for x in (float(np.abs(W).max()), math.sqrt(alpha)))
    rows = np.ldexp(W, -exponent)  # squares of any W stay in range
    on = rows[(rounding.open_gates(rows, r[None]) & rounding.open_gates(rows, s[None]))[0]]
    u, zero = maximizer(on, r, s, math.ldexp(alpha, -2 * exponent)), np.zeros(len(r))
    return {"x": r, "y": s, "x1": u, "x2": zero, "x3": u.copy(), "x4": zero.copy()}
