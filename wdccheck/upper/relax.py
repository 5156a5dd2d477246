"""Is the deviation proved to stay below t on a region? Asked of forms, answered with rounding."""

from __future__ import annotations

import numpy as np

from wdccheck import _kernels, rounding
from wdccheck.forms import Sandwich

__all__ = ["proved_below"]


def proved_below(form: Sandwich, t: float) -> np.ndarray:
    """Boolean (B,): True only where the form proves deviation <= t.

    Upper side: (t - pad - slack) I - (high - mean) >= 0, or (t - pad + floor) I - high >= 0.
    Lower side: (t - pad - slack) I - (mean - low) >= 0, or (t - pad - ceiling) I + low >= 0.
    Each is a Cholesky factorization that runs to its end; NaN fails.
    """
    t = t / form.scale  # a power of two: exact, or beyond every bound
    by_mean, by_range = t - form.pad - form.slack, t - form.pad
    below = _semidefinite(by_mean, form.mean - form.high, t)
    rest = np.flatnonzero(~below)
    if len(rest):
        below[rest] = _semidefinite((by_range + form.floor)[rest], -form.high[:, rest], t)
    rest = np.flatnonzero(below)
    if len(rest):
        above = _semidefinite(by_mean[rest], (form.low - form.mean)[:, rest], t)
        last = rest[~above]
        if len(last):
            above[~above] = _semidefinite((by_range - form.ceiling)[last], form.low[:, last], t)
        below[rest] = above
    return below


def _semidefinite(shift: np.ndarray, packed: np.ndarray, t: float) -> np.ndarray:
    """Boolean (B,): shift I + packed >= 0, proved. `packed` may carry one rounding per entry.

    Let m be the largest of |t|, |shift|, the entries of |packed|, and 1. An entry of `packed`
    errs by u m. `shift` is t less two numbers, each such that no partial result exceeds
    |t| + |shift| + 4 (slack, floor and ceiling are at most 2, the pad less): 2 u (2 m + 4).
    Lowering it adds 2 u (2 m), adding it to the diagonal u (2 m). Together less than 20 u m per
    entry, 20 k u m in spectral norm. The matrix handed to Cholesky is lowered by 32 k u m and by
    its own loss.
    """
    k = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    diagonal = [i * (i + 3) // 2 for i in range(k)]
    largest = np.abs(shift) + np.max(np.abs(packed), axis=0, initial=0.0) + abs(t) + 1.0
    trace = packed[diagonal].sum(axis=0) + k * np.abs(shift)
    lowered = shift - rounding.cholesky_loss(k, trace) - 32 * k * rounding.UNIT * largest
    matrix = packed.copy()
    matrix[diagonal] += lowered
    return _kernels.cholesky_succeeds(matrix, k)
