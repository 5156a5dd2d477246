"""A frozen form along great circles, and the best point of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["OFF_WALL", "Best", "Profile", "gathered"]

OFF_WALL = 1e-9
"""Radians off a wall: far above rounding of a gate, far below what a slope can cost."""


_THIN = 1e-12
"""Length in radians of an arc in which no float direction lies safely."""


@dataclass(frozen=True, eq=False)
class Profile:
    """A frozen form along B great circles: smooth on every arc, jumps at the breakpoints.

    The value at angle t in arc j is ``level[j] + smooth(t)``.

    Attributes
    ----------
    breaks : ndarray of shape (B, m)
        Breakpoints, ascending, in [0, 2 pi).
    after : ndarray of shape (B, m)
        Value just after each breakpoint.
    before : ndarray of shape (B, m)
        Value just before each breakpoint.
    inner : ndarray of shape (B, q)
        Angles of maxima inside arcs; may include angles that are none.
    at_inner : ndarray of shape (B, q)
        Values there.
    """

    breaks: np.ndarray
    after: np.ndarray
    before: np.ndarray
    inner: np.ndarray
    at_inner: np.ndarray

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """Angle and value of the best point of each circle, off the walls: (B,), (B,)."""
        length = np.empty_like(self.breaks)  # of the arc that begins at each breakpoint
        np.subtract(self.breaks[:, 1:], self.breaks[:, :-1], out=length[:, :-1])
        length[:, -1] = self.breaks[:, 0] + 2 * np.pi - self.breaks[:, -1]
        thin = length < _THIN
        index = np.arange(len(length))
        first = np.argmax(np.where(thin, -np.inf, self.after), axis=-1)
        last = np.argmax(np.where(np.roll(thin, 1, axis=-1), -np.inf, self.before), axis=-1)
        inner = np.argmax(self.at_inner, axis=-1)
        angles = np.stack([
            self.breaks[index, first] + np.minimum(OFF_WALL, 0.25 * length[index, first]),
            self.breaks[index, last] - np.minimum(OFF_WALL, 0.25 * length[index, last - 1]),
            self.inner[index, inner],
        ])
        values = np.stack([
            np.where(thin[index, first], -np.inf, self.after[index, first]),
            np.where(thin[index, last - 1], -np.inf, self.before[index, last]),
            self.at_inner[index, inner],
        ])
        best = np.argmax(values, axis=0)
        return angles[best, index], values[best, index]


@dataclass(frozen=True, eq=False)
class Best:
    """The best point of each of B circles.

    Attributes
    ----------
    angle, value : ndarray of shape (B,)
    breaks : int
        Breakpoints of a circle, at most.
    work : float
        What a circle took, in units of a breakpoint of a plain gated sum; 0 where that is `breaks`.
    """

    angle: np.ndarray
    value: np.ndarray
    breaks: int
    work: float = 0.0

    @staticmethod
    def of(profile: Profile, work: float = 0.0) -> Best:
        """The best points of circles whose profile is known."""
        return Best(*profile.best(), profile.breaks.shape[1], work)

    def scaled(self, exponent: int) -> Best:
        """The same points with values times 2**exponent."""
        return self if exponent == 0 else replace(self, value=np.ldexp(self.value, exponent))


def gathered(parts: Sequence[Best], members: Sequence[np.ndarray]) -> Best:
    """Disjoint parts of a batch as one; `members` are the places of each in the batch."""
    order = np.argsort(np.concatenate(members))
    angle, value = (np.concatenate([getattr(part, x) for part in parts])[order] for x in ("angle", "value"))
    return Best(angle, value, max(part.breaks for part in parts), max(part.work for part in parts))
