"""Boxes on the faces of cubes: regions that cover a product of spheres, and their bisection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from wdccheck import _kernels

__all__ = ["MAX_DEPTH", "Boxes"]

MAX_DEPTH = 40
"""Bisections of one edge after which a box is left alone: centers stay exact dyadic floats.

A center is a multiple of 2^-40 in [-1, 1], which takes 41 of the 53 bits; so are the ends of its edge.
"""

_STOP = 2.0**-MAX_DEPTH


@dataclass(frozen=True, eq=False)
class Boxes:
    """B products of boxes, one box per letter, each on a face of the cube max |x_j| = 1.

    The box of a letter is {c + e : |e_j| <= h_j}; on its face coordinate c is +-1 and h is 0. The
    directions of all boxes on all 2k faces cover the sphere.

    Attributes
    ----------
    letters : tuple of str
    center, half : tuple of ndarray, one per letter, each of shape (dim, B)
        Batch axis last. Exact: dyadic rationals of at most MAX_DEPTH + 1 bits.
    """

    letters: tuple[str, ...]
    center: tuple[np.ndarray, ...]
    half: tuple[np.ndarray, ...]

    @staticmethod
    def cover(dimensions: Mapping[str, int], symmetric: Sequence[str] = ()) -> Boxes:
        """Whole faces for every letter.

        `symmetric` names pairs of letters, one after the other, whose exchange changes no
        deviation: one of each pair of mirrored faces is then enough.
        """
        letters = tuple(dimensions)
        faces = [[(j, sign) for j in range(k) for sign in (1.0, -1.0)] for k in dimensions.values()]
        choices = list(product(*faces))
        for first, second in zip(symmetric[::2], symmetric[1::2], strict=True):
            a, b = letters.index(first), letters.index(second)
            choices = [choice for choice in choices if choice[a] <= choice[b]]
        center, half = [], []
        for position, k in enumerate(dimensions.values()):
            c, h = np.zeros((k, len(choices))), np.ones((k, len(choices)))
            for b, choice in enumerate(choices):
                face, sign = choice[position]
                c[face, b], h[face, b] = sign, 0.0
            center.append(c)
            half.append(h)
        return Boxes(letters, tuple(center), tuple(half))

    def __len__(self) -> int:
        return int(self.center[0].shape[1])

    def take(self, index: np.ndarray | slice) -> Boxes:
        """The boxes of `index`."""
        return Boxes(self.letters, tuple(c[:, index] for c in self.center),
                     tuple(h[:, index] for h in self.half))

    def _edges(self) -> np.ndarray:
        """Edges over the distance of their center, all letters stacked: (sum of dims, B)."""
        return np.concatenate(
            [h / np.sqrt(np.sum(c * c, axis=0)) for c, h in zip(self.center, self.half, strict=True)]
        )

    def split(self, edge: np.ndarray | None = None) -> Boxes:
        """Both halves of every box, cut across its longest edge as seen from the origin.

        `edge` (B,) names another one, counted over all letters stacked.
        """
        edge = np.argmax(self._edges(), axis=0) if edge is None else edge
        columns = np.arange(len(self))
        first = np.concatenate(self.center)
        half = np.concatenate(self.half)
        half[edge, columns] /= 2
        second = first.copy()
        first[edge, columns] -= half[edge, columns]
        second[edge, columns] += half[edge, columns]
        cuts = np.cumsum([len(c) for c in self.center])[:-1]
        return Boxes(
            self.letters,
            tuple(np.split(np.concatenate([first, second], axis=1), cuts)),
            tuple(np.split(np.concatenate([half, half], axis=1), cuts)),
        )

    def splittable(self) -> np.ndarray:
        """False where the longest edge has been cut MAX_DEPTH times, or there is none."""
        longest: np.ndarray = np.max(np.concatenate(self.half), axis=0) > _STOP
        return longest

    def centers(self) -> dict[str, np.ndarray]:
        """The centers, letters to (B, dim)."""
        return {x: c.T.copy() for x, c in zip(self.letters, self.center, strict=True)}

    def radii(self) -> tuple[np.ndarray, ...]:
        """Per letter, an angle (B,) that no direction of the box makes with its center."""
        return tuple(_kernels.radius(c, h) for c, h in zip(self.center, self.half, strict=True))

    def contains(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether the direction of points[letter][b], (B, dim), lies in box b, up to 1e-12."""
        inside = np.ones(len(self), dtype=bool)
        for letter, c, h in zip(self.letters, self.center, self.half, strict=True):
            value = points[letter].T
            on_face = value / np.max(np.abs(value), axis=0)
            inside &= np.all(np.abs(on_face - c) <= h + 1e-12, axis=0)
        return inside

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """`n` points of each box, letters to (B, n, dim); a third of the coordinates on its edges."""
        result = {}
        for letter, c, h in zip(self.letters, self.center, self.half, strict=True):
            offset = rng.uniform(-1.0, 1.0, (len(self), n, len(c)))
            offset = np.where(rng.random(offset.shape) < 1 / 3, np.sign(offset), offset)
            result[letter] = c.T[:, None, :] + offset * h.T[:, None, :]
        return result

    @staticmethod
    def join(parts: Sequence[Boxes]) -> Boxes:
        """All boxes of `parts` in one batch."""
        count = range(len(parts[0].letters))
        return Boxes(
            parts[0].letters,
            tuple(np.concatenate([p.center[i] for p in parts], axis=1) for i in count),
            tuple(np.concatenate([p.half[i] for p in parts], axis=1) for i in count),
        )
