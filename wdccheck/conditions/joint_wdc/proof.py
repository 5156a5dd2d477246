"""The proof of an upper bound of the joint-WDC: each side of each part is a problem with its own letters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions.joint_wdc.forms import WeightedForms, scattered
from wdccheck.conditions.joint_wdc.parts import Inequalities
from wdccheck.conditions.joint_wdc.seeds import joint_seeds
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes
from wdccheck.geometry.expectation import unit
from wdccheck.protocol.forms import Sandwich
from wdccheck.protocol.proof import Refinement
from wdccheck.stops import DEPTH_EXHAUSTED

__all__ = ["KINDS", "Proof", "Sides"]

KINDS = (("B", "bisected"), ("C", "bisected"), ("B", "below"), ("C", "below"), ("B", "both"), ("C", "both"),
         ("B", "cap"))
"""Part and side: see the forms of that name. "bisected": A - E with the bisector of the weighing letters."""

_LARGEST = 4  # dimension beyond which boxes are hopeless
_SAMPLES = 1024  # points of the first lower bound
_WORK = 2**20  # products of points and rows for it, where there are many rows
_FREE = 0.15  # a gate letter is left free until the edges of the others are as short
_STOP = 2.0**-MAX_DEPTH
_PAIRS = (("h", "x"), ("m", "y"))


@dataclass(frozen=True, eq=False)
class Proof:
    """Boxes of h, x, m, y for the sides that have to be bounded."""

    both: Inequalities

    limit = DEPTH_EXHAUSTED
    compiled = None  # weights that depend on the point are no plain data yet

    @staticmethod
    def of(both: Inequalities) -> Proof | None:
        """The proof for a pair; None beyond dimension 4."""
        return None if max(both.letters.values()) > _LARGEST else Proof(both)

    @property
    def width(self) -> int:
        """Numbers of one region in the largest temporary arrays: products with the corners of a letter."""
        return int(self.both.B.shape[0]) * 2 ** (max(self.both.letters.values()) - 1)

    def boxes(self) -> Sides:
        """Both sides of both parts, see :class:`Sides`."""
        return Sides.cover(self.both.B.shape[1], self.both.C.shape[1], self._sides)

    def forms(self, regions: Sides) -> Sequence[Sandwich]:
        """Fact 10 for the part and the side of each region, with weights caught at the corners."""
        result: list[Sandwich] = []
        for kind in np.unique(regions.kind):
            (part, side), some = KINDS[kind], np.flatnonzero(regions.kind == kind)
            made = self._forms[part].of(side, regions.boxes.take(some), fine="cap" not in self._sides)
            result += made if len(some) == len(regions) else [scattered(f, some, len(regions)) for f in made]
        return result

    def finer(self, regions: Sides) -> Refinement:
        """None are known."""
        yield from ()

    @cached_property
    def _sides(self) -> tuple[str, ...]:
        """The sides to bound, any choice is valid: from alpha/4 on only A - E, bisectors from alpha/20 on."""
        both = self.both
        count = min(_SAMPLES, max(16, _WORK // len(both.B)))
        points = joint_seeds(both.B, both.C, np.random.default_rng(0), count)
        highest = np.maximum(*both.deviations(points).values()).max()
        alpha = math.ldexp(both.alpha, both.scale)  # may be 0
        if highest < 0.05 * alpha:
            return ("both",)
        return "bisected", "cap" if highest > 0.25 * (1 - 1e-9) * alpha else "below"

    @cached_property
    def _forms(self) -> dict[str, WeightedForms]:
        scale = math.ldexp(1.0, self.both.scale)
        return {part: WeightedForms(pair, scale) for part, pair in self.both.parts.items()}


@dataclass(frozen=True, eq=False)
class Sides:
    """Boxes of h, x, m, y, each with the claim it is for.

    A whole cube, center 0, stands for every direction. Of "bisected" regions the gate letters start as
    cubes, and the second weighing letter, which remains one, does not count: the region holds the points
    whose bisector of the weighing letters is in the box of the first.

    Attributes
    ----------
    kind : ndarray of shape (B,)
        Indices of KINDS.
    boxes : Boxes
    """

    kind: np.ndarray
    boxes: Boxes

    @staticmethod
    def cover(n: int, p: int, sides: Sequence[str]) -> Sides:
        """All regions of both parts, of the sides named; h, x and m, y may be exchanged."""
        dimensions = {"h": n, "x": n, "m": p, "y": p}
        parts = []
        for kind, (part, side) in enumerate(KINDS):
            if side not in sides:
                continue
            if side in ("below", "both"):
                boxes = Boxes.cover(dimensions, symmetric=("h", "x", "m", "y"))
            else:
                letter = "m" if part == "B" else "h"
                face, empty = Boxes.cover({letter: dimensions[letter]}), np.ones((1, 2 * dimensions[letter]))
                cubes = {x: (0 * empty.repeat(d, 0), empty.repeat(d, 0)) for x, d in dimensions.items()}
                cubes[letter] = face.center[0], face.half[0]
                boxes = Boxes(tuple(cubes), *zip(*cubes.values(), strict=True))
                boxes = boxes if side == "bisected" else boxes.take(slice(1))
            parts.append(Sides(np.full(len(boxes), kind), boxes))
        return parts[0].join(parts)

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, index: np.ndarray | slice) -> Sides:
        """The regions of `index`."""
        return Sides(self.kind[index], self.boxes.take(index))

    def join(self, parts: Sequence[Any]) -> Sides:
        """All regions of `parts` in one batch."""
        return Sides(np.concatenate([p.kind for p in parts]), self.boxes.join([p.boxes for p in parts]))

    def split(self) -> Sides:
        """Both halves across the edge that costs most; a free letter becomes its faces."""
        edges, owner = self._edges()
        edge = np.argmax(edges, axis=0)
        letter = owner[edge]
        opened = self._cubes()[letter, np.arange(len(self))]
        closed = np.flatnonzero(~opened)
        halves = self.boxes.take(closed).split(edge[closed])
        parts = [Sides(np.tile(self.kind[closed], 2), halves)]
        for i in np.unique(letter[opened]):
            parts.append(self.take(np.flatnonzero(opened & (letter == i)))._open(int(i)))
        return self.join(parts)

    def splittable(self) -> np.ndarray:
        """False where the longest edge that counts has been cut MAX_DEPTH times, or there is none."""
        counted = np.repeat(self._counted(), [len(c) for c in self.boxes.center], axis=0)
        longest: np.ndarray = np.max(np.concatenate(self.boxes.half) * counted, axis=0) > _STOP
        return longest

    def centers(self) -> dict[str, np.ndarray]:
        """The centers; equal letters where one is free."""
        return self._filled({x: c[:, None] for x, c in self.boxes.centers().items()}, 0)

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """`n` points of each region, letters to (B, n, dim)."""
        return self._filled(self.boxes.sample(rng, n), None)

    def contains(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Whether points (B, dim) lie in their boxes, bisectors in place of weighing letters."""
        shown = {x: np.array(v, dtype=float) for x, v in points.items()}
        for part, pair in zip("CB", _PAIRS, strict=True):
            chosen = self._of("bisected", part)
            bisector = unit(points[pair[0]]) + unit(points[pair[1]])
            usable = chosen & bisector.any(axis=1)
            shown[pair[0]][usable] = bisector[usable]
        return self.boxes.contains(shown) | self._of("cap")

    # -- pieces ------------------------------------------------------------------------------

    def _of(self, side: str, part: str = "BC") -> np.ndarray:
        """Which regions are for that side and part, (B,)."""
        return np.isin(self.kind, [i for i, (p, s) in enumerate(KINDS) if s == side and p in part])

    def _cubes(self) -> np.ndarray:
        return np.array([~c.any(axis=0) for c in self.boxes.center])

    def _counted(self) -> np.ndarray:
        """Letters that count, (4, B)."""
        counted = np.ones((4, len(self)), dtype=bool)
        counted[3] = ~self._of("bisected", "B")
        counted[1] = ~self._of("bisected", "C")
        counted[:, self._of("cap")] = False
        return counted

    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """What each edge costs, all letters stacked, and the letter of each."""
        cubes, counted, result = self._cubes(), self._counted(), []
        for i, (c, h) in enumerate(zip(self.boxes.center, self.boxes.half, strict=True)):
            length = np.sqrt(np.sum(c * c, axis=0))
            edges = np.where(cubes[i], _FREE, h / np.where(cubes[i], 1.0, length))
            result.append(edges * counted[i])
        return np.concatenate(result), np.repeat(np.arange(4), [len(c) for c in self.boxes.center])

    def _open(self, i: int) -> Sides:
        """Faces in place of a free letter, none before that of its partner: the two may be exchanged."""
        partner, dimension = i ^ 1, len(self.boxes.center[i])
        faces = Boxes.cover({"face": dimension})
        count, columns = len(faces), np.arange(len(self))
        center, half = self.boxes.center[partner], self.boxes.half[partner]
        axis = np.argmin(half, axis=0)
        first = np.where(center.any(axis=0), 2 * axis + (center[axis, columns] < 0), 0)
        which = np.tile(np.arange(count), len(self))
        kept = which >= np.repeat(first, count)
        grown, which = self.take(np.repeat(columns, count)[kept]), which[kept]
        centers, halves = list(grown.boxes.center), list(grown.boxes.half)
        centers[i], halves[i] = faces.center[0][:, which], faces.half[0][:, which]
        return Sides(grown.kind, Boxes(grown.boxes.letters, tuple(centers), tuple(halves)))

    def _filled(self, points: dict[str, np.ndarray], nothing: int | None) -> dict[str, np.ndarray]:
        """Points (B, n, dim) that belong to the claim: m = y if bisected; free centers as their partners."""
        for i, (first, second) in enumerate(_PAIRS):
            same = self._of("bisected", "CB"[i])
            points[second] = np.where(same[:, None, None], points[first], points[second])
            if nothing == 0:
                points[first] = np.where(points[first].any(axis=2, keepdims=True), points[first], 1.0)
                free = ~points[second].any(axis=2, keepdims=True)
                points[second] = np.where(free, points[first], points[second])
        return points if nothing is None else {x: p[:, nothing] for x, p in points.items()}
