"""Conditions that are not the WDC, with known suprema: engines must need nothing but the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wdccheck.geometry import spheres
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.circle_profiles import Best
from wdccheck.protocol.forms import Sandwich
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap

ROUNDING = 1e-12


class Toy:
    """sup |f| for f smooth, on every circle ``a + b cos(d t) + c sin(d t)`` with d = degree."""

    degree: int
    compiled = None
    limit = "regions at the depth limit stay undecided"

    def f(self, points):
        raise NotImplementedError

    @property
    def maximum(self):
        """The supremum."""
        return float(np.linalg.norm(self.matrix, 2))

    def deviation(self, points):
        return np.abs(self.f(points))

    def lower_bound(self, point):
        return max(float(self.deviation(point)) - ROUNDING * self.maximum, 0.0)

    @property
    def search(self):
        return self

    @property
    def theorems(self):
        return self

    @property
    def proof(self):
        return self

    def freeze(self, points, near=None, sign=None):
        value = self.f(points)
        one = np.ones((len(value), 1))
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(value), sign)
        return Frozen(one, one, signs, signs * value)

    def circle(self, points, block, tangent, frozen):
        base, (letter,) = spheres.join(points, block), block
        quarter = np.full(len(base), np.pi / (2 * self.degree))
        f0, f1, f2 = (frozen.sign * self.f({**points, letter: spheres.step(base, tangent, j * quarter)})
                      for j in range(3))
        middle = (f0 + f2) / 2
        angle = np.arctan2(f1 - middle, (f0 - f2) / 2) / self.degree % (2 * np.pi)
        top = middle + np.hypot(f1 - middle, (f0 - f2) / 2)
        return Best(angle, top, 1)

    def tangents(self, points, block, frozen, rng):
        return (rng.standard_normal(spheres.join(points, block).shape),)

    def free_step(self, points, frozen):
        return points

    def seeds(self, rng, n, near=None, deadline=math.inf):
        return spheres.sample(self.spheres, rng, n)

    def starts(self):
        yield from ()

    def caps(self, deadline=math.inf):
        yield Cap(2 * self.maximum, "twice the maximum")

    def boxes(self):
        return Boxes.cover({x: d for (x,), d in self.spheres.items()})

    def forms(self, regions):
        """A 1 x 1 form: f moves by at most 2 ||M|| per radian, all letters together."""
        value = self.f({x: c.T for x, c in zip(regions.letters, regions.center, strict=True)})
        reach = 2 * self.maximum * np.sum(regions.radii(), axis=0)
        zero = np.zeros(len(regions))
        pad = np.full(len(regions), ROUNDING * self.maximum)
        return (Sandwich((value - reach)[None], (value + reach)[None], zero[None], zero, zero, zero, pad),)

    def finer(self, regions):
        yield from ()

    def describe(self):
        return {"kind": type(self).__name__, "alpha": None, "layer": None, "options": {},
                "shape": list(self.matrix.shape), "sha256": str(hash(self.matrix.tobytes()))}


@dataclass(frozen=True, eq=False)
class Quadratic(Toy):
    """|x^T M x| on one sphere, M symmetric (d, d): the maximum is ||M||."""

    matrix: np.ndarray
    degree = 2

    @property
    def spheres(self):
        return {("x",): len(self.matrix)}

    def f(self, points):
        x = np.asarray(points["x"])
        return np.sum((x @ self.matrix) * x, axis=-1) / np.sum(x * x, axis=-1)


@dataclass(frozen=True, eq=False)
class Bilinear(Toy):
    """|x^T B y| on two spheres, B (p, q): the maximum is ||B||."""

    matrix: np.ndarray
    degree = 1

    @property
    def spheres(self):
        return {("x",): self.matrix.shape[0], ("y",): self.matrix.shape[1]}

    def f(self, points):
        x, y = np.asarray(points["x"]), np.asarray(points["y"])
        norms = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
        return np.sum((x @ self.matrix) * y, axis=-1) / norms
