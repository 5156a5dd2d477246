"""The range of a network as simplicial cones: the images of the rays of its fan, and their errors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from wdccheck.errors import OutOfTime
from wdccheck.linalg import rounding
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.walls import forward, rounded, scaled

__all__ = ["ImageRays", "directions"]

Layers = Sequence[np.ndarray]

_CHUNK = 4096  # images or simplices looked at in one go
_POOR = 1e-9  # error of an image beyond which integers are used
_PROJECTIONS = 3  # on lines, to find images that coincide
_OUTPUTS, _NUMBERS = 2**10, 2**22  # of a form, and of all images: a proof holds several arrays as large


@dataclass(frozen=True, eq=False)
class ImageRays:
    """The cones G(C) of the simplices C of a fan, each the cone of at most k rays.

    Attributes
    ----------
    fan : Fan
    vectors : ndarray of shape (R, n)
        A direction of each ray, of length 1 up to rounding. No two rays are the same.
    error : ndarray of shape (R,)
        Bound on the distance of `vectors` from the exact ray.
    simplices : ndarray of int, shape (S, k)
        The rays that span each cone, in ascending order after as many -1 as are missing. No cone comes twice;
        of three rays of which one is proved to lie between the others, that one is left out.
    codes : ndarray of shape (R, k)
        A latent direction of each, known as well as the rays of the fan.
    vertices : ndarray of int, shape (R,)
        The ray of the fan that this code is.
    """

    fan: Fan
    vectors: np.ndarray
    error: np.ndarray
    simplices: np.ndarray
    codes: np.ndarray
    vertices: np.ndarray

    @staticmethod
    def of(fan: Fan, deadline: float = math.inf) -> ImageRays:
        """All rays v of a fan with G(v) != 0; those with parallel images are one ray.

        Raises
        ------
        OutOfTime
            The deadline, by the clock of `time.monotonic`, has passed.

        Examples
        --------
        >>> images = ImageRays.of(Fan.of([np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])], 2))
        >>> images.vectors.tolist(), images.simplices.tolist()
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[-1, 1], [-1, 2], [0, 1], [0, 2]])
        """
        owner = _by_gates(fan)
        vertices = np.unique(owner[owner >= 0])
        exact = _exactly(fan, len(fan.layers), deadline)
        vectors, error = _images(fan, vertices, exact)
        place = np.arange(len(vertices))
        for group in _near(vectors, error):
            first: dict[tuple[int, ...], int] = {}
            for ray in group:
                place[ray] = first.setdefault(tuple(exact(int(vertices[ray]))), ray)
        kept = np.flatnonzero(place == np.arange(len(place)))
        number = np.full(len(fan.rays) + 1, -1)  # the last one for dead rays
        number[vertices] = np.searchsorted(kept, place)
        images = ImageRays(fan, vectors[kept], error[kept], _distinct(number[owner[fan.simplices]]),
                           fan.rays[vertices[kept]], vertices[kept])
        return images._without_inner(exact)

    @staticmethod
    def within_reach(layers: Layers, k: int, deadline: float = math.inf) -> ImageRays | None:
        """Those of the fan of a network; None where cones or outputs are too many for a form on all of them.

        Raises
        ------
        OutOfTime
            As :meth:`of`.

        Examples
        --------
        >>> ImageRays.within_reach([np.eye(2)], 2).vectors.tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        >>> ImageRays.within_reach([np.ones((5000, 2))], 2) is None
        True
        """
        outputs = len(layers[-1])
        fan = Fan.of(layers, k, deadline) if outputs <= _OUTPUTS else None
        if fan is None or len(fan.rays) * outputs > _NUMBERS:
            return None
        return ImageRays.of(fan, deadline)

    def exact(self, ray: int) -> np.ndarray:
        """The ray in integers (n,), with no common factor."""
        return self.fan.exact_image(int(self.vertices[ray]))

    def sharpened(self, rays: np.ndarray) -> ImageRays:
        """The same, with `rays` rounded once from their integers."""
        vectors, error = self.vectors.copy(), self.error.copy()
        for ray in rays.tolist():
            value, wrong = rounded(self.exact(ray))
            vectors[ray: ray + 1], error[ray: ray + 1] = _units(value[None], wrong[None])
        return replace(self, vectors=vectors, error=error)

    def _without_inner(self, exact: Exact) -> ImageRays:
        """Of three rays in a plane the two outer ones."""
        if self.simplices.shape[1] < 3:
            return self
        simplices = self.simplices.copy()
        for s in _flat(self):
            inner = _inner([exact(int(self.vertices[ray])) for ray in simplices[s]])
            if inner is not None:
                simplices[s, inner] = -1
        return replace(self, simplices=_distinct(simplices))


def directions(
    fan: Fan, depth: int, deadline: float = math.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of the rays of a fan under its first `depth` layers.

    Returns
    -------
    vectors : ndarray of shape (R, n)
        Unit directions of those that are not 0; parallel ones may come more than once.
    error : ndarray of shape (R,)
    number : ndarray of int, shape (V + 1,)
        Which of them belongs to each ray; -1 where the image is 0, and at the end.

    Raises
    ------
    OutOfTime
        The deadline, by the clock of `time.monotonic`, has passed.
    """
    shallow = replace(fan, layers=fan.layers[:depth], gates=fan.gates[:depth], open_at=fan.open_at[:depth])
    owner = _by_gates(shallow)
    vertices = np.unique(owner[owner >= 0])
    vectors, error = _images(shallow, vertices, _exactly(fan, depth, deadline))
    number = np.full(len(fan.rays) + 1, -1)
    number[vertices] = np.arange(len(vertices))
    number[:-1] = number[owner]
    return vectors, error, number


