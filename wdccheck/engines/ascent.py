"""Ascent: exact great-circle steps alternated with eigenvector steps (Facts 11 and 17)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.engines import climbs
from wdccheck.geometry import spheres
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import inputs
from wdccheck.protocol.condition import Condition, search_of
from wdccheck.protocol.search import batch_size
from wdccheck.running.run import Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["Ascent"]

_ISLANDS = 8  # blocks of one round: fixed, so that results do not depend on workers
_SIGNS = (None, 1.0, -1.0, None, None, 1.0, -1.0, None)  # what an island climbs; None: the larger side
_ROUNDS = 12  # of a search without a budget of its own or a time limit
_WORK = 1.25e6  # breakpoints to sort and the like, per block: a fraction of a second
_BLOCK = 2**17  # work of one sweep of an island, where it holds many points
_LARGE = 2.0**21  # work of one sweep of an island from which fewer seeds and rounds are planned
_SCREEN = 24  # seeds looked at for each one that climbs
_SCREENED = 2**17  # numbers of those looked at in one go: a fraction of a second
_CALM = 2  # blocks without a rise after which an island starts anew
_HOPS = {False: 0.5, True: 0.25}  # of the islands that start anew, around the best points; apart or not
_REPLACED = 2  # one in so many
_MANY = 64  # points of an island at most, where work allows; twice as many climb apart
_LOW = 16  # dimensions of all spheres up to which they do
_SHARE = 0.2  # of points that climb apart and still rise, up to which their island has stopped rising
_HOPELESS = 0.9  # of the best: an island that climbs apart and is below ends
_RISE = 1e-4  # relative rise of an island's best that counts
_BEHIND = 16  # blocks like the last one within which an island has to catch up with the best
_PAYS = 1e-6  # relative rise of the lower bound for which the whole search goes on


@dataclass(frozen=True)
class Ascent:
    """The largest deviation found by climbing along great circles.

    Islands of a few points each climb side by side: a point moves to the best place of a whole
    great circle, the eigenvector follows, and nothing is lost on the way. After each block of
    sweeps the better half of an island replaces the worse, except in low dimension, where maxima
    are few and the best one may be that of a slow climb; an island that has stopped rising
    starts anew, from fresh seeds or around the best points of all islands. The search ends by
    itself when some rounds, more in high dimension, have raised nothing.

    Parameters
    ----------
    starts : int, optional
        Points set out to climb, one block of sweeps each; rounded up to whole rounds. None: about
        a hundred blocks, or as many as pay where a time limit is set.

    Raises
    ------
    InvalidInput
        `starts` is not an integer from 1 to 10**12.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.bracket(wc.WDC(np.eye(3)), wc.Ascent(starts=256)).lower > 0.999
    True
    """

    starts: int | None = None

    unit = "starts"

    def __post_init__(self) -> None:
        if self.starts is not None:
            object.__setattr__(self, "starts", inputs.count_value("starts", self.starts))

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield a bracket per block; `lower` rises, each time with a witness."""
        search_of(condition, "freeze", "circle", "tangents", "free_step", "seeds")
        plan = _plan(condition, run)
        size = plan.size
        rounds = None if self.starts is None else -(-self.starts // (size * _ISLANDS))
        if rounds is None and not np.isfinite(run.deadline):
            rounds = plan.rounds
        total = None if rounds is None else rounds * size * _ISLANDS
        dimensions = sum(condition.spheres.values())
        patience = 1 + (dimensions**2 // 10 if plan.apart else dimensions // 4)
        pool = _Pool.of(condition, known)
        islands: list[_Island | None] = [None] * _ISLANDS
        done, idle, level, number = 0, 0, known.lower, 0
        stop = None
        while stop is None:
            order = sorted(range(_ISLANDS), key=lambda i: _rising(islands[i]))  # new ones take longer
            items = [(run.block_seed(number, i), _SIGNS[i], islands[i], pool) for i in order]
            evolve = partial(_evolve, condition, plan, run.deadline)
            for i, island in zip(order, run.map(evolve, items), strict=False):
                if island is None:
                    break
                done += size
                islands[i] = island
                pool = pool.joined(island)
                known = _raised(condition, known, island, repr(self))
                run.report("Ascent", known, done, total, self.unit)
                known = replace(known, engines=(run.work(self, done),))
                yield known
                if run.expired() or run.decided(known):
                    break
            number += 1
            idle = 0 if known.lower > level * (1 + _PAYS) else idle + 1
            level = max(level, known.lower) if idle == 0 else level
            stop = _stop(run, known, done, idle >= patience, number == rounds)
        yield replace(known, stopped={**known.stopped, "lower": stop})


@dataclass(frozen=True, eq=False)
class _Island:
    """Points that climb `sign` together, best first; `calm`: blocks since their best last rose."""

    points: Points
    values: np.ndarray
    sign: float | None
    calm: int


_Item = tuple[np.random.SeedSequence, "float | None", "_Island | None", "_Pool"]


@dataclass(frozen=True, eq=False)
class _Pool:
    """The best points of all islands, best first; of nearly equal values one is kept."""

    points: Points
    values: np.ndarray

    @staticmethod
    def of(condition: Condition, known: Bracket) -> _Pool:
        """The known witness, or nothing."""
        if known.witness is None:
            return _Pool({x: np.empty((0, d // len(block))) for block, d in condition.spheres.items()
                          for x in block}, np.empty(0))
        return _Pool({x: value[None] for x, value in known.witness.items()}, np.array([known.lower]))

    def joined(self, island: _Island) -> _Pool:
        """With the best point of `island`."""
        values = np.append(self.values, island.values[0])
        points = {x: np.concatenate([p, island.points[x][:1]]) for x, p in self.points.items()}
        order = np.argsort(-values, kind="stable")
        ordered = values[order]
        new = np.append(True, ordered[1:] < ordered[:-1] * (1 - _PAYS))
        kept = order[new][:_ISLANDS]
        return _Pool(climbs.take(points, kept), values[kept])


class _Plan(NamedTuple):
    """Points of an island, seeds looked at for each, sweeps of a block, rounds without a limit.

    And whether the points of an island climb apart, none replaced by another.
    """

    size: int
    screen: int
    sweeps: int
    rounds: int
    apart: bool = False


def _plan(condition: Condition, run: Run) -> _Plan:
    """From the breakpoints of one circle.

    A function of the condition and the seed alone. A circle costs about its breakpoints, and some
    percent of them per dimension for products with the rows.
    """
    rng = np.random.default_rng(run.block_seed(0, _ISLANDS))
    search = search_of(condition)
    points = search.seeds(rng, 1)
    frozen = search.freeze(points)
    breaks = 0.0
    for block, dimension in condition.spheres.items():
        base = spheres.join(points, block)
        tangent = spheres.unit_tangent(base, rng.standard_normal(base.shape))
        if dimension > 1:
            found = search.circle(points, block, tangent, frozen)
            breaks += max(found.breaks * (1 + dimension / 50), found.work)
    work = 200 + breaks
    dimensions = sum(condition.spheres.values())
    apart = dimensions <= _LOW and _MANY * work <= _BLOCK
    most, least = 2 * _MANY if apart else _MANY, 8 if 8 * work <= _LARGE else 4
    size = int(np.clip(_BLOCK // work, least, most))
    sweeps = int(np.clip(_WORK / (work * size), 2, min(32, dimensions if apart else 2 * dimensions)))
    large = min(1.0, _LARGE / (work * size))
    return _Plan(size, max(2, int(_SCREEN * large)), sweeps, max(2, int(_ROUNDS * large)), apart)


def _stop(run: Run, known: Bracket, done: int, calm: bool, spent: bool) -> Stop | None:
    detail = f"{done:,} starts climbed"
    if run.decided(known):
        return Stop(Reason.TARGET, detail)
    if run.expired():
        return Stop(Reason.TIME, detail)
    if calm:
        return Stop(Reason.BUDGET, f"{detail}; the last rounds raised nothing")
    return Stop(Reason.BUDGET, detail) if spent else None


def _raised(condition: Condition, known: Bracket, island: _Island, name: str) -> Bracket:
    if known.witness is not None and island.values[0] <= known.lower:
        return known
    witness = {x: p[0] for x, p in island.points.items()}
    value = condition.lower_bound(witness)
    if known.witness is not None and value <= known.lower:
        return known
    return raised(known, condition, witness, max(value, known.lower), name)


def _evolve(condition: Condition, plan: _Plan, deadline: float, item: _Item) -> _Island | None:
    """One block of work: set out the members of an island, climb, sort. None: the time was up before its end.

    What is not finished does not count, so that the work recorded gives the same result again. Where no
    witness is known yet, the first islands finish all the same.
    """
    seed, sign, island, pool = item
    search = search_of(condition)
    deadline = deadline if len(pool.values) else math.inf
    rng = np.random.default_rng(seed)
    before, calm = np.full(plan.size, -np.inf), 0
    if island is not None and _rising(island):
        before, calm, sign = island.values, island.calm, island.sign
        points = island.points if plan.apart else climbs.take(island.points, _survivors(plan.size))
    else:
        found = _set_out(condition, plan, rng, deadline, item)
        if found is None:
            return None
        points, sign = found
    frozen = search.freeze(points, sign=sign)
    for sweep in range(plan.sweeps):
        if time.monotonic() > deadline:
            return None
        points, frozen = climbs.sweep(condition, points, frozen, rng, sign, free=sweep % 2 == 0)
    order = np.argsort(-frozen.value, kind="stable")
    calm = 0 if _pays(plan, before, frozen.value, pool) else _CALM if plan.apart else calm + 1
    return _Island(climbs.take(points, order), frozen.value[order], sign, calm)


def _set_out(
    condition: Condition, plan: _Plan, rng: np.random.Generator, deadline: float, item: _Item
) -> tuple[Points, float | None] | None:
    """New members of an island, and what they climb: around the best points, or fresh. None: too late."""
    _, sign, island, pool = item
    search, size = search_of(condition), plan.size
    if len(pool.values) and rng.random() < _HOPS[plan.apart]:
        chosen = np.where(rng.random(size) < 0.5, 0, rng.integers(len(pool.values), size=size))
        return search.seeds(rng, size, climbs.around(condition, pool.points, chosen, rng), deadline), None
    if plan.apart and island is not None and _hopeless(island.values[0], pool):
        sign = None
    points = search.seeds(rng, plan.screen * size, None, deadline)
    values = np.empty(plan.screen * size)
    for part in spheres.pieces(len(values), batch_size(search, _SCREENED)):
        if time.monotonic() > deadline:
            return None
        values[part] = search.freeze(climbs.take(points, part), sign=sign).value
    best = np.argsort(-values, kind="stable")[:size]
    if plan.apart:  # the best of each few in turn: those of all are often of one kind
        best = np.arange(size) * plan.screen + np.argmax(values.reshape(size, -1), axis=1)
    return climbs.take(points, best), sign


def _pays(plan: _Plan, before: np.ndarray, values: np.ndarray, pool: _Pool) -> bool:
    """Whether a block has raised the best of an island; where points climb apart, or many of them."""
    top = float(values.max())
    if plan.apart:
        many = bool(np.mean(values > before * (1 + _RISE)) > _SHARE)
        return not _hopeless(top, pool) and (many or top > before[0] * (1 + _RISE))
    best = max(float(pool.values[0]), top) if len(pool.values) else top
    return bool(top - before[0] > max(_RISE * before[0], (best - top) / _BEHIND))


def _hopeless(value: float, pool: _Pool) -> bool:
    """Whether a value is far below the best."""
    return bool(len(pool.values) and value < _HOPELESS * pool.values[0])


def _rising(island: _Island | None) -> bool:
    """Whether an island goes on; else it starts anew."""
    return island is not None and island.calm < _CALM


def _survivors(size: int) -> np.ndarray:
    """Indices of `size` members, best first; the better half replaces the worse."""
    index = np.arange(size)
    index[size - size // _REPLACED:] = index[: size // _REPLACED]
    return index
