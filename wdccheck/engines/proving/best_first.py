"""Best first: of finitely many regions, those with the largest proved bound are split."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.engines.proving.depth_first import attempt
from wdccheck.engines.proving.goals import ended, stopped
from wdccheck.engines.proving.multipliers import Tighten, tightened
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.geometry.spheres import pieces
from wdccheck.protocol.condition import Condition, proof_of
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import Bounded, GroupProof
from wdccheck.protocol.search import batch_size
from wdccheck.running.run import Engine, Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["Limits", "best_first"]

_PIECE = 512  # regions a task starts from, and bounds in one go
_TASKS = 4  # tasks between two looks at the clock; fixed, so that results do not depend on workers
_TASK = 8192  # regions a task may bound before it hands back what is left
_STEP = 0.97  # of the upper bound: every region above that is worked on before a new look
_BITS = 43  # of a float left out: bounds that agree to 1/1024 or 1/512 count as equal
_EVERY = 8  # batches between two looks for a larger deviation
_OPEN = 2**21  # regions not split yet that are kept: each takes some 50 bytes
_TIGHT = 128  # regions whose constraints are used in one go


@dataclass(frozen=True)
class Limits:
    """Who searches, with how many regions at most, and which upper bound is small enough."""

    engine: Engine
    nodes: float
    goal: Callable[[Bracket], float]


@dataclass(eq=False)
class _Frontier:
    """Regions not split yet, by their bounds; together they cover everything.

    `ended` is the largest bound of those with which nothing more can be done; `efforts` is how often the
    constraints of single pieces may be used, each time harder.
    """

    efforts: int
    ended: float = 0.0
    count: int = 0
    bins: defaultdict[int, list[Bounded]] = field(default_factory=lambda: defaultdict(list))

    def add(self, regions: Bounded) -> None:
        going = regions.splittable() | self.ripe(regions)
        self.ended = max(self.ended, float(regions.bound[~going].max(initial=0.0)))
        regions = regions.take(going)
        self.count += len(regions)
        keys = np.maximum(regions.bound, 0.0).view(np.int64) >> _BITS  # monotone, exactly; inf comes last
        for key in np.unique(keys):
            self.bins[int(key)].append(regions.take(keys == key))

    def ripe(self, regions: Bounded) -> np.ndarray:
        return np.asarray(regions.single() & (regions.effort < self.efforts))

    def largest(self) -> float:
        if not self.bins:
            return 0.0
        return max(float(regions.bound.max()) for regions in self.bins[max(self.bins)])

    def pop(self, count: int, above: float) -> Bounded:
        """Up to `count` of the regions with the largest bounds: of the highest bin, and others above."""
        parts = self.bins.pop(max(self.bins))
        while self.bins and sum(map(len, parts)) < count and self.largest() > above:
            parts += self.bins.pop(max(self.bins))
        regions = parts[0].join(parts)
        self.count -= len(regions)
        if len(regions) > count:
            self.add(regions.take(slice(count, None)))
        return regions.take(slice(count))


def best_first(
    condition: Condition, roots: Bounded, known: Bracket, run: Run, limits: Limits,
    efforts: tuple[Tighten, ...] = (tightened,), visited: int = 0,
) -> Iterator[Bracket]:
    """Brackets whose upper is the largest bound of a frontier of regions.

    Where groups are single pieces their constraints are used before they are split further, by one of
    `efforts` after the other. It ends at `limits`, or when nothing more can be done with the region that
    has the largest bound and there are no finer roots to start from. `visited` nodes are counted already.
    """
    frontier, batches = _Frontier(len(efforts)), 0
    frontier.add(roots.bounded(np.full(len(roots), known.upper)))
    while True:
        if (upper := max(frontier.largest(), frontier.ended)) < known.upper:
            known = replace(known, upper=upper, upper_by=repr(limits.engine))
        known = replace(known, engines=(run.work(limits.engine, visited),))
        run.report(type(limits.engine).__name__, known, visited, limits.nodes, limits.engine.unit)
        yield known
        stop = _ended(known, run, limits, visited, frontier.count)
        if stop is None and frontier.largest() <= frontier.ended:
            finer = roots.finer()
            if finer is not None:
                roots, frontier = finer, _Frontier(len(efforts))
                frontier.add(roots.bounded(np.full(len(roots), known.upper)))
                continue
            stop = Stop(Reason.EXHAUSTED, f"{cast(GroupProof, proof_of(condition)).limit}; {visited:,} nodes")
        if stop is not None:
            open_still = stop.reason in (Reason.EXHAUSTED, Reason.NODES, Reason.TIME)
            remark = roots.remark(known.lower) if open_still else ""
            yield stopped(known, replace(stop, detail=stop.detail + remark))
            return
        cutoff = max(limits.goal(known), frontier.ended, run.target or 0.0, _STEP * upper)
        popped = frontier.pop(_PIECE * _TASKS, cutoff)
        if batches % _EVERY == 0:
            value, witness = attempt(condition, popped, known.lower, visited)
            if value > known.lower and witness is not None:
                known = raised(known, condition, witness, value, repr(limits.engine))
        batches += 1
        budget = int(np.clip(visited // _TASKS, 1, _TASK))
        task = partial(_worked, condition, efforts, cutoff, budget, run.deadline)
        for regions, count in run.map(task, [popped.take(slice(i, None, _TASKS)) for i in range(_TASKS)]):
            frontier.add(regions)
            visited += count


def _worked(
    condition: Condition, efforts: tuple[Tighten, ...], cutoff: float, budget: int, deadline: float,
    regions: Bounded,
) -> tuple[Bounded, int]:
    """Regions that cover the same, each with its bound: the halves of all above the cutoff, while the budget
    lasts; and how many were bounded.
    """
    going, done, count = [regions], [regions.take(slice(0))], 0
    while going and count < budget and (count == 0 or time.monotonic() < deadline):
        batch = going.pop()
        if len(batch) > _PIECE:
            going.append(batch.take(slice(_PIECE, None)))
            batch = batch.take(slice(_PIECE))
        effort = np.where(batch.single(), batch.effort, len(efforts))
        found = [_bounded(condition, proved_bound, batch.take(effort == len(efforts)).split())]
        for level, tighten in enumerate(efforts):
            mature = batch.take(effort == level).matured()
            found += [_bounded(condition, tighten, mature.take(slice(i, i + _TIGHT)))
                      for i in range(0, len(mature), _TIGHT)]
        new = found[0].join(found)
        count += len(new)
        hard = (new.bound > cutoff) & (new.splittable() | (new.single() & (new.effort < len(efforts))))
        done.append(new.take(~hard))
        if hard.any():
            going.append(new.take(hard))
    return done[0].join(done + going), count


def _bounded(condition: Condition, prove: Callable[[RangeForm], np.ndarray], regions: Bounded) -> Bounded:
    """The regions with the least bound that one of their sets of forms proves."""
    bound, proof = np.full(len(regions), np.inf), cast(GroupProof, proof_of(condition))
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond the range of floats proves nothing
        for part in pieces(len(regions), batch_size(proof)):
            least = bound[part]
            for owners, forms in proof.forms(regions.take(part)):
                worst = np.zeros(len(least))
                for form in forms:
                    assert isinstance(form, RangeForm)
                    np.maximum.at(worst, owners, prove(form))
                least[owners] = np.minimum(least[owners], worst[owners])
    return regions.bounded(bound)


def _ended(known: Bracket, run: Run, limits: Limits, visited: int, open_regions: int) -> Stop | None:
    if run.decided(known) or known.upper <= limits.goal(known):
        return ended(known, run, visited)
    if visited >= limits.nodes:
        return Stop(Reason.NODES, f"{visited:,} nodes")
    if open_regions > _OPEN:
        return Stop(Reason.NODES, f"{visited:,} nodes; {open_regions:,} regions are open, more than are kept")
    return Stop(Reason.TIME, f"{visited:,} nodes") if run.expired() else None
