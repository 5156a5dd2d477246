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
from wdccheck.geometry.expectation import expected_gram
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import rounding
from wdccheck.reports.row import Row

__all__ = ["first_layer"]


def first_layer(row: Row, condition: R2WDC) -> Row:
    """The row of the R2WDC of layer 1, whose range is R^k itself, from that of its WDC, at its alpha."""
    condition = condition.with_alpha(row.scale)
    least = None if row.least is None else _least_of_first_layer(row.least, condition)
    return replace(row, bracket=_of_first_layer(row.bracket, condition), least=least)


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
    """The same upper bound on the minimum over alpha, and what the witnesses prove, measured again.

    The first of two witnesses is of the line that rises with 1/alpha, the last one of the line that falls.
    """
    found = replace(least, upper_by=f"WDC of layer 1: {least.upper_by}")
    if not least.witnesses:
        return found
    scaled = condition if least.alpha is None else condition.with_alpha(least.alpha)
    ends = (-1, 0) if len(least.witnesses) == 2 else (0,)
    points = tuple(_of_range(one, scaled, end) for one, end in zip(least.witnesses, ends, strict=True))
    lower, _ = proved(lines(scaled, points))
    return replace(found, lower=lower, witnesses=points, alpha=scaled.alpha)


def _of_range(witness: Points, condition: R2WDC, end: int | None = None) -> Points:
    """(r, s) as x = r, y = s, x1 = x3 an eigenvector of A_{r,s} - alpha Q_{r,s}, x2 = x4 = 0.

    It is of the eigenvalue of largest modulus, or at one `end` of the spectrum, as NumPy counts them.
    """
    r, s = witness["r"], witness["s"]
    W, alpha = condition.net.layers[0], condition.alpha
    exponent = max(math.frexp(x)[1] for x in (float(np.abs(W).max()), math.sqrt(alpha)))
    rows, alpha = np.ldexp(W, -exponent), math.ldexp(alpha, -2 * exponent)  # squares of any W stay in range
    on = rows[(rounding.open_gates(rows, r[None]) & rounding.open_gates(rows, s[None]))[0]]
    if end is None:
        u = maximizer(on, r, s, alpha)
    else:
        u = np.linalg.eigh(on.T @ on - alpha * expected_gram(r, s))[1][:, end]
    return {"x": r, "y": s, "x1": u, "x2": np.zeros(len(r)), "x3": u.copy(), "x4": np.zeros(len(r))}