Exact = Callable[[int], np.ndarray]
"""The image of a ray of the fan, in integers."""


def _exactly(fan: Fan, depth: int, deadline: float) -> Exact:
    @cache
    def image(vertex: int) -> np.ndarray:
        if time.monotonic() > deadline:
            raise OutOfTime("the images of the cones were not all found in time")
        return fan.exactly.image(fan.exact_ray(vertex), depth)

    return image


def _by_gates(fan: Fan) -> np.ndarray:
    """For every ray v of the fan the first one whose image is known to be parallel; -1 where G(v) = 0.

    Where a unit is the only one of its layer that is open, G(v) is a positive multiple of one vector.
    """
    owner = np.arange(len(fan.rays))
    done = np.zeros(len(owner), dtype=bool)
    for gate in fan.open_at:
        single = np.flatnonzero((gate.sum(axis=1) == 1) & ~done)
        _, first, group = np.unique(gate[single].argmax(axis=1), return_index=True, return_inverse=True)
        owner[single] = single[first][group.ravel()]
        done[single] = True
    if fan.open_at:
        owner[~fan.open_at[-1].any(axis=1)] = -1
    return owner


def _images(fan: Fan, vertices: np.ndarray, exact: Exact) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along G(v) and their errors: in floats, or from integers where these leave too much."""
    parts = []
    for start in range(0, max(len(vertices), 1), _CHUNK):
        chosen = vertices[start: start + _CHUNK]
        code, lost = fan.rays[chosen], np.repeat(fan.ray_error[chosen, None], fan.rays.shape[1], axis=1)
        with np.errstate(all="ignore"):
            value, wrong = forward(fan.layers, [gate[chosen] for gate in fan.open_at], code, lost)
            vectors, error = _units(*scaled(value, wrong))
        for b in np.flatnonzero(~(np.isfinite(vectors).all(axis=1) & (error <= _POOR))):
            value, wrong = rounded(exact(int(chosen[b])))
            vectors[b: b + 1], error[b: b + 1] = _units(value[None], wrong[None])
        parts.append((vectors, error))
    return np.concatenate([v for v, _ in parts]), np.concatenate([e for _, e in parts])


def _units(value: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (B, n) with errors of their entries over their lengths, and the errors of the results (B,).

    A quotient is rounded by u of itself: u of the whole. The length, whatever its rounding, is one factor of
    the exact vector. 1e-9 covers the rounding of the error, 2^-500 what underflows.
    """
    length = np.linalg.norm(value, axis=1, keepdims=True)
    error = np.linalg.norm(wrong / length, axis=1) * (1 + 1e-9)
    return value / length, error + 2 * rounding.UNIT + 2.0**-500


