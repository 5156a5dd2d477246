"""How a search climbs in the R2WDC: pairs (x1, x2), (x3, x4) as in the RRIC, codes x, y through gates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.conditions.r2wdc.gated_range import GatedRange
from wdccheck.conditions.secant_pairs import PAIRS, Apply, SecantPairs
from wdccheck.geometry import tangents
from wdccheck.geometry.circle_profiles import Best, Profile, gathered
from wdccheck.geometry.expectation import expected_apply, unit
from wdccheck.geometry.spheres import Block, Points
from wdccheck.protocol.search import Frozen, in_pieces
from wdccheck.ranges import differences
from wdccheck.ranges.arcs import Arcs, Values, few, in_chunks, profile, sampled

__all__ = ["Search"]


@dataclass(frozen=True, eq=False)
class Search:
    """sign <(A_{r,s} - alpha Q_{r,s}) u, v> / (||u|| ||v||), values times 2**exponent."""

    pairs: SecantPairs
    gated: GatedRange
    exponent: int

    @property
    def width(self) -> int:
        """Numbers of one point in the largest temporary array."""
        return max(*self.gated.rows.shape, self.pairs.width)

    @in_pieces
    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u and v, and their form; value 0 where a gate is within rounding."""
        r, s, both, sure = self.gated.both(points)
        u, v = self.pairs.vectors(points)
        found = self.pairs.frozen(u, v, self.gated.apply(r, s, both, v), sign)
        return replace(found, value=np.ldexp(found.value * sure, self.exponent))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign <D u, v> along the circle of one block, all else held (Fact 11)."""
        if block in PAIRS:
            found = self.pairs.circle(points, block, tangent, self._target(points, block, frozen))
        else:
            found = self._code_circle(block[0], points, tangent, frozen)
        return found.scaled(self.exponent)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """For a pair, toward the maximizer over the present cones; for a code, soft gates, pulled back."""
        if block in PAIRS:
            return self.pairs.tangents(points, block, self._target(points, block, frozen), rng)
        return self._code_tangents(block[0], points, frozen, rng)

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Both pairs toward the singular pair of their cones, as far as pays."""
        moved = self.pairs.free_step(points, frozen.sign, self._applies(points))
        return {"x": points["x"], "y": points["y"], **moved}

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs of :meth:`SecantPairs.jumped`; x and y equal, close, nearly opposite or independent."""
        if near is not None:
            return near
        k = self.pairs.k
        x, y = unit(rng.standard_normal((n, k))), unit(rng.standard_normal((n, k)))
        kind, spread = rng.integers(4, size=(n, 1)), 10.0 ** rng.uniform(-4, 0, (n, 1))
        y = np.where(kind == 0, x, np.where(kind == 1, unit(x + spread * y), y))
        y = np.where(kind == 2, unit(-x + spread * y), y)
        return self.pairs.jumped({"x": x, "y": y, **self.pairs.seeds(rng, n)}, rng, self._applies,
                                 deadline)

    def _applies(self, points: Points) -> Apply:
        """v (B, n) to (A_{r,s} - alpha Q_{r,s}) v."""
        r, s, both, _ = self.gated.both(points)
        return lambda v: self.gated.apply(r, s, both, v)

    def _target(self, points: Points, block: Block, frozen: Frozen) -> np.ndarray:
        """sign D v for the pair of u, sign D u for that of v: D is symmetric."""
        held = frozen.v if block == PAIRS[0] else frozen.u
        return frozen.sign[:, None] * self._applies(points)(held)

    def _code_circle(self, letter: str, points: Points, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign u^T (A - alpha Q) v along the circle of x or y: samples, and a few whole circles."""
        base, (s, coefficients) = unit(points[letter]), self._held(letter, points, frozen)
        first = few(self.gated.layers, len(base), 1, len(self.gated.rows))
        u, v = (frozen.sign[:, None] * frozen.u)[first:], frozen.v[first:]

        def values(circle: np.ndarray, moved: np.ndarray) -> np.ndarray:
            r = unit(differences.image(self.gated.layers, moved))
            level = np.einsum("bm,bm->b", coefficients[first:][circle], r @ self.gated.rows.T > 0)
            expected = expected_apply(r, s[first:][circle], v[circle])
            value = level - self.gated.alpha * np.einsum("bn,bn->b", u[circle], expected)
            return np.where(r.any(axis=1), value, 0.0)

        parts = [self._whole_circle(base[:first], tangent[:first], s, coefficients, frozen)] if first else []
        if first < len(base):
            parts.append(sampled(self.gated.layers, base[first:], tangent[first:], values,
                                 len(self.gated.rows)))
        return gathered(parts, [part for part in np.split(np.arange(len(base)), [first]) if len(part)])

    def _whole_circle(
        self, base: np.ndarray, tangent: np.ndarray, s: np.ndarray, coefficients: np.ndarray, frozen: Frozen
    ) -> Best:
        """The same, cut where a gate of any layer toggles; the gated sum is constant on each arc.

        The expectation has at most one maximum worth having there: a parabola through three points.
        """
        weight = -frozen.sign[: len(base)] * self.gated.alpha

        def finish(arcs: Arcs, chunk: slice) -> Profile:
            cut = arcs.cut(self.gated.rows)
            p, q, owner = cut.p[:, 0], cut.q[:, 0], cut.owner
            middle = ((cut.start + cut.stop) / 2)[:, None]
            opened = (np.cos(middle) * p + np.sin(middle) * q) @ self.gated.rows.T > 0
            level = np.sum(coefficients[chunk][owner] * opened, axis=1)
            expected = expected_on_arcs(p, q, s[chunk][owner], frozen.u[chunk][owner], frozen.v[chunk][owner])
            scale = weight[chunk][owner]

            def values(arc: np.ndarray, angle: np.ndarray) -> np.ndarray:
                here, seen = expected(arc, angle)
                return np.where(seen, level[arc] + scale[arc] * here, 0.0)

            return profile(cut, len(weight[chunk]), values, _peak(values, cut))

        return in_chunks(self.gated.layers, base[:, None], tangent[:, None], finish, len(self.gated.rows))

    def _code_tangents(
        self, letter: str, points: Points, frozen: Frozen, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """The gradient of the gated sum with soft gates, pulled back; random; toward the other code."""
        r, _, _ = self.gated.images(points[letter])
        _, coefficients = self._held(letter, points, frozen)
        soft = tangents.soft_gradient(self.gated.rows, r @ self.gated.rows.T, coefficients, rng)
        pulled = unit(np.einsum("bnk,bn->bk", differences.jacobian(self.gated.layers, points[letter]), soft))
        random = rng.standard_normal(pulled.shape)
        return pulled, random, random, unit(points[_other(letter)])

    def _held(self, letter: str, points: Points, frozen: Frozen) -> tuple[np.ndarray, np.ndarray]:
        """The image of the other code (B, n), and the summands of the rows open there (B, m)."""
        s, opened, _ = self.gated.images(points[_other(letter)])
        summands = frozen.sign[:, None] * (frozen.u @ self.gated.rows.T) * (frozen.v @ self.gated.rows.T)
        return s, opened * summands


def _other(letter: str) -> str:
    return "y" if letter == "x" else "x"


def _peak(values: Values, arcs: Arcs) -> np.ndarray:
    """The top of the parabola through both ends and the middle of each arc, or its middle (A,)."""
    number, half = np.arange(len(arcs.owner)), (arcs.stop - arcs.start) / 2
    left, middle, right = (values(number, arcs.start + j * half) for j in range(3))
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend < 0)
    return arcs.start + (1 + np.clip(shift, -0.99, 0.99)) * half


