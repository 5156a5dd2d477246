"""W_{+,r}^T W_{+,s} - alpha Q_{r,s} at r = G(x), s = G(y): gates, products, circles of x and y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wdccheck.geometry import tangents
from wdccheck.geometry.expectation import expected_apply, unit
from wdccheck.geometry.profiles import Best, Profile, gathered
from wdccheck.geometry.spheres import Points
from wdccheck.protocol.search import Frozen
from wdccheck.ranges import differences
from wdccheck.ranges.arcs import Arcs, Values, few, in_chunks, profile, sampled

__all__ = ["GatedRange"]


@dataclass(frozen=True, eq=False)
class GatedRange:
    """One gated layer behind a network.

    Parameters
    ----------
    layers : tuple of ndarray
        The layers of G; none for the identity.
    rows : ndarray of shape (m, n)
        In units in which max(|rows|^2, alpha) is about 1.
    alpha : float
    """

    layers: tuple[np.ndarray, ...]
    rows: np.ndarray
    alpha: float

    def images(self, x: np.ndarray, exact: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit G(x) (B, n), the gates (B, m), and whether all are sure (B,).

        `exact`: gates within rounding, and images known to few digits, are computed in integers.
        """
        opened, sure, value, _ = differences.open_gates(self.layers, self.rows, _scaled(x))
        certain = np.asarray(sure.all(axis=1))
        if exact:
            for b in np.flatnonzero(~certain):
                opened[b] = differences.exactly_open(self.layers, self.rows, _scaled(x[b]))
            certain[:] = True
            value, _ = differences.sharpened(self.layers, _scaled(x), np.zeros_like(x))
        return unit(value), opened, certain

    def enclosed(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G(x) (n,) of one code up to a power of two, the errors of its entries, its exact gates."""
        opened, sure, _, _ = differences.open_gates(self.layers, self.rows, _scaled(x)[None])
        exact = opened[0] if sure.all() else differences.exactly_open(self.layers, self.rows, _scaled(x))
        value, error = differences.sharpened(self.layers, _scaled(x)[None], np.zeros((1, len(x))))
        return value[0], error[0], exact

    def both(self, points: Points, exact: bool = False) -> tuple[np.ndarray, ...]:
        """r, s (B, n), the gates open at both (B, m), and whether all are sure (B,)."""
        r, open_r, sure_r = self.images(points["x"], exact)
        s, open_s, sure_s = self.images(points["y"], exact)
        return r, s, open_r & open_s, sure_r & sure_s

    def apply(self, r: np.ndarray, s: np.ndarray, both: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(A_{r,s} - alpha Q_{r,s}) v, all (B, n); 0 where r or s is 0."""
        value = ((v @ self.rows.T) * both) @ self.rows - self.alpha * expected_apply(r, s, v)
        nonzero = np.asarray(r.any(axis=1) & s.any(axis=1))
        return value * nonzero[:, None]

    def circle(self, letter: str, points: Points, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign u^T (A - alpha Q) v along the circle of x or y: samples, and a few whole circles."""
        base, (s, coefficients) = unit(points[letter]), self._held(letter, points, frozen)
        first = few(self.layers, len(base), 1, len(self.rows))
        u, v = (frozen.sign[:, None] * frozen.u)[first:], frozen.v[first:]

        def values(circle: np.ndarray, moved: np.ndarray) -> np.ndarray:
            r = unit(differences.image(self.layers, moved))
            level = np.einsum("bm,bm->b", coefficients[first:][circle], r @ self.rows.T > 0)
            expected = expected_apply(r, s[first:][circle], v[circle])
            value = level - self.alpha * np.einsum("bn,bn->b", u[circle], expected)
            return np.where(r.any(axis=1), value, 0.0)

        parts = [self.whole_circle(base[:first], tangent[:first], s, coefficients, frozen)] if first else []
        if first < len(base):
            parts.append(sampled(self.layers, base[first:], tangent[first:], values, len(self.rows)))
        return gathered(parts, np.split(np.arange(len(base)), [first])[-len(parts):])

    def whole_circle(
        self, base: np.ndarray, tangent: np.ndarray, s: np.ndarray, coefficients: np.ndarray, frozen: Frozen
    ) -> Best:
        """The same, cut where a gate of any layer toggles; the gated sum is constant on each arc.

        The expectation has at most one maximum worth having there: a parabola through three points.
        """
        weight = -frozen.sign[: len(base)] * self.alpha

        def finish(arcs: Arcs, chunk: slice) -> Profile:
            cut = arcs.cut(self.rows)
            p, q, owner = cut.p[:, 0], cut.q[:, 0], cut.owner
            middle = ((cut.start + cut.stop) / 2)[:, None]
            opened = (np.cos(middle) * p + np.sin(middle) * q) @ self.rows.T > 0
            level = np.sum(coefficients[chunk][owner] * opened, axis=1)
            expected = expected_on_arcs(p, q, s[chunk][owner], frozen.u[chunk][owner], frozen.v[chunk][owner])
            scale = weight[chunk][owner]

            def values(arc: np.ndarray, angle: np.ndarray) -> np.ndarray:
                here, seen = expected(arc, angle)
                return np.where(seen, level[arc] + scale[arc] * here, 0.0)

            return profile(cut, len(weight[chunk]), values, _peak(values, cut))

        return in_chunks(self.layers, base[:, None], tangent[:, None], finish, len(self.rows))

    def tangents(
        self, letter: str, points: Points, frozen: Frozen, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """The gradient of the gated sum with soft gates, pulled back; random; toward the other code."""
        r, _, _ = self.images(points[letter])
        _, coefficients = self._held(letter, points, frozen)
        soft = tangents.soft_gradient(self.rows, r @ self.rows.T, coefficients, rng)
        pulled = unit(np.einsum("bnk,bn->bk", differences.jacobian(self.layers, points[letter]), soft))
        random = rng.standard_normal(pulled.shape)
        return pulled, random, random, unit(points[_other(letter)])

    def _held(self, letter: str, points: Points, frozen: Frozen) -> tuple[np.ndarray, np.ndarray]:
        """The image of the other code (B, n), and the summands of the rows open there (B, m)."""
        s, opened, _ = self.images(points[_other(letter)])
        summands = frozen.sign[:, None] * (frozen.u @ self.rows.T) * (frozen.v @ self.rows.T)
        return s, opened * summands


def _scaled(x: np.ndarray) -> np.ndarray:
    """x (..., k) divided by a power of two: exact, unlike a unit vector."""
    _, exponent = np.frexp(np.abs(x).max(axis=-1, keepdims=True))
    return np.ldexp(x, -exponent)


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