def _near(vectors: np.ndarray, error: np.ndarray) -> Iterator[np.ndarray]:
    """Groups of rays that may coincide: every pair that does is in one of them.

    Unit vectors along the same ray differ by their errors and the rounding of their lengths; so do their
    projections on any line.
    """
    n = vectors.shape[1]
    lines = np.random.default_rng(0).standard_normal((_PROJECTIONS, n))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    reach = 2 * error + rounding.gamma(16 * n + 64)
    group = np.zeros(len(vectors), dtype=int)
    for at in lines @ vectors.T:
        order = np.lexsort((at - reach, group))
        low, high, own = (at - reach)[order], (at + reach)[order], group[order]
        shift = 4.0 * own  # projections and reaches are below 2
        highest = np.maximum.accumulate(high + shift)
        opens = np.concatenate([[True], (low + shift)[1:] > highest[:-1]])[: len(order)]
        group[order] = np.cumsum(opens) - 1
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) > 1:
            yield members


def _flat(images: ImageRays) -> Iterator[int]:
    """Simplices of three rays that may be dependent: all that are, and some that are not."""
    full = np.flatnonzero((images.simplices >= 0).all(axis=1))
    for start in range(0, len(full), _CHUNK):
        chosen = full[start: start + _CHUNK]
        a, b, c = (images.vectors[images.simplices[chosen, i]] for i in range(3))
        error = images.error[images.simplices[chosen]].sum(axis=1) + rounding.gamma(16 * a.shape[1])
        b, c = (x - np.einsum("bn,bn->b", a, x)[:, None] * a for x in (b, c))
        one, other = np.linalg.norm(b, axis=1), np.linalg.norm(c, axis=1)
        b = b / np.maximum(one, 1e-300)[:, None]
        rest = c - np.einsum("bn,bn->b", b, c)[:, None] * b
        with np.errstate(over="ignore", invalid="ignore"):  # of rays closer than a square root of underflow
            full_rank = np.linalg.norm(rest, axis=1) * one > 8 * error * (one + other)
        yield from chosen[~full_rank].tolist()


def _inner(rays: list[np.ndarray]) -> int | None:
    """Which of three rays is a combination of the others without negative coefficients; None if none is.

    With p_i the minor of the other two, in two columns in which the first two are independent, the sum of p_i
    times ray i is 0 if they are dependent.
    """
    a, b, c = rays
    pivot = next(j for j in range(len(a)) if a[j])
    other = next((j for j in range(len(a)) if a[pivot] * b[j] != a[j] * b[pivot]), None)
    if other is None:
        return None
    columns = [pivot, other]
    share = [_minor(b[columns], c[columns]), _minor(c[columns], a[columns]), _minor(a[columns], b[columns])]
    if any(share[0] * x + share[1] * y + share[2] * z for x, y, z in zip(a, b, c, strict=True)):
        return None
    signs = [(p > 0) - (p < 0) for p in share]
    alone = [i for i in range(3) if signs.count(signs[i]) == 1]
    return alone[0] if 0 not in signs and len(alone) == 1 else None


def _minor(x: np.ndarray, y: np.ndarray) -> int:
    return int(x[0] * y[1] - x[1] * y[0])


def _distinct(simplices: np.ndarray) -> np.ndarray:
    """Rows with each index once, in ascending order after -1; none twice, and none of -1 alone."""
    rows = np.sort(simplices, axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
    rows = np.unique(np.sort(rows, axis=1), axis=0)
    return rows[rows[:, -1] >= 0]
