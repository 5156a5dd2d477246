"""Seeds of the WDC: pairs that climb while their gates harden from soft to nearly exact.

The climb is in single precision: nothing of it is believed, and it takes half the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from wdccheck.conditions.gated_pairs import mixed_pairs
from wdccheck.geometry import spheres
from wdccheck.geometry.expectation import expected_apply, unit
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import matrices
from wdccheck.linalg.lanczos import extreme_pairs
from wdccheck.linalg.matrices import Rows

__all__ = ["annealed_pairs", "spread_pairs"]

_EVERY = 32  # one pair in so many climbs: it costs as much as hundreds of the others
_HEATS = tuple(np.geomspace(1.0, 0.01, 8).tolist())  # widths of the gates, in typical values of |w.r|
_WARM = 2  # heats that are left out where pairs are near high ground already
_LOOK = 6  # Lanczos steps to see which side of such a pair is the larger
_WORK = 2**27  # entries of rows times pairs times steps at each heat, of one call
_FEW = 3  # columns up to which circles alone find as much
_FEWEST = 4  # pairs that climb together: alone, one takes as long, since the rows have to be read
_MOST = 2**28  # entries times steps at each heat: more take longer than a block should
_SHORTEST = 15  # steps at each heat: with fewer a climb leads nowhere
_SPARSE = 4  # entries of a dense product in the time of a sparse one
_REACH = 0.5  # radians, of a step at heat 1
_INERTIA = 0.8  # of the direction
_APART = 1e-6  # sin(theta) is kept as large
_TINY = 1e-30  # added to squares and widths that are divided by


def annealed_pairs(
    rows: Rows, alpha: float, rng: np.random.Generator, n: int, near: Points | None = None,
    deadline: float = math.inf,
) -> dict[str, np.ndarray]:
    """n pairs of :func:`mixed_pairs` for rows (m, k), one in 32 of them led to where the deviation is large.

    Where gates are closed or open only, a gradient knows nothing of the rows that are about to toggle.
    With ``sigmoid(w.r / width)`` in their place ``u^T (A - alpha Q) u`` is smooth; its maximum moves on as
    the width shrinks. Some pairs climb this, some its negative, which alpha/2 bounds and Fact 5 may rule
    out. Pairs `near`, if given, climb on their larger side, from a width at which they forget the cell but
    not the place. Of large layers fewer pairs climb, of very large ones with fewer steps; of huge ones, and
    of very narrow ones, none. At the deadline climbs end where they are.
    """
    pairs = mixed_pairs(rows, rng, n) if near is None else {letter: x.copy() for letter, x in near.items()}
    steps, work = _steps(rows)
    count = max(1, min(n, max(_FEWEST, min(n // (_EVERY if near is None else 1), _WORK // work))))
    every = min(8, n // count) if near is None else 1  # 8: the uniform ones
    chosen = slice(0, every * count, every)
    if rows.shape[1] > _FEW and (n > 1 or near is not None) and steps >= _SHORTEST:
        x = np.stack([pairs["r"][chosen], pairs["s"][chosen]])
        u, square = unit(rng.standard_normal(x.shape[1:])), _square(rows, rng)
        if near is None:
            value = np.where(square < 2 * alpha, rng.uniform(-1, 1, len(u)), 1.0)
        else:
            gates = np.all(_product(x, rows.T) > 0, axis=0)
            u, value = extreme_pairs(lambda v: _image(rows, alpha, x, gates, v), u, _LOOK)
        sign = np.where(value < 0, -1.0, 1.0)[:, None]
        shift = np.where(sign > 0, alpha, square) / 2
        heats = _HEATS if near is None else _HEATS[_WARM:]
        found = _annealed(rows, alpha, x, u, sign, shift, heats, steps, deadline)
        x = _directions(found, x)
        pairs["r"][chosen], pairs["s"][chosen] = x
    return pairs


def spread_pairs(k: int, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """n pairs of directions, uniform but for the angle between them, which grows from 0 to pi.

    Of uniform pairs few are far from orthogonal, and the largest values at the start are at some angles
    only, while the maximum may be at any.
    """
    r, theta = unit(rng.standard_normal((n, k))), np.pi * np.sqrt((np.arange(n) + rng.random(n)) / n)
    return {"r": r, "s": spheres.step(r, spheres.unit_tangent(r, rng.standard_normal((n, k))), theta)}


def _steps(rows: Rows) -> tuple[int, int]:
    """At each heat, and the dense entries that a pair takes there; fewer of large layers."""
    entries = max(1, matrices.entries(rows) * (_SPARSE if matrices.is_sparse(rows) else 1))
    steps = min(30 + rows.shape[1] // 4, _MOST // entries)
    return steps, max(1, steps * entries)


def _square(rows: Rows, rng: np.random.Generator) -> float:
    """||rows||_2^2, roughly."""
    first = rng.standard_normal((1, rows.shape[1]))
    _, value = extreme_pairs(lambda x: (x @ rows.T) @ rows, first, _LOOK, 1.0)
    return 1.1 * float(value[0])


def _image(rows: Rows, alpha: float, x: np.ndarray, gates: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(A - alpha Q) u for gates (B, n)."""
    result: np.ndarray = ((u @ rows.T) * gates) @ rows - alpha * expected_apply(x[0], x[1], u)
    return result


