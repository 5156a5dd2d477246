"""A batch of points climbs: circle steps and free steps that never lose, and points around good ones."""

from __future__ import annotations

import numpy as np

from wdccheck.geometry import spheres
from wdccheck.geometry.spheres import Points
from wdccheck.protocol.condition import Condition, search_of
from wdccheck.protocol.search import Frozen, Search

__all__ = ["around", "sweep", "take"]


def around(condition: Condition, points: Points, chosen: np.ndarray, rng: np.random.Generator) -> Points:
    """Points around the chosen ones, at distances from 0.001 to 0.5."""
    moved = dict(take(points, chosen))
    for block, dimension in condition.spheres.items():
        base = spheres.join(moved, block)
        tangent = spheres.unit_tangent(base, rng.standard_normal(base.shape))
        angle = 10.0 ** rng.uniform(-3.0, -0.3, len(chosen)) * (dimension > 1)
        moved |= spheres.split_block(block, spheres.step(base, tangent, angle))
    return moved


def sweep(
    condition: Condition, points: Points, frozen: Frozen, rng: np.random.Generator, sign: float | None,
    free: bool,
) -> tuple[Points, Frozen]:
    """A circle step in every block; the step of Fact 17 if `free`."""
    search = search_of(condition)
    for block, dimension in condition.spheres.items():
        if dimension == 1:  # S^0 has no circles
            continue
        base = spheres.join(points, block)
        toward = np.stack([*search.tangents(points, block, frozen, rng), base[rng.permutation(len(base))]])
        member = np.arange(len(base))
        tangent = spheres.unit_tangent(base, toward[rng.integers(len(toward), size=len(base)), member])
        found = search.circle(points, block, tangent, frozen)
        angle = np.where(found.value >= frozen.value, found.angle, 0.0)
        moved = {**points, **spheres.split_block(block, spheres.step(base, tangent, angle))}
        points, frozen = _better(search, points, frozen, moved, sign)
    if free:
        points, frozen = _better(search, points, frozen, search.free_step(points, frozen), sign)
    return points, frozen


def _better(
    search: Search, points: Points, frozen: Frozen, moved: Points, sign: float | None
) -> tuple[Points, Frozen]:
    """The moved points where they are no worse, the old ones elsewhere."""
    new = search.freeze(moved, frozen, sign)
    up = new.value >= frozen.value
    u = np.where(up[:, None], new.u, frozen.u)
    v = u if new.v is new.u else np.where(up[:, None], new.v, frozen.v)
    kept = Frozen(u, v, np.where(up, new.sign, frozen.sign), np.where(up, new.value, frozen.value))
    return {x: np.where(up[:, None], moved[x], p) for x, p in points.items()}, kept


def take(points: Points, index: np.ndarray | slice) -> Points:
    """The points of an index."""
    return {x: p[index] for x, p in points.items()}
