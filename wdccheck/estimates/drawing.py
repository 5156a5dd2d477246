"""Deviations at uniform random directions, as many as are asked for or as a time limit allows."""

from __future__ import annotations

import math
import time
from functools import partial

import numpy as np

from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.geometry import spheres
from wdccheck.linalg import cost
from wdccheck.linalg.inputs import positive
from wdccheck.protocol.condition import Condition, checked, entries_of, search_of
from wdccheck.protocol.search import batch_size
from wdccheck.running import parallel
from wdccheck.running.run import Run, block_seed

__all__ = ["deviations"]

_BLOCK = 1024  # directions per seed; fixed, so that results do not depend on workers
_ENTRIES = 2**21  # of one batch of points, all dimensions together
_PART = 0.2  # seconds between two looks at the clock


def deviations(
    condition: Condition, samples: int, rng: Rng, workers: int, time_limit: float | None
) -> tuple[np.ndarray, np.random.SeedSequence]:
    """Deviations at uniform random directions, ascending (n,), and the root of their seeds.

    Which directions a time limit leaves out does not depend on their deviations.
    """
    deadline = math.inf if time_limit is None else time.monotonic() + positive("time_limit", time_limit)
    dimension = sum(checked(condition).spheres.values())
    run = Run(seed_sequence(rng), parallel.available(workers), deadline)
    block = int(min(_BLOCK, max(16, _ENTRIES // dimension**2)))
    found, done = np.empty(samples), 0
    with parallel.one_blas_thread():
        draw = partial(_block, condition, run.seed, run.deadline, samples, block)
        for part in run.map(draw, range(-(-samples // block))):
            found[done: done + len(part)] = part
            done += len(part)
            if run.expired():
                break
    found = found[:done]
    found.sort()
    return found, run.seed


def _block(
    condition: Condition, root: np.random.SeedSequence, deadline: float, samples: int, block: int, number: int
) -> np.ndarray:
    """Deviations of one block, the last of which may be shorter, a few points at a time.

    With a deadline the first of them are done whatever the time.
    """
    rng, count = np.random.default_rng(block_seed(root, number)), min(block, samples - number * block)
    points, size = spheres.sample(condition.spheres, rng, count), batch_size(search_of(condition))
    seconds = 0.0 if deadline == math.inf else _seconds(condition)
    if seconds:
        size = max(1, min(size, int(_PART / seconds)))
    found: list[np.ndarray] = []
    for part in spheres.pieces(count, size):
        if found and time.monotonic() >= deadline:
            break
        found.append(condition.deviation({x: p[part] for x, p in points.items()}))
    return np.concatenate(found)


def _seconds(condition: Condition) -> float:
    """About what one deviation takes: products, and eigenvalues of a matrix."""
    order = max(condition.spheres.values())
    return cost.products(2 * order * entries_of(condition)) + cost.decompositions(order, 1)
