"""Closed upper bounds of the joint-WDC, valid for every size."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from wdccheck import rounding
from wdccheck.eigen import proved_norm

__all__ = ["square_caps"]

_PRODUCTS = 2**24  # entries up to which the rows b_i (x) c_i are formed
_ROWS = 2048  # of a Gram matrix of rows


def square_caps(B: np.ndarray, C: np.ndarray) -> Iterator[tuple[float, str]]:
    """Bounds on l s, s = sup over unit m, u of sum_i (c_i.m)^2 (b_i.u)^2; epsilon <= max(l s, alpha/4).

    For unit m, y, u and any gates, u^T A u <= l sum_i |c_i.m| |c_i.y| (b_i.u)^2, by Cauchy-Schwarz
    at most l s; and alpha kappa Q <= alpha/4. The mirrored part has the same s. It is at most
    ||B||^2 max |c_i|^2, ||C||^2 max |b_i|^2, and ||T||^2 where T has the rows b_i (x) c_i, since
    (c_i.m)(b_i.u) = (b_i (x) c_i).(u (x) m). An entry of T errs by u |T_ij| + 2^-1074, so ||T|| by at
    most a relative u sqrt(rank), its square by less than 4 u sqrt(min(l, np)). The underflow of at
    most 2^24 entries of at most 1 moves it by less than 2^-1000; so does that of a sum of squares.

    Parameters
    ----------
    B : ndarray of shape (l, n)
    C : ndarray of shape (l, p)
        Entries of at most 1.
    """
    for V, W, reason in ((B, C, "l ||B||^2 max |c_i|^2"), (C, B, "l ||C||^2 max |b_i|^2")):
        longest = float(np.max(np.sum(W * W, axis=1))) * (1 + rounding.gamma(W.shape[1] + 8))
        yield _up(len(V), proved_norm(V) * (longest + 2.0**-1000)), reason
    if B.size * C.shape[1] <= _PRODUCTS and min(len(B), B.shape[1] * C.shape[1]) <= _ROWS:
        T = (B[:, :, None] * C[:, None, :]).reshape(len(B), -1)
        square = proved_norm(T) * (1 + 4 * rounding.UNIT * math.sqrt(min(T.shape)))
        yield _up(len(B), square), "l ||T||^2, rows b_i x c_i"


def _up(count: int, square: float) -> float:
    return rounding.round_up(count * (square + 2.0**-900), 4)
