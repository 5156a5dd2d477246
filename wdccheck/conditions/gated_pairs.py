"""Pairs of directions where the deviation of a gated Gram matrix is large by theorem."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import pieces
from wdccheck.linalg import matrices
from wdccheck.linalg.lanczos import SMALL, extreme_pairs
from wdccheck.linalg.matrices import Rows
from wdccheck.protocol.theorems import Start

__all__ = ["mixed_pairs", "theorem_pairs"]

_STEPS = 40  # of Lanczos, where singular vectors are not computed exactly
_ENTRIES = 2**20  # of one temporary array
_DELTA = 1e-8
"""How far an antipodal pair is moved off its flat: far above rounding, Q of order 1e-8."""


def theorem_pairs(rows: Rows) -> Iterator[Start]:
    """Starts of Facts 6, 5, 7, the cheapest first, and for k = 1 all four pairs (Fact 8).

    Parameters
    ----------
    rows : ndarray of shape (n, k)
    """
    k = rows.shape[1]
    if k == 1:
        for a, b in product((1.0, -1.0), repeat=2):
            yield Start({"r": np.array([a]), "s": np.array([b])}, "Fact 8: k = 1, all four pairs")
        return
    for r in _few_active(rows):
        yield Start({"r": r, "s": r}, "Fact 6: few active rows")
    for v in _extreme_vectors(rows):
        for r in (v, -v):
            yield Start({"r": r, "s": r}, "Fact 5: r = s along an extreme singular vector")
    norms = matrices.lengths(rows)
    for first in np.argsort(-norms)[:3]:
        for pair in _antipodal_chain(rows, int(first)):
            yield Start(pair, "Fact 7: antipodal pair on a flat of rows")


def _extreme_vectors(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors of the largest and the smallest singular value; of large layers roughly."""
    n, k = rows.shape
    if k <= SMALL:
        _, _, vt = np.linalg.svd(matrices.dense("W", rows), full_matrices=n < k)
        return vt[0], vt[k - 1]  # vt (k, k) either way, and never n x n numbers
    first = np.random.default_rng(0).standard_normal((1, k))
    top, least = (extreme_pairs(lambda x: (x @ rows.T) @ rows, first, _STEPS, sign)[0][0] for sign in (1, -1))
    return top, least


def _few_active(rows: Rows) -> Iterator[np.ndarray]:
    lengths = matrices.lengths(rows)
    weights = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    mean = weights @ rows
    for r in (mean, -mean):
        if not r.any():
            r = np.ones(rows.shape[1])
        for _ in range(8):  # away from the rows that are still active
            active = rows @ r > 0
            if not active.any():
                break
            r = unit(r) - 0.5 * unit((weights * active) @ rows)
            if not r.any():
                break
        if r.any():
            yield unit(r)


def _antipodal_chain(rows: Rows, first: int) -> Iterator[dict[str, np.ndarray]]:
    """Antipodal pairs over flats grown greedily from one row, while their value grows."""
    chosen = [first]
    for _ in range(min(rows.shape[1] - 1, 12)):
        pair = antipodal_pair(rows, np.array(chosen))
        if pair is None:
            return
        yield pair
        _, _, vt = np.linalg.svd(matrices.take(rows, chosen), full_matrices=False)
        gain = np.abs(rows @ vt[0])
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        if gain[best] <= 0:
            return
        chosen.append(best)


def antipodal_pair(rows: Rows, chosen: np.ndarray) -> dict[str, np.ndarray] | None:
    """r = r0 + delta a, s = -r0 + delta a with w_i.r0 = 0, |w_i.a| > 0 for the chosen rows.

    Rows of one line on opposite sides cannot both be active; the sign of the first counts.
    None if no r0 is left, that is, if the chosen rows span R^k.
    """
    part = unit(matrices.take(rows, chosen))
    _, values, vt = np.linalg.svd(part, full_matrices=False)
    rank = int(np.sum(values > 1e-12 * values[0])) if values[0] > 0 else 0
    if rank >= rows.shape[1] or rank == 0:
        return None

    def off(x: np.ndarray) -> np.ndarray:
        for _ in range(2):  # twice is orthogonal to rounding
            x = x - (vt[:rank] @ x) @ vt[:rank]
        return x

    a = np.linalg.lstsq(part, np.ones(len(part)), rcond=None)[0]
    if not a.any():
        return None
    a = unit(a)
    # the point of the flat that keeps the other rows farthest from their walls, roughly
    r0 = off(unit(np.asarray(rows.sum(axis=0))) + np.linspace(0.3, 0.7, rows.shape[1]))
    if np.abs(r0).max() < 1e-4:  # the coordinate axis that the rows see least
        r0 = off(np.eye(1, rows.shape[1], int(np.argmin(np.sum(vt[:rank] ** 2, axis=0))))[0])
    r0 = unit(r0)
    return {"r": r0 + _DELTA * a, "s": -r0 + _DELTA * a}


def mixed_pairs(rows: Rows, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """n pairs: half of them aligned with the rows, the others uniform, near r = s, near r = -s,
    and antipodal on flats of random rows, in turn.
    """
    k = rows.shape[1]
    r = unit(rng.standard_normal((n, k)))
    s = unit(rng.standard_normal((n, k)))
    kind = np.arange(n) % 8
    spread = 10.0 ** rng.uniform(-4, 0, (n, 1))
    s = np.where((kind == 1)[:, None], unit(r + spread * s), s)
    s = np.where((kind == 2)[:, None], unit(-r + spread * s), s)
    nonzero = np.flatnonzero(matrices.absolute_sums(rows))
    if k > 1 and len(nonzero):
        for i in np.flatnonzero(kind == 3):
            size = int(rng.integers(1, min(k - 1, len(nonzero), 32) + 1))
            pair = antipodal_pair(rows, rng.choice(nonzero, size, replace=False))
            if pair is not None:
                r[i], s[i] = unit(pair["r"]), unit(pair["s"])
        aligned = kind >= 4
        r[aligned] = s[aligned] = _aligned(rows, r[aligned], rng)
    return {"r": r, "s": s}


def _aligned(rows: Rows, r: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Directions r (B, k) led to where the open rows agree: sum_i 1[w_i.r > 0] (w_i.u)^2 is large.

    u follows by power steps on the gated rows, r by fixed-point steps of the gated sum with gates
    smoothed at a random, wide width, which forgets the cells and sees the distribution.
    """
    u = unit(rng.standard_normal(r.shape))
    width = 1.4 * 10.0 ** rng.uniform(0.0, 0.7, (len(r), 1))
    inertia = rng.uniform(0.2, 1.0, (len(r), 1))
    r = np.concatenate([_led(rows, u[part], width[part], inertia[part])
                        for part in pieces(len(r), max(1, _ENTRIES // rows.shape[0]))])
    lost = ~r.any(axis=-1)
    r[lost] = unit(rng.standard_normal((np.count_nonzero(lost), r.shape[1])))
    return r


def _led(rows: Rows, u: np.ndarray, width: np.ndarray, inertia: np.ndarray) -> np.ndarray:
    """Where the steps of :func:`_aligned` lead from u (B, k)."""
    r = unit((u @ rows.T) ** 2 @ rows)
    for _ in range(10):
        along = r @ rows.T
        for _ in range(2):
            u = unit(((u @ rows.T) * (along > 0)) @ rows)
        spread = width * np.sqrt(np.mean(along**2, axis=-1, keepdims=True)) + 1e-300
        weight = (u @ rows.T) ** 2 * np.exp(-0.5 * (along / spread) ** 2)
        r = unit(unit(weight @ rows) + inertia * r)
    return r
