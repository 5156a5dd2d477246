"""The R2WDC through a library of majorants: each proved once, each pair of directions covered (Fact 28)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from wdccheck.conditions.r2wdc.cover import Cover
from wdccheck.conditions.r2wdc.covered import Examined, Members, examine, wants
from wdccheck.conditions.r2wdc.members import Member, Source, made
from wdccheck.conditions.r2wdc.regions import Regions
from wdccheck.errors import OutOfTime
from wdccheck.linalg import rounding
from wdccheck.protocol.proof import Answer, Map
from wdccheck.ranges import differences
from wdccheck.ranges.gated_cones import GatedCones
from wdccheck.ranges.hot_differences import random_differences
from wdccheck.ranges.image_rays import ImageRays

__all__ = ["Library"]

_INPUTS = 256  # of the layer: a region takes several matrices of that order
_TABLE = 2**23  # numbers in w w^T of all rows
_BATCH = 2**21  # numbers in a matrix of each region of a task
_MOST = 128  # regions of a task
_TOGETHER = 128  # tasks of a round
_NEW = 8  # members made in a round, at most
_NEAR = 1 + 2.0**-9  # nothing below that times the least is tried for
_COST = 32  # matrices of pairs of cones that take as long as a region
_HOT = 1024  # differences that a new member starts from
_FIRST = 16  # forms that the first members are made for
_PAIRS = 4096  # of cones looked at for the first members
_TESTS = 192  # directions kept
_FEW = 2048  # cones up to which groups are found in less than a second
_GROUPS = 512  # nodes
_IDLE = 2  # rounds in which new members neither covered nor parted anything


@dataclass(frozen=True, eq=False)
class Library:
    """What is known after some thresholds. All numbers are in the units of the rows.

    Attributes
    ----------
    source : Source
    cover : Cover
    scale : float
        The deviation is `scale` times that of the rows.
    members : Members
    hot : ndarray of shape (B, n)
        Differences on which members are large.
    regions : Regions
        They cover everything that is not below `low`.
    dual : float
        No library proves less, as far as floats say.
    stuck : float
        The largest t that was not proved.
    low : float
        What is not in `regions` was proved at that, and at no smaller t.
    failed : bool
        No member was found for some pair of directions.
    """

    source: Source
    cover: Cover
    scale: float
    members: Members
    hot: np.ndarray
    regions: Regions
    dual: float = 0.0
    stuck: float = 0.0
    low: float = 0.0
    failed: bool = False

    finer = False
    margin = math.inf  # no t is known to be within reach: from the bound that is known down
    keeps = 0.7

    @staticmethod
    def of(
        layers: Sequence[np.ndarray], rows: np.ndarray, alpha: float, scale: float, k: int,
        deadline: float = math.inf,
    ) -> Library | None:
        """Before the first threshold; None where there are too many cones, rows or inputs.

        Inputs of the layer that are 0 for every code are left out. OutOfTime at the deadline.
        """
        living, chosen = differences.living(layers, k)
        rows = rows[:, chosen]
        n = rows.shape[1]
        if not 0 < n <= _INPUTS or len(rows) * n * n > _TABLE:
            return None
        images = ImageRays.within_reach(living, k, deadline)
        cones = None if images is None else GatedCones.of(living, rows, k, deadline)
        cover = None if cones is None else Cover.of(cones, rows, alpha)
        if images is None or cover is None:
            return None
        source = Source(living, images, random_differences(living, images.fan.centers))
        tests = np.random.default_rng(0).standard_normal((8, n))
        members = Members(np.zeros((1, n, n)), np.zeros(1), tests / np.linalg.norm(tests, axis=1)[:, None])
        return Library(source, cover, scale, members, np.zeros((0, n)), Regions.root(k))

    @property
    def groups_first(self) -> int:
        """Some where cones are few: a node takes a thousandth of a second then, a first member one."""
        return _GROUPS if len(self.cover.cones.corners) <= _FEW else 0

    @property
    def least(self) -> float:
        """No smaller t is proved by what has been met."""
        return max(self.dual * self.scale, self.stuck)

    @property
    def floor(self) -> float:
        """No smaller t is expected to be proved."""
        return self.least

    def remark(self, lower: float) -> str:
        """Nothing: the least that majorants allow is known for a few pairs of directions only."""
        return ""

    def ask(self, t: float, map: Map, nodes: float = math.inf, deadline: float = math.inf) -> Answer:
        """Prove that every pair of directions has a member that covers it at t."""
        scaled = rounding.round_down(t / self.scale)
        if scaled < self.low:
            return Answer(self, 0)
        state, used = self, 0
        if len(state.members) == 1:
            state, used = state._enriched(state._first(), scaled, map, deadline)
        if state.dual >= scaled or state.failed:
            return Answer(replace(state, stuck=t, failed=False), used)
        low = max(state.low, min(state.dual * _NEAR, scaled))
        state = replace(state, low=low)
        wanted = state.regions.bound > scaled
        todo, kept = state.regions.take(wanted), [state.regions.take(~wanted)]
        size, idle = max(1, min(_MOST, _BATCH // state.cover.rows.shape[1] ** 2)), 0
        while len(todo):
            now = todo.take(slice(0, _TOGETHER * size))
            todo = todo.take(slice(_TOGETHER * size, None))
            task = partial(examine, state.cover, state.members, (low, scaled), deadline)
            parts = list(map(task, [now.take(slice(i, i + size)) for i in range(0, len(now), size)]))
            used += _COST * sum(part.count for part in parts)
            kept += [_above(part.done, low) for part in parts]
            todo = Regions.join([*(part.left for part in parts), *(part.wanting for part in parts), todo])
            state = state._learned([part.tests for part in parts])
            if time.monotonic() > deadline or any(part.late for part in parts):
                raise OutOfTime("not every pair of directions was covered in time")
            state, more = state._enriched(_joined(parts), scaled, map, deadline)
            used += more
            idle = 0 if any(len(part.done) + len(part.left) for part in parts) else idle + 1
            if state.dual >= scaled or state.failed or idle > _IDLE:
                return Answer(replace(state._kept(kept, todo), stuck=t, failed=False), used)
            if used >= nodes:
                return Answer(state._kept(kept, todo), used)
        return Answer(state._kept(kept, todo), used, t)

    def _kept(self, kept: Sequence[Regions], todo: Regions) -> Library:
        return replace(self, regions=Regions.join([*kept, todo]))

    def _enriched(self, found: Examined, t: float, map: Map, deadline: float) -> tuple[Library, int]:
        """With members for what wants some, up to a few, and the matrices looked into."""
        state, nodes, count = self, 0, 0
        while len(found.forms) and count < _NEW:
            D = found.forms[np.argmin(found.room)]
            member = made(self.source, state.hot, t, map, deadline, D)
            nodes, count = nodes + member.nodes, count + 1
            state = state._with(member)
            if member.matrix is None:
                return replace(state, failed=True), nodes
            found = wants(found, state.members, t)
        return state, nodes

    def _with(self, member: Member) -> Library:
        """With one more member."""
        hot, dual = np.concatenate([self.hot, member.cuts])[-_HOT:], max(self.dual, member.dual)
        if member.matrix is None:
            return replace(self, hot=hot, dual=dual)
        members = replace(self.members, matrices=np.concatenate([self.members.matrices, member.matrix[None]]),
                          proved=np.append(self.members.proved, member.proved))
        return replace(self, members=members, hot=hot, dual=dual)

    def _learned(self, tests: Sequence[np.ndarray]) -> Library:
        """With more directions in which members are tried first."""
        found = np.concatenate([self.members.tests, *tests])[-_TESTS:]
        return replace(self, members=replace(self.members, tests=found))

    def _first(self) -> Examined:
        """Some pairs of cones where A - alpha Q is large on differences."""
        n = self.cover.rows.shape[1]
        rng, cover = np.random.default_rng(3), self.cover
        count = len(cover.cones.corners)
        leaves = np.flatnonzero(cover.tree.children[:, 0] < 0)
        pairs = leaves[rng.integers(count, size=(_PAIRS, 2))]
        pairs[::2, 1] = pairs[::2, 0]
        pairs = np.unique(pairs, axis=0)
        k = cover.cones.corners.shape[1]
        one = Regions.root(k)
        regions = one.take(np.zeros(len(pairs), dtype=int))
        regions = replace(regions, nodes=pairs)
        some = self.source.some[:: max(1, len(self.source.some) // 256)]
        squares = (some[:, :, None] * some[:, None]).reshape(len(some), -1).T
        size = max(1, min(_MOST, _BATCH // cover.rows.shape[1] ** 2))
        values = []
        for start in range(0, len(pairs), size):
            middle = cover.forms(regions.take(slice(start, start + size))).middle
            values.append(np.abs(middle.reshape(len(middle), -1) @ squares).max(axis=1))
        value = np.concatenate(values)
        hottest = np.argsort(-value, kind="stable")[:_FIRST]
        none = regions.take(slice(0))
        return Examined(none, none, none, -value[hottest], np.zeros(len(hottest)),
                        cover.forms(regions.take(hottest)).middle, np.zeros((0, n)), 0)


def _above(done: Regions, low: float) -> Regions:
    """What may have to be looked at again."""
    return done.take(done.bound > low)


def _joined(parts: Sequence[Examined]) -> Examined:
    """What wants a member in all of them."""
    first = parts[0]
    room, slack, forms = (np.concatenate([getattr(part, name) for part in parts])
                          for name in ("room", "slack", "forms"))
    return replace(first, room=room, slack=slack, forms=forms)
