"""Deviations at uniform random directions, as many as are asked for or as a time limit allows."""

from __future__ import annotations

import math
import time
from functools import partial

import numpy as np

from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.errors import InvalidInput
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

    Raises
    ------
    InvalidInput
        The time limit is shorter than what one direction takes by estimate: nothing is drawn.
    """
    deadline = math.inf if time_limit is None else time.monotonic() + positive("time_limit", time_limit)
    dimension = sum(checked(condition).spheres.values())
    if cost.left_out("", needed := _first(condition), deadline):
        raise InvalidInput("time_limit", f"about {1.05 * needed:.2g} s or more, what one random direction "
                           "takes, or None", f"{time_limit:.3g} s")
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

    With a deadline the first direction of the first block is done whatever the time; one by itself tells
    how many more fit into a look at the clock.
    """
    rng, count = np.random.default_rng(block_seed(root, number)), min(block, samples - number * block)
    points, size = spheres.sample(condition.spheres, rng, count), batch_size(search_of(condition))
    limited, found, done = deadline < math.inf, [np.empty(0)], 0
    while done < count and (done == number == 0 or time.monotonic() < deadline):
        part = slice(done, done + (1 if limited and done == 0 else size))
        begun = time.monotonic()
        found.append(condition.deviation({x: p[part] for x, p in points.items()}))
        if limited and done == 0:
            size = _batch(condition, size, time.monotonic() - begun)
        done += len(found[-1])
    return np.concatenate(found)


def _batch(condition: Condition, size: int, seconds: float) -> int:
    """Directions between two looks at the clock: as few as an estimate says, or as the first took."""
    order = max(condition.spheres.values())
    about = cost.products(2 * order * entries_of(condition)) + cost.decompositions(order, 1)
    slow = seconds if seconds > _PART / 8 else 0.0  # the same batches again where that is no matter of noise
    return max(1, min(size, int(_PART / max(about, slow))))  # at least one number is drawn: about > 0


def _first(condition: Condition) -> float:
    """About what one deviation takes.

    Differences in a range are computed with their errors, as witnesses are; else there is a matrix, its
    eigenvalues, and beyond an order its products with vectors alone.
    """
    order, entries = max(condition.spheres.values()), entries_of(condition)
    if any(len(block) > 1 for block in condition.spheres):
        return cost.evaluation(entries)
    if order > cost.FORMED:
        return cost.vectors(entries)
    return cost.products(2 * order * entries) + cost.eigenvalues(order)
