"""Best first: of finitely many regions, those with the largest proved bound are split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from wdccheck.brackets import Bracket, Reason, Stop
from wdccheck.conditions.condition import Bounded, Condition
from wdccheck.forms import RangeForm
from wdccheck.run import Engine, Run, raised
from wdccheck.upper.explore import attempt
from wdccheck.upper.multipliers import tightened
from wdccheck.upper.relax import proved_bound

__all__ = ["Limits", "best_first"]

_PIECE = 512  # regions a task starts from
_WAVE = 4  # tasks at a time; fixed, so that results do not depend on workers
_BITS = 43  # of a float left out: bounds that agree to 1/1024 or 1/512 count as equal
_EVERY = 8  # waves between two looks for a larger deviation


@dataclass(frozen=True)
class Limits:
    """Who searches, with how many regions at most, and which upper bound is small enough."""

    engine: Engine
    nodes: int
    goal: Callable[[Bracket], float]


@dataclass(eq=False)
class _Frontier:
    """Regions not split yet, by their bounds; together they cover everything."""

    bins: defaultdict[int, list[Bounded]] = field(default_factory=lambda: defaultdict(list))

    def add(self, regions: Bounded) -> None:
        keys = np.maximum(regions.bound, 0.0).view(np.int64) >> _BITS  # monotone, exactly; inf comes last
        for key in np.unique(keys):
            self.bins[int(key)].append(regions.take(keys == key))

    def largest(self) -> float:
        if not self.bins:
            return 0.0
        return max(float(regions.bound.max()) for regions in self.bins[max(self.bins)])

    def pop(self, count: int) -> Bounded:
        """Up to `count` regions of the highest bin."""
        parts = self.bins.pop(max(self.bins))
        regions = parts[0].join(parts)
        if len(regions) > count:
            self.add(regions.take(slice(count, None)))
        return regions.take(slice(count))


def best_first(
    condition: Condition, roots: Bounded, known: Bracket, run: Run, limits: Limits,
    tighten: Callable[[RangeForm], np.ndarray] = tightened,
) -> Iterator[Bracket]:
    """Brackets whose upper is the largest bound of a frontier of regions.

    Where groups are single cones their cone constraints are used before they are split further. It ends
    at `limits`, or when nothing more can be done with the region that has the largest bound.
    """
    frontier, visited, waves = _Frontier(), 0, 0
    frontier.add(roots.bounded(np.full(len(roots), known.upper)))
    while True:
        if (upper := frontier.largest()) < known.upper:
            known = replace(known, upper=upper, upper_by=repr(limits.engine))
        known = replace(known, engines=(run.work(limits.engine, visited),))
        run.report(type(limits.engine).__name__, known, visited, limits.nodes, limits.engine.unit)
        yield known
        ended = _ended(known, run, limits, visited)
        popped = roots.take(slice(0)) if ended else frontier.pop(_PIECE * _WAVE)
        ripe = popped.ripe()
        if ended is None and not (popped.splittable() | ripe).all():
            ended = Stop(Reason.NODES, f"single cones allow no smaller bound; {visited:,} nodes")
        if ended is not None:
            yield replace(known, stopped={**known.stopped, "upper": ended})
            return
        if waves % _EVERY == 0:
            value, witness = attempt(condition, popped, known.lower, visited)
            if value > known.lower and witness is not None:
                known = raised(known, condition, witness, value, repr(limits.engine))
        work = [(partial(_bounded, condition, proved_bound), popped.take(~ripe).split(), _PIECE),
                (partial(_bounded, condition, tighten), popped.take(ripe).tightened(), _PIECE // 4)]
        for task, regions, size in work:
            pieces = [regions.take(slice(i, i + size)) for i in range(0, len(regions), size)]
            for found in run.map(task, pieces):
                frontier.add(found)
            visited += len(regions)
        waves += 1


def _bounded(condition: Condition, prove: Callable[[RangeForm], np.ndarray], regions: Bounded) -> Bounded:
    """The regions with the least bound that one of their sets of forms proves."""
    bound = np.full(len(regions), np.inf)
    for owners, forms in condition.refine(regions):
        worst = np.zeros(len(regions))
        for form in forms:
            assert isinstance(form, RangeForm)
            np.maximum.at(worst, owners, prove(form))
        bound[owners] = np.minimum(bound[owners], worst[owners])
    return regions.bounded(bound)


def _ended(known: Bracket, run: Run, limits: Limits, visited: int) -> Stop | None:
    if run.decided(known):
        return Stop(Reason.TARGET, f"the verdict at {run.target:.6g} is decided")
    if known.upper <= limits.goal(known):
        exact = known.upper <= known.lower * (1 + 1e-9)
        return Stop(Reason.EXACT if exact else Reason.GAP, f"gap {known.gap:.3g} after {visited:,} nodes")
    if visited >= limits.nodes:
        return Stop(Reason.NODES, f"{visited:,} nodes")
    return Stop(Reason.TIME, f"{visited:,} nodes") if run.expired() else None
