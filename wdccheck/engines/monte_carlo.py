"""Uniform random directions: the simplest lower bound, and the baseline of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.geometry import spheres
from wdccheck.linalg import cost, inputs
from wdccheck.protocol.condition import Condition, entries_of, search_of
from wdccheck.protocol.search import batch_size
from wdccheck.running.run import Run, block_seed, raised
from wdccheck.stops import Reason, Stop

__all__ = ["MonteCarlo"]

_BLOCK = 4096  # points per seed; fixed, so that results do not depend on workers
_OPERATIONS = 200  # for each weight and sample
_ENTRIES = 2**21  # of the matrices of one block of points, of order all dimensions together
_WORK = 2**22  # products of points and rows in one block: a fraction of a second


@dataclass(frozen=True)
class MonteCarlo:
    """The largest deviation over uniform random points.

    Parameters
    ----------
    samples : int
        Points to draw, rounded up to a multiple of the block size.

    Raises
    ------
    InvalidInput
        `samples` is not an integer from 1 to 10**12.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.bracket(wc.WDC(np.eye(3)), wc.MonteCarlo(samples=4096)).lower > 0.5
    True
    """

    samples: int = 2**12

    unit = "samples"

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", inputs.count_value("samples", self.samples))

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield a bracket per block."""
        dimension, size = sum(condition.spheres.values()), batch_size(search_of(condition, "freeze"), _WORK)
        block = min(_BLOCK, max(16, _ENTRIES // dimension**2), size)
        blocks = -(-self.samples // block)
        seconds = cost.products(_OPERATIONS * block * entries_of(condition))
        if late := cost.left_out(f"{block:,} samples", seconds, run.deadline):
            yield replace(known, stopped={**known.stopped, "lower": Stop(Reason.TIME, late)})
            return
        done = 0
        reason, detail = Reason.BUDGET, f"{blocks * block:,} samples drawn"
        for value, witness in run.map(partial(_draw, condition, block, run.seed), range(blocks)):
            done += block
            if value > known.lower or known.witness is None:
                known = raised(known, condition, witness, value, repr(self))
            run.report("MonteCarlo", known, done, blocks * block, self.unit)
            known = replace(known, engines=(run.work(self, done),))
            yield known
            if run.expired() or run.decided(known):
                reason = Reason.TIME if run.expired() else Reason.TARGET
                detail = f"{done:,} of {blocks * block:,} samples drawn"
                break
        yield replace(known, stopped={**known.stopped, "lower": Stop(reason, detail)})


def _draw(
    condition: Condition, block: int, root: np.random.SeedSequence, number: int
) -> tuple[float, Mapping[str, np.ndarray]]:
    points = spheres.sample(condition.spheres, np.random.default_rng(block_seed(root, number)), block)
    best = int(np.argmax(search_of(condition).freeze(points).value))
    witness = {letter: value[best] for letter, value in points.items()}
    return condition.lower_bound(witness), witness
