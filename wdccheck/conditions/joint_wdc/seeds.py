"""Random points h, x, m, y from where the deviation of the joint-WDC tends to be large."""

from __future__ import annotations

import numpy as np

from wdccheck.conditions.gated_pairs import mixed_pairs
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.spheres import pieces

__all__ = ["joint_seeds"]

_ENTRIES = 2**20  # of one temporary array


def joint_seeds(B: np.ndarray, C: np.ndarray, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """n points in random order: half of them led along rows, a quarter for each inequality; of the
    others one pair of letters as the WDC's seeds, the other too, or aligned.
    """
    led = n // 4
    points = _loose(B, C, rng, n - 2 * led)
    for rows, others, letters in ((B, C, "hxmy"), (C, B, "myhx")):
        found = _led(rows, others, rng, led)
        points = {x: np.concatenate([points[x], p]) for x, p in zip(letters, found, strict=True)}
    order = rng.permutation(n)
    return {x: points[x][order] for x in "hxmy"}


def _loose(B: np.ndarray, C: np.ndarray, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    one, other = mixed_pairs(B, rng, n), mixed_pairs(C, rng, n)
    shuffled = rng.permutation(n)
    points = {"h": one["r"], "x": one["s"], "m": other["r"][shuffled], "y": other["s"][shuffled]}
    kind = rng.random((n, 1))
    points["y"] = np.where(kind < 0.4, points["m"], points["y"])
    points["x"] = np.where(kind > 0.8, points["h"], points["x"])
    return points


def _led(
    rows: np.ndarray, others: np.ndarray, rng: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gating u + t, u - t and weighing z, z, where sum_i (b_i.u)^2 (c_i.z)_+^2 over open rows is large.

    A few power steps on u and z from near one row, strong ones more often. t is drawn once, along the
    wall of that row, of length 1/10 to 10.
    """
    strength = np.sum(rows * rows, axis=1) * np.sum(others * others, axis=1)
    strength = (strength / strength.max()) ** 2 if strength.any() else np.ones(len(rows))
    near = rng.choice(len(rows), n, p=strength / strength.sum())
    noise = 10.0 ** rng.uniform(-1.5, 0.3, (n, 1))
    normal, t = unit(rows[near]), rng.standard_normal((n, rows.shape[1]))
    u = unit(normal + noise * unit(rng.standard_normal(t.shape)))
    z = unit(unit(others[near]) + noise * unit(rng.standard_normal((n, others.shape[1]))))
    t = unit(t - np.sum(t * normal, axis=1, keepdims=True) * normal) * 10.0 ** rng.uniform(-1, 1, (n, 1))
    led = [_stepped(rows, others, u[part], z[part], t[part])
           for part in pieces(n, max(1, _ENTRIES // len(rows)))]
    u, z = (np.concatenate(both) for both in zip(*led, strict=True))
    return unit(u + t), unit(u - t), z, z


def _stepped(
    rows: np.ndarray, others: np.ndarray, u: np.ndarray, z: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """u and z after the power steps of :func:`_led`."""
    walls = np.abs(t @ rows.T)
    for _ in range(3):
        d, p = u @ rows.T, np.maximum(z @ others.T, 0.0)
        weight = np.where(d > walls, d * p, 0.0)
        moved = unit((weight * p) @ rows), unit((weight * d) @ others)
        some = np.all([x.any(axis=1, keepdims=True) for x in moved], axis=0)  # rows are open
        u, z = (np.where(some, new, old) for new, old in zip(moved, (u, z), strict=True))
    return u, z
