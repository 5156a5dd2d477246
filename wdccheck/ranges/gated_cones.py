"""The range of a network as simplicial cones of directions, with gates of one more layer fixed on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from wdccheck.geometry.expectation import angle, unit
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.image_rays import directions

__all__ = ["GatedCones"]

_STEPS = 8  # of a center toward the rays
_NUMBERS = 2**24  # of all directions and gates
_NEAR = 1e-9
"""Exceeds the rounding of an angle (`cone_groups._NEAR`), of an arcsine (9 u), of sums of k <= 3 terms, of
the quotient of two norms of n entries, (n + 14) u, and what a stored unit direction is off (1.1 u), all for
n < 10^6."""


@dataclass(frozen=True, eq=False)
class GatedCones:
    """Cones of at most k rays of images r = G(x): every r != 0 is in one that has the gates of r.

    Attributes
    ----------
    vectors : ndarray of shape (R, n)
        A unit direction on each ray, without negative entries.
    error : ndarray of shape (R,)
        Bound on the distance of `vectors` from the exact ray.
    corners : ndarray of int, shape (C, k)
        The rays of each cone, -1 where there are fewer.
    gates : ndarray of bool, shape (C, m)
        The rows w with w.r > 0 for the r with these gates: those in the interior of the cone, or those inside
        a face of it for which no cone beside it has these gates.
    codes : ndarray of shape (C, k)
        A latent direction of each, up to rounding.
    """

    vectors: np.ndarray
    error: np.ndarray
    corners: np.ndarray
    gates: np.ndarray
    codes: np.ndarray

    @staticmethod
    def of(layers: Sequence[np.ndarray], rows: np.ndarray, k: int,
           deadline: float = math.inf) -> GatedCones | None:
        """Those of the last of `layers` and of `rows` behind it; None where they are too many.

        Raises
        ------
        OutOfTime
            The deadline, by the clock of `time.monotonic`, has passed.

        Examples
        --------
        >>> found = GatedCones.of([np.eye(2)], np.array([[1.0, -1.0]]), 2)
        >>> found.corners.shape, sorted(found.gates.ravel().tolist())
        ((4, 2), [False, False, True, True])
        """
        fan = Fan.of((*layers, rows), k, deadline)
        if fan is None or len(fan.rays) * len(layers[-1]) > _NUMBERS:
            return None
        if len(fan.simplices) * len(rows) > _NUMBERS:
            return None
        vectors, error, number = directions(fan, len(layers), deadline)
        corners = np.sort(number[fan.simplices], axis=1)[:, ::-1]
        gates = fan.gates[-1][fan.cells]
        faces, open_there = _own_faces(fan)
        corners = np.concatenate([corners, np.sort(number[faces], axis=1)[:, ::-1]])
        gates = np.concatenate([gates, open_there])
        codes = np.concatenate([fan.rays[fan.simplices].mean(axis=1), _means(fan.rays, faces)])
        rows_of = np.concatenate([corners, np.packbits(gates, axis=1)], axis=1)
        _, first = np.unique(rows_of, axis=0, return_index=True)
        first = first[corners[first, 0] >= 0]
        return GatedCones(vectors, error, corners[first], gates[first], codes[first])

    @property
    def single(self) -> np.ndarray:
        """Which cones are one ray: boolean (C,)."""
        return np.asarray((self.corners >= 0).sum(axis=1) == 1)

    def caps(self, cones: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions (B, n) inside parts of cones (B,), and angles (B,) from them within which the parts lie.

        The corners of a part are ``weights[b] @ rays``, for weights (B, k, k) that are not negative.

        A cap of at most a right angle is convex: it holds what its corners span. No direction has a negative
        entry, so that a right angle is always enough.
        """
        at, off, used = self._ends(cones, weights)
        center = unit((at * used[:, :, None]).sum(axis=1))
        reach = np.max(np.where(used, angle(at, center[:, None]) + off, 0.0), axis=1) + _NEAR
        return center, np.minimum(reach, np.pi / 2 + _NEAR)

    def ends(self, cones: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit directions (B, k, n) of the corners of such parts, and angles (B,) to the exact ones.

        Where there are fewer than k corners one of them stands for those that are missing.
        """
        at, off, used = self._ends(cones, weights)
        one = np.argmax(used, axis=1)[:, None]
        at = np.where(used[:, :, None], at, np.take_along_axis(at, one[:, :, None], axis=1))
        return at, np.max(np.where(used, off, 0.0), axis=1) + _NEAR

    def _ends(self, cones: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corners (B, k, n), angles (B, k) to the exact ones, and whether there is such a corner (B, k).

        A corner is known up to the error of its rays, weighted; its angle to the exact one has a sine of at
        most that over its length.
        """
        corners = self.corners[cones]
        there = corners >= 0
        at = weights @ (self.vectors[corners] * there[:, :, None])
        lost = (weights @ (self.error[corners] * there)[:, :, None])[:, :, 0]
        length = np.sqrt(np.sum(at * at, axis=2))
        sine = np.divide(lost, length, out=np.ones_like(lost), where=length > 0)
        at /= np.where(length > 0, length, 1.0)[:, :, None]
        off = np.where(sine < 0.9, np.arcsin(np.minimum(sine, 0.9)), np.pi)
        return at, off, (weights * there[:, None, :]).any(axis=2)

    def held(self, cones: np.ndarray, owner: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Directions (count, n) and angles (count,) of caps, each of which holds the cones of one owner.

        Centers start at the means and move toward the farthest ray, less and less (Badoiu and Clarkson 2003).
        """
        corners = self.corners[cones]
        there = corners >= 0
        pairs = np.unique(np.stack([np.repeat(owner, there.sum(axis=1)), corners[there]], axis=1), axis=0)
        own, ray = pairs.T
        starts = np.searchsorted(own, np.arange(count))
        center = unit(np.add.reduceat(self.vectors[ray], starts, axis=0))
        for step in range(2, 2 + _STEPS):
            cosine = np.einsum("rn,rn->r", self.vectors[ray], center[own])
            lowest = np.minimum.reduceat(cosine, starts)
            farthest = np.full(count, len(ray))
            np.minimum.at(farthest, own, np.where(cosine <= lowest[own], np.arange(len(ray)), len(ray)))
            center = unit(center + (self.vectors[ray[farthest]] - center) / step)
        lost = self.error[ray]
        turn = angle(self.vectors[ray], center[own]) + np.where(
            lost < 0.9, np.arcsin(np.minimum(lost, 0.9)), np.pi)
        reach = np.maximum.reduceat(turn, starts) + _NEAR
        return center, np.minimum(reach, np.pi / 2 + _NEAR)

    def halved(self, cones: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both halves (B, k, k) of parts of cones, cut at the middle of the widest edge.

        Weights are multiples of a power of two: the middle is exact while they have fewer than 53 digits.
        """
        if not len(cones):
            return weights, weights
        corners = self.corners[cones]
        at = weights @ (self.vectors[corners] * (corners >= 0)[:, :, None])
        count, edges = len(cones), list(combinations(range(weights.shape[1]), 2))
        used = (weights * (corners >= 0)[:, None, :]).any(axis=2)
        wide = np.stack([np.where(used[:, i] & used[:, j], angle(at[:, i], at[:, j]), -1.0)
                         for i, j in edges], axis=1)
        i, j = np.array(edges)[wide.argmax(axis=1)].T
        rows = np.arange(count)
        middle = (weights[rows, i] + weights[rows, j]) / 2
        one, other = weights.copy(), weights.copy()
        one[rows, i], other[rows, j] = middle, middle
        return one, other


def _own_faces(fan: Fan) -> tuple[np.ndarray, np.ndarray]:
    """Faces (F, k) of simplices, filled up by -1, with gates (F, m) inside them that no simplex there has.

    A row is positive inside a face if it is at one of the rays: it is linear on a simplex, and has one sign.
    """
    k = fan.simplices.shape[1]
    own = np.packbits(fan.gates[-1], axis=1)[fan.cells]
    faces, gates = [np.zeros((0, k), dtype=int)], [np.zeros((0, fan.gates[-1].shape[1]), dtype=bool)]
    for size in range(1, k):
        chosen = np.array(list(combinations(range(k), size)))
        some = np.sort(fan.simplices[:, chosen].reshape(-1, size), axis=1)
        face, which = np.unique(some, axis=0, return_inverse=True)
        opened = fan.open_at[-1][face].any(axis=1)
        there = np.packbits(opened, axis=1)[which.ravel()]
        alike = (there == np.repeat(own, len(chosen), axis=0)).all(axis=1)
        lonely = np.bincount(which.ravel(), weights=alike, minlength=len(face)) == 0
        faces.append(np.pad(face[lonely], ((0, 0), (0, k - size)), constant_values=-1))
        gates.append(opened[lonely])
    return np.concatenate(faces), np.concatenate(gates)


def _means(rays: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Directions (F, k) inside faces."""
    there = faces >= 0
    return np.asarray((rays[faces] * there[:, :, None]).sum(axis=1) / there.sum(axis=1)[:, None])
