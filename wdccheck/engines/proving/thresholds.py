"""By thresholds: everything is held against one t after the other, ever nearer to the least."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.engines.proving.best_first import Limits
from wdccheck.engines.proving.goals import ended, stopped
from wdccheck.errors import OutOfTime
from wdccheck.geometry.spheres import Points
from wdccheck.protocol.condition import Condition
from wdccheck.protocol.proof import Map, Thresholds
from wdccheck.running.run import Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["by_thresholds"]

_LAST = 2.0**-9  # margin above what can be proved at best, in parts of it
_PATIENCE = 3  # answers without a proof after which more is asked for
_TRIES = 16  # answers without a proof after which a target is given up
_MOST = 256  # answers without a proof after which no more is asked
_TASKS = 32  # sent in one go; fixed, so that results do not depend on workers
_SHORT = 64  # tasks that are not worth sending
_TINY = 2.0**-1022  # in place of 0
_OPEN = (Reason.EXHAUSTED, Reason.NODES, Reason.TIME)


def by_thresholds(
    condition: Condition, state: Thresholds, known: Bracket, run: Run, limits: Limits, limit: str,
    visited: int = 0,
) -> Iterator[Bracket]:
    """Brackets with smaller `upper`, and larger `lower` where a refutation gives it.

    t is the goal, or above the least that the state may prove by a margin, of which a proof keeps a part;
    refutations let the state prove less, and where they do not end, the margin is doubled. `limit` says
    why there is no smaller bound. `visited` nodes are counted already.
    """
    by, refuted = limits.engine, 0
    margin = max(_first(state, known), _LAST)
    while (stop := _ended(known, run, limits, visited)) is None:
        least = max(state.least, known.lower)
        t = max(limits.goal(known), least * (1 + max(margin, _LAST)), math.nextafter(least, math.inf))
        if run.target is not None and state.floor < run.target < known.upper:
            t = run.target
        hopeless = refuted > (_TRIES if t == run.target else _MOST)
        if t >= known.upper or hopeless:
            if margin <= _LAST or hopeless:
                stop = Stop(Reason.EXHAUSTED, f"{limit}; {visited:,} nodes")
                break
            margin /= 2
            continue
        tick = partial(run.report, type(by).__name__, known, visited, limits.nodes, by.unit)
        try:
            answer = state.ask(t, _mapped(run, tick), limits.nodes - visited, run.deadline)
        except OutOfTime:
            stop = Stop(Reason.TIME, f"{visited:,} nodes; the round for {t:.6g} was not finished")
            break
        state, visited = answer.after, visited + answer.nodes
        if answer.bound < known.upper:
            known = replace(known, upper=answer.bound, upper_by=repr(by))
            least = max(state.least, known.lower, _TINY)
            refuted, margin = 0, min(margin, known.upper / least - 1) * state.keeps
        else:
            refuted += 1
            margin *= 1 if refuted % _PATIENCE else 2
        if answer.points is not None:
            known = _raised(condition, known, answer.points, repr(by))
        known = replace(known, engines=(run.work(by, visited),))
        yield known
    remark = "" if stop.reason not in _OPEN else state.remark(known.lower)
    known = replace(known, engines=(run.work(by, visited),))
    yield stopped(known, replace(stop, detail=stop.detail + remark))


def _first(state: Thresholds, known: Bracket) -> float:
    """The margin of the first t: that of the state, or, if it has none, a part of the one that is known."""
    least = max(state.least, known.lower, _TINY)
    if state.margin < math.inf:
        return state.margin
    return (known.upper / least - 1) * state.keeps if known.upper < math.inf else 1.0


def _ended(known: Bracket, run: Run, limits: Limits, visited: int) -> Stop | None:
    if run.decided(known) or known.upper <= limits.goal(known):
        return ended(known, run, visited)
    if visited >= limits.nodes:
        return Stop(Reason.NODES, f"{visited:,} nodes")
    return Stop(Reason.TIME, f"{visited:,} nodes") if run.expired() else None


def _mapped(run: Run, tick: Callable[[], None]) -> Map:
    """The map of a run in parts, each done whole, with a report after each."""
    def mapped(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(items), _TASKS):
            yield from list(run.map(function, items[start: start + _TASKS], short=len(items) <= _SHORT))
            tick()
    return mapped


def _raised(condition: Condition, known: Bracket, points: Points, by: str) -> Bracket:
    """With the best of the points, if it is better."""
    values = np.asarray(condition.deviation(points))
    best = int(np.argmax(values))
    if not values[best] > known.lower:
        return known
    witness = {name: value[best] for name, value in points.items()}
    value = condition.lower_bound(witness)
    return raised(known, condition, witness, value, by) if value > known.lower else known
