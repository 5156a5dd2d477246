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
from wdccheck.protocol.condition import Condition, checked, entries_of
from wdccheck.running import parallel
from wdccheck.running.run import Run

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
    sizes = [min(block, samples - start) for start in range(0, samples, block)]
    jobs = [(run.block_seed(number), size) for number, size in enumerate(sizes)]
    found: list[np.ndarray] = []
    with parallel.one_blas_thread():
        for values in run.map(partial(_block, condition, run.deadline), jobs):
            found.append(values)
            if run.expired():
                break
    return np.sort(np.concatenate(found)), run.seed


def _block(condition: Condition, deadline: float, job: tuple[np.random.SeedSequence, int]) -> np.ndarray:
    """Deviations of one block; with a deadline in a few parts, the first of them whatever the time."""
    seed, size = job
    points = spheres.sample(condition.spheres, np.random.default_rng(seed), size)
    seconds = 0.0 if deadline == math.inf else _seconds(condition)
    part = max(1, int(_PART / seconds)) if seconds else size
    found: list[np.ndarray] = []
    for start in range(0, size, part):
        if found and time.monotonic() >= deadline:
            break
        found.append(condition.deviation({x: p[start: start + part] for x, p in points.items()}))
    return np.concatenate(found)


def _seconds(condition: Condition) -> float:
    """About what one deviation takes: products, and eigenvalues of a matrix."""
    order = max(condition.spheres.values())
    return cost.products(2 * order * entries_of(condition)) + cost.decompositions(order, 1)