def _directions(found: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Pairs (2, B, k) as unit vectors, those before where single precision was not enough."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(found.astype(np.float64), axis=-1, keepdims=True)
    right = np.all(np.abs(lengths - 1) < 0.1, axis=0)  # False for NaN
    return unit(np.where(right, found, before))


def _annealed(
    rows: Rows, alpha: float, x: np.ndarray, u: np.ndarray, sign: np.ndarray, shift: np.ndarray,
    heats: Sequence[float], steps: int, deadline: float,
) -> np.ndarray:
    """r and s, stacked as x (2, B, k), after momentum steps of a length that the heat gives.

    u follows by one step of the power method at a time, of sign (A - alpha Q) + shift.
    """
    with np.errstate(all="ignore"):  # what single precision cannot hold is found out at the end
        typical = (matrices.lengths(rows) / rows.shape[1] ** 0.5).astype(np.float32)
        rows, x, u, sign, shift = (y.astype(np.float32) for y in (rows, x, u, sign, shift))
        speed = np.zeros_like(x)
        for heat in heats:
            if time.monotonic() > deadline:
                break
            width = np.maximum(heat * typical, _TINY)
            for _ in range(steps):
                slope, image = _slopes(rows, alpha, x, u, width)
                u = _normalized(sign * image + shift * u)
                slope = sign * (slope - _inner(slope, x) * x)
                length = np.sqrt(np.sum(_inner(slope, slope), axis=0) + _TINY)
                speed = _INERTIA * speed + (1 - _INERTIA) * slope / length
                x = _normalized(x + _REACH * heat**0.5 * speed)
    return x


def _inner(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sum(x * y, axis=-1, keepdims=True)


def _normalized(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(_inner(x, x) + _TINY)


def _slopes(
    rows: Rows, alpha: float, x: np.ndarray, u: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (2, B, k) of u^T (A - alpha Q) u in r and s, and (A - alpha Q) u, with soft gates.

    The result has the type of `x`. The rows are read twice: for the products with r, s and u, and for
    those back.
    """
    at = _product(np.concatenate([x, u[None]]), rows.T)
    gates = 0.5 + 0.5 * np.tanh(0.5 * at[:2] / width)
    joint = gates[0] * gates[1] * at[2]
    back = _product(np.concatenate([(1 - gates) * (joint * at[2] / width), joint[None]]), rows)
    apart, along = (np.sqrt(_inner(y, y)) for y in (x[0] - x[1], x[0] + x[1]))  # 2 sin, 2 cos of theta / 2
    cos, theta = _inner(x[0], x[1]), 2 * np.arctan2(apart, along)
    sine = np.maximum(0.5 * apart * along, _APART)
    p = _inner(x, u)
    across = p[::-1] - cos * p
    swapped = (across[0] * x[0] + across[1] * x[1]) / sine  # sin(theta) M u
    m = _inner(swapped, u)
    by_cos = (_inner(u, u) - np.sum(p**2, axis=0) + cos * m / sine) / sine
    share = alpha / (2 * math.pi)
    slope = back[:2] - share * (2 * across / sine * u + by_cos * x[::-1])
    return slope, back[2] - share * ((math.pi - theta) * u + swapped)


def _product(x: np.ndarray, rows: Rows) -> np.ndarray:
    """x @ rows for points (..., k) and rows that may be sparse."""
    result: np.ndarray = (x.reshape(-1, x.shape[-1]) @ rows).reshape(*x.shape[:-1], -1)
    return result