def expected_on_arcs(
    p: np.ndarray, q: np.ndarray, s: np.ndarray, u: np.ndarray, v: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """u^T Q_{r(t),s} v for r(t) = cos t p + sin t q, one vector function for each of A arcs.

    Parameters
    ----------
    p, q, s, u, v : ndarray of shape (A, n)
        s of length 1 or 0.

    Returns
    -------
    callable
        (arc numbers, angles) to the values and to whether r(t) and s are nonzero there.
    """
    pairs = {(x, y): np.einsum("an,an->a", f, g)
             for x, f in (("p", p), ("q", q), ("s", s)) for y, g in
             (("p", p), ("q", q), ("s", s), ("u", u), ("v", v))}
    uv, nonzero = np.einsum("an,an->a", u, v), np.asarray(s.any(axis=1))

    def values(arc: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = np.cos(angle), np.sin(angle)
        dot = {y: cos * pairs["p", y][arc] + sin * pairs["q", y][arc] for y in "pqsuv"}
        square = cos * dot["p"] + sin * dot["q"]
        seen = nonzero[arc] & (square > 1e-28 * (pairs["p", "p"][arc] + pairs["q", "q"][arc]))
        length = np.sqrt(np.where(seen, square, 1.0))
        c, ru, rv = np.clip(dot["s"] / length, -1.0, 1.0), dot["u"] / length, dot["v"] / length
        su, sv = pairs["s", "u"][arc], pairs["s", "v"][arc]
        sine = np.sqrt(1.0 - c * c)
        m = np.divide(ru * sv + su * rv - c * (ru * rv + su * sv), sine, out=np.zeros_like(c),
                      where=sine > 1e-8)  # sin(theta) u^T M v
        return ((np.pi - np.arccos(c)) * uv[arc] + m) / (2 * np.pi), seen

    return values
