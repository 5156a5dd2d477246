"""Branch and bound: prove deviation <= t on every region, splitting where the forms do not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from wdccheck.brackets import Bracket, Reason, Stop
from wdccheck.conditions.condition import Condition, Regions
from wdccheck.errors import InvalidInput
from wdccheck.printing import between
from wdccheck.run import Run, raised
from wdccheck.upper.relax import proved_below

__all__ = ["BranchAndBound"]

_BATCH = 2048  # regions bounded in one go
_TASK = 40_000  # regions a task may visit before it hands back what is left
_WAVE = 16  # tasks between two looks at the clock; fixed, so that results do not depend on workers
_PIECE = 256  # regions a task starts from
_EVERY = 8  # batches between two looks for a point above t
_TRIED = 8  # regions looked at then
_SAMPLED = 7  # points of each, besides its center


@dataclass(frozen=True)
class BranchAndBound:
    """Upper bounds by bisection of regions, in rounds "prove deviation <= t".

    A round succeeds when every region is proved; t is then the new upper bound. It ends early
    when a center with a larger deviation turns up, which raises the lower bound instead. t halves
    the gap from round to round and depends on finished rounds only, so the result is the same
    for any number of workers.

    Parameters
    ----------
    gap, rtol : float
        Stop once ``upper - lower <= max(gap, rtol * upper)``.
    nodes : int
        Regions to visit; the wave of tasks under way when they are used up is finished.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral(), wc.BranchAndBound(gap=0.01))
    >>> result.upper - result.lower < 0.03
    True
    """

    gap: float = 0.0
    rtol: float = 0.02
    nodes: int = 10**7

    unit = "nodes"

    def __post_init__(self) -> None:
        if not self.gap >= 0:
            raise InvalidInput("gap", "a number >= 0", repr(self.gap))
        if not 0 <= self.rtol < 1:
            raise InvalidInput("rtol", "a number in [0, 1)", repr(self.rtol))
        if not self.nodes >= 1:
            raise InvalidInput("nodes", "an integer >= 1", repr(self.nodes))

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield brackets with smaller uppers, and larger lowers where centers give them."""
        for cap in condition.caps():
            if cap.value < known.upper:
                known = replace(known, upper=cap.value, upper_by=cap.reason)
                yield known
        roots = condition.regions()
        others = () if roots is not None else [x for x in condition.dominated_by() if x.regions() is not None]
        if others:
            yield from self._bounded(others[0], known, run)
            return
        if roots is None:
            sizes = "+".join(str(d) for d in condition.spheres.values())
            yield _stopped(known, Reason.CAP_ONLY, f"dimension {sizes} is beyond branch and bound; "
                           "the upper bound is a closed formula")
            return
        visited, finished, stuck = 0, 0, 0.0
        while (goal := self._goal(known)) < known.upper and not run.decided(known):
            t = max(goal, (max(known.lower, stuck) + known.upper) / 2)
            t = t if run.target is None else run.target
            if stuck >= t or known.upper - stuck <= max(self.gap, self.rtol * known.upper):
                yield _stopped(known, Reason.NODES, "regions at the depth limit stay undecided: too "
                               "many dependent hyperplanes meet there")
                return
            for state in _round(condition, roots, t, run, self.nodes - visited):
                run.report("BranchAndBound", known, visited + state.visited, self.nodes, self.unit)
                yield replace(known, engines=(run.work(self, visited + state.visited),))
            visited += state.visited
            known = replace(known, engines=(run.work(self, visited),))
            if state.outcome == "proved":
                finished += 1
                known = replace(known, upper=t, upper_by=repr(self))
            elif state.outcome == "refuted" and state.witness is not None:
                known = raised(known, condition, state.witness, state.value, repr(self))
            elif state.outcome == "stuck":
                stuck = t
            else:
                reason = Reason.TIME if state.outcome == "time" else Reason.NODES
                promising = finished > 0 or run.target is not None
                yield _stopped(known, reason, _shortfall(condition, promising, t, visited))
                return
            yield known
        if run.decided(known):
            yield _stopped(known, Reason.TARGET, f"the verdict at {run.target:.6g} is decided")
            return
        exact = known.upper <= known.lower * (1 + 1e-9)
        yield _stopped(known, Reason.EXACT if exact else Reason.GAP,
                       f"gap {known.gap:.3g} after {visited:,} nodes")

    def _bounded(self, other: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Upper bounds of a condition that dominates: they hold for the dominated one, too.

        A lower bound of the dominated condition is one of the other; no witness is passed either way.
        """
        layer = other.describe()["layer"]
        name = f"{other.describe()['kind']}{'' if layer is None else f' of layer {layer}'}"
        for found in self.improve(other, Bracket(other.describe(), lower=known.lower), run):
            if found.upper < known.upper:
                known = replace(known, upper=found.upper, upper_by=f"{name}: {found.upper_by}")
            known = replace(known, engines=found.engines)
            stop = found.stopped.get("upper")
            if stop is not None:
                reason = stop.reason  # as it applies to the dominated condition
                if reason is Reason.TARGET and not run.decided(known):
                    reason = Reason.BUDGET
                elif reason in (Reason.EXACT, Reason.GAP) and self._goal(known) < known.upper:
                    reason = Reason.CAP_ONLY
                known = _stopped(known, reason, f"{name}: {between(found.lower, 'eps', found.upper)}")
            yield known

    def _goal(self, known: Bracket) -> float:
        nearly = 1 - 1e-9  # so that upper - lower, itself rounded, stays within the gap asked for
        return max(known.lower + nearly * self.gap, known.lower / (1 - nearly * self.rtol))


@dataclass(frozen=True, eq=False)
class _State:
    """Where a round stands; `outcome` is None while it goes on."""

    visited: int
    outcome: str | None = None
    value: float = 0.0
    witness: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class _Explored:
    """What one task found."""

    visited: int
    left: list[Regions]
    stuck: bool
    value: float = 0.0
    witness: Mapping[str, np.ndarray] | None = None


def _round(condition: Condition, roots: Regions, t: float, run: Run, nodes: int) -> Iterator[_State]:
    """Prove deviation <= t below `roots`: a stack of region batches, a wave of tasks at a time."""
    stack: list[Regions] = _pieces([roots])
    visited = 0
    while stack:
        if visited >= nodes or run.expired():
            yield _State(visited, "nodes" if visited >= nodes else "time")
            return
        wave = [stack.pop() for _ in range(min(_WAVE, len(stack)))]
        task = int(np.clip(visited // _WAVE, 1000, _TASK))  # whatever `nodes` is: budgets only cut off
        explored = list(run.map(partial(_explore, condition, t, task, run.deadline), wave))
        visited += sum(e.visited for e in explored)
        best = max(explored, key=lambda e: e.value)
        if best.value > t:
            yield _State(visited, "refuted", best.value, best.witness)
            return
        if any(e.stuck for e in explored):
            yield _State(visited, "stuck")
            return
        stack += _pieces([regions for e in reversed(explored) for regions in e.left])
        yield _State(visited)
    yield _State(visited, "proved")


def _pieces(parts: list[Regions]) -> list[Regions]:
    return [part.take(slice(i, i + _PIECE)) for part in parts for i in range(0, len(part), _PIECE)]


def _explore(
    condition: Condition, t: float, budget: int, deadline: float, regions: Regions
) -> _Explored:
    """Depth first from `regions` until nothing is left, or `budget` or the deadline is used up."""
    stack, visited, batches = [regions], 0, 0
    while stack and visited < budget and time.monotonic() < deadline:
        batch = _pop(stack)
        visited += len(batch)
        proved = np.ones(len(batch), dtype=bool)
        for form in condition.forms(batch):
            proved &= proved_below(form, t)
        failed = batch.take(~proved)
        if len(failed):
            failed = failed.take(~_finer(condition, failed, t))
        if not len(failed):
            continue
        stuck = ~failed.splittable()
        if batches % _EVERY == 0 or stuck.any():
            tried = failed.take(stuck) if stuck.any() else failed
            value, witness = _try(condition, tried, t, visited)
            if value > t:
                return _Explored(visited, [], False, value, witness)
        if stuck.any():
            return _Explored(visited, [], True)
        batches += 1
        stack.append(failed.split())
    return _Explored(visited, stack, False)


def _pop(stack: list[Regions]) -> Regions:
    """The last regions of the stack, about one batch of them."""
    parts = [stack.pop()]
    while stack and len(parts[-1]) + sum(len(p) for p in parts[:-1]) < _BATCH // 2:
        parts.append(stack.pop())
    batch = parts[0].join(parts)
    if len(batch) > _BATCH:
        stack.append(batch.take(slice(_BATCH, None)))
        batch = batch.take(slice(_BATCH))
    return batch


def _finer(condition: Condition, regions: Regions, t: float) -> np.ndarray:
    """Boolean (B,): regions that the condition's finer forms prove."""
    proved = np.zeros(len(regions), dtype=bool)
    for owners, forms in condition.refine(regions):
        below = np.ones(len(owners), dtype=bool)
        for form in forms:
            below &= proved_below(form, t)
        # a region is proved if every one of its forms is
        proved[owners] = True
        proved[owners[~below]] = False
    return proved


def _try(
    condition: Condition, regions: Regions, t: float, visited: int
) -> tuple[float, Mapping[str, np.ndarray] | None]:
    """The best of a few points of the regions, if it exceeds t as a proved lower bound."""
    few = regions.take(slice(0, None, max(1, len(regions) // _TRIED)))
    sampled = few.sample(np.random.default_rng(visited), _SAMPLED)
    points = {
        letter: np.concatenate([center[:, None], sampled[letter]], axis=1).reshape(-1, center.shape[1])
        for letter, center in few.centers().items()
    }
    values = condition.freeze(points).value
    best = int(np.argmax(values))
    if not values[best] > t:
        return 0.0, None
    witness = {letter: value[best] for letter, value in points.items()}
    return condition.lower_bound(witness), witness


def _stopped(known: Bracket, reason: Reason, detail: str) -> Bracket:
    return replace(known, stopped={**known.stopped, "upper": Stop(reason, detail)})


def _shortfall(condition: Condition, promising: bool, t: float, visited: int) -> str:
    if promising:
        return f"{visited:,} nodes; the round for {t:.6g} was not finished"
    sizes = "+".join(str(d) for d in condition.spheres.values())
    return (f"no progress in {visited:,} nodes: dimension {sizes} is too large for branch and bound "
            f"within this budget; the upper bound is a closed formula")
