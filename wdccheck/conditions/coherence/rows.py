"""The coherence by thresholds: rows of U together, each group a form on all differences (Facts 23 and 25)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.errors import OutOfTime
from wdccheck.linalg import rounding
from wdccheck.linalg.isometries import moduli
from wdccheck.protocol.proof import Answer, Map
from wdccheck.ranges import differences
from wdccheck.ranges.copositive import Proved, Refuted, codes_of, prove
from wdccheck.ranges.hot_differences import Hot, random_differences
from wdccheck.ranges.image_rays import ImageRays

__all__ = ["Rows"]

_CONES = 2**14  # whose tangents are looked at, fewer where they or the work take more than
_ENTRIES, _WORK = 2**22, 2**30  # numbers, and products with all rows
_TANGENTS = 8  # of each row
_SEEN, _LEAST = 2**21, 64  # squares of differences with all rows, and differences in any case
_ROOM = 1 - 2.0**-5  # of t^2 is what a group of rows may see of the differences met
_TINY = 2.0**-1000  # more than what underflows in a form of entries up to 1


@dataclass(frozen=True, eq=False)
class Rows:
    """What is known of each row of U.

    Attributes
    ----------
    images : ImageRays
    parts : ndarray of shape (c, m, n)
        Those of :class:`~wdccheck.linalg.isometries.Isometry` on live outputs, the largest entry about 1.
    exponent : int
        Of the power of two by which they were divided.
    bounds : ndarray of shape (m,)
        Proved: |<U_j, u>| <= bounds[j] ||u|| for all differences u.
    seen : ndarray of shape (B, m)
        Squares of |<U_j, u>|, over that power of four, of units u, most of them differences.
    hot : Hot
    stuck : float
        The largest t that was not proved.
    """

    images: ImageRays
    parts: np.ndarray
    exponent: int
    bounds: np.ndarray
    seen: np.ndarray
    hot: Hot
    stuck: float = 0.0

    keeps = 0.5
    groups_first = 0
    finer = False

    @staticmethod
    def of(
        layers: Sequence[np.ndarray], k: int, parts: np.ndarray, bounds: np.ndarray,
        deadline: float = math.inf,
    ) -> Rows | None:
        """With bounds known before; None where there are too many cones. OutOfTime at the deadline."""
        images = ImageRays.within_reach(layers, k, deadline)
        if images is None:
            return None
        centers = images.fan.centers
        exponent = math.frexp(float(np.abs(parts).max(initial=0.0)))[1]
        parts = np.ldexp(parts, -exponent)
        met = np.concatenate([_tangents(layers, centers, parts), random_differences(layers, centers)])
        met = met[: max(_LEAST, _SEEN // len(bounds))]
        return Rows(images, parts, exponent, bounds, _squares(parts, met), Hot.of(layers, centers))

    @property
    def least(self) -> float:
        """What was not proved, and the root of what forms err by."""
        _, pad = self._form(np.arange(self.parts.shape[1]))
        return max(self.stuck, rounding.round_up(math.ldexp(math.sqrt(2 * pad), self.exponent), 4))

    @property
    def margin(self) -> float:
        """None: whatever is true may be proved."""
        return 0.0

    @property
    def floor(self) -> float:
        """The same."""
        return self.least

    def ask(self, t: float, map: Map, nodes: float = math.inf, deadline: float = math.inf) -> Answer:
        """Prove the sum of |<U_j, u>|^2 <= t^2 ||u||^2 for one group of rows after the other."""
        now, used = self, 0
        while (now.bounds > t).any():
            if time.monotonic() > deadline:
                raise OutOfTime("not all rows were looked into in time")
            rows = now.group(t)
            form, pad = self._form(rows)
            square = math.ldexp(t, -self.exponent) ** 2
            if len(rows) > 1:
                now, most = now._climbed(form, rows)
                if most > square * _ROOM:
                    continue
            level = rounding.round_down(square, 2) - pad
            if not level > 0:
                return Answer(replace(now, stuck=max(now.stuck, t)), used, now._bound)
            found = prove(self.images, form, rounding.round_down(level, 2), deadline, map, nodes=nodes - used)
            used += found.nodes
            if isinstance(found, Proved):
                bounds = now.bounds.copy()
                bounds[rows] = np.minimum(bounds[rows], t)
                now = replace(now, bounds=bounds)
            elif isinstance(found, Refuted) and len(rows) > 1:
                now = now._met(found.u)
            else:
                codes = codes_of(self.images, found) if isinstance(found, Refuted) else None
                points = None if codes is None else dict(zip(("x1", "x2"), codes, strict=True))
                return Answer(replace(now, stuck=max(now.stuck, t)), used, now._bound, points)
        return Answer(now, used, now._bound)

    def remark(self, lower: float) -> str:
        """Nothing else keeps bounds up."""
        return ""

    def group(self, t: float) -> np.ndarray:
        """Rows not known at t that are likely to be proved together: in turn the one that adds the least.

        The first one is that of the largest bound from below.
        """
        rest = np.flatnonzero(self.bounds > t).tolist()
        first = max(rest, key=lambda row: float(self.seen[:, row].max()))
        rest.remove(first)
        rows, total = [first], self.seen[:, first]
        room = math.ldexp(t, -self.exponent) ** 2 * _ROOM
        while rest:
            most = (total[:, None] + self.seen[:, rest]).max(axis=0)
            place = int(np.argmin(most))
            if not most[place] <= room:
                break
            rows.append(rest.pop(place))
            total = total + self.seen[:, rows[-1]]
        return np.array(sorted(rows))

    @property
    def _bound(self) -> float:
        return float(self.bounds.max())

    def _form(self, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """H = sum of H_j, and what its norm errs by: gamma(r) of that of |F|^T|F|, H = F^T F, F of r rows.

        The factor 2 in gamma is more than the sum of squares loses.
        """
        factor = self.parts[:, rows].reshape(-1, self.parts.shape[2])
        upper = np.triu(factor.T @ factor)
        pad = rounding.gamma(2 * len(factor) + 8) * float(np.sum(factor * factor)) + _TINY
        return upper + np.triu(upper, 1).T, pad

    def _met(self, u: np.ndarray) -> Rows:
        return replace(self, seen=np.concatenate([self.seen, _squares(self.parts, u)]))

    def _climbed(self, form: np.ndarray, rows: np.ndarray) -> tuple[Rows, float]:
        """After a climb for these rows, and what they see of the best difference it met."""
        hot, u = self.hot.after(form)
        after = replace(self, hot=hot)._met(u)
        return after, float(after.seen[len(self.seen):, rows].sum(axis=1).max(initial=0.0))


def _squares(parts: np.ndarray, u: np.ndarray) -> np.ndarray:
    """|<U_j, u>|^2 (B, m)."""
    return np.asarray(moduli(u @ parts.swapaxes(1, 2)) ** 2)


def _tangents(layers: Sequence[np.ndarray], codes: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Tangents of some cones, those of which a row's real or imaginary part sees the most: units (B, n)."""
    numbers = parts.shape[2] * codes.shape[1]
    count = min(_CONES, max(_LEAST, min(_ENTRIES // numbers, _WORK // (numbers * parts[..., 0].size))))
    some = np.sort(np.random.default_rng(3).permutation(len(codes))[:count])
    basis = np.linalg.qr(differences.jacobian(layers, codes[some]))[0]
    found = []
    for row in parts.reshape(-1, parts.shape[2]):
        seen = row @ basis  # (C, k)
        best = np.argsort(-np.einsum("ck,ck->c", seen, seen), kind="stable")[:_TANGENTS]
        u = np.einsum("cnk,ck->cn", basis[best], seen[best])
        size = np.linalg.norm(u, axis=1, keepdims=True)
        found.append(np.divide(u, size, out=np.zeros_like(u), where=size > 0))
    return np.concatenate(found)
