"""One inequality of the joint-WDC over boxes of h, x, m, y: Fact 10 with weights, and its pad.

Notation for all forms. A box of m has the corners v; a point of it is m = sum_v t_v v, t >= 0. With
p_v = t_v |v| / sum t_v |v| its direction is m^ = mu sum_v p_v v^ for some 1 <= mu <= max_v |v||c| / (c.v),
c the center: |m| is at least its component along c. So a function that is convex and homogeneous of
degree d in m is at most mu^d times the average, with weights p_v, of its values at v^.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from wdccheck import _kernels
from wdccheck.conditions.joint_wdc.parts import WeightedPair
from wdccheck.geometry import expectation, gates
from wdccheck.geometry.arrangements import Lines, group_by_line
from wdccheck.geometry.boxes import Boxes
from wdccheck.linalg import matrices, rounding
from wdccheck.protocol.forms import Sandwich

__all__ = ["WeightedForms", "scattered"]

_COARSE = ((1.0, 0.5),)
_FINE = ((1.0, 0.5), (0.819, 0.318), (0.182, 0.0))
"""Vertices (s, k) of polygons below the curve s = cos^2(phi/2), k = kappa(phi): see `bisected`."""


@dataclass(frozen=True, eq=False)
class _Corners:
    """The corners of the boxes of one letter: v (q, B) and (c_i.v)_+ / |v| (l, B) of each, and mu (B,)."""

    at: list[np.ndarray]
    weights: list[np.ndarray]
    mu: np.ndarray


@dataclass(frozen=True, eq=False)
class _Gates:
    """h and x on their boxes: lines that may be open upward and downward, and that are (L, B); Q.

    `mean`, `wedge`, `low`, `high`: Q of the centers (packed, B); how far Q may be from it, and its least
    and largest eigenvalue, each (B,), errors included. All 0 <= Q <= 1/2 where a box is a whole cube.
    """

    maybe: tuple[np.ndarray, np.ndarray]
    sure: tuple[np.ndarray, np.ndarray]
    mean: np.ndarray
    wedge: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class _CornerPair:
    """A corner of m and one of y: products of weights (l, B), kappa, mu (B,), rows of weights surely > 0."""

    weights: np.ndarray
    kappa: np.ndarray
    mu: np.ndarray
    sure: np.ndarray


@dataclass(frozen=True, eq=False)
class WeightedForms:
    """Forms of ``A - E``, A = sum of w_i b_i b_i^T over open rows, E = alpha kappa(m, y) Q_{h,x}.

    Opposite rows are never open together: of both only the larger weight counts above.

    Parameters
    ----------
    pair : WeightedPair
    scale : float
        A power of two: deviations are multiplied by it.
    """

    pair: WeightedPair
    scale: float

    def of(self, side: str, boxes: Boxes, fine: bool) -> Iterator[Sandwich]:
        """The forms of a side: "bisected", "below", "both" or "cap"."""
        if side == "bisected":
            yield from self.bisected(boxes, fine)
        if side in ("below", "both"):
            yield from self.below(boxes)
        if side == "both":
            yield from self.above(boxes)
        if side == "cap":
            yield from self.cap(boxes)

    def bisected(self, boxes: Boxes, fine: bool) -> Iterator[Sandwich]:
        r"""lambda_max(A - E) <= t, wherever the bisector b of m and y is in the box of m.

        Let b be a unit vector along m + y, phi the angle between m and y, s = cos^2(phi/2). Then
        (c.m)(c.y) = s (c.b)^2 - (1 - s) (c.d)^2, d along m - y, and if both factors are positive so is
        c.b. Hence (c.m)_+ (c.y)_+ <= s (c.b)_+^2 and A <= s A_b, A_b that of m = y = b; if m = -y, A = 0.
        As a function of s, kappa is convex: its derivative is 2 d kappa/d cos(phi) = (pi - phi)/pi. So
        the curve (s, kappa) lies above its tangents, that is above a polygon with vertices (s_j, k_j),
        and for every unit u, with a = u^T A_b u >= 0 and q = u^T Q u >= 0,

            u^T (A - E) u <= s a - alpha kappa q <= max_j (s_j a - alpha k_j q, 0).

        The tangent k = s - 1/2 at m = y alone gives the vertices (1, 1/2) and (0, -1/2); the second asks
        for alpha q / 2 <= t, stated as the other side of the sandwich of the first. That is nothing to
        ask for if t >= alpha/4. If `fine`, there are the tangents at pi/2 and pi, too: vertices (1, 1/2),
        (1/2 + 1/pi, 1/pi), (1/2 - 1/pi, 0); those of _FINE have larger s and smaller k.

        In b, A_b is convex and homogeneous of degree 2.
        """
        opened, corners = self._gates(boxes), self._corners(boxes, self.pair.weighing[0])
        alpha, error, square = self.pair.alpha, self._error, corners.mu**2
        for weights in corners.weights:
            high = self._gram(weights**2 * len(self.pair.rows), opened.maybe)
            for s, k in _FINE if fine else _COARSE:
                mean = alpha * k * opened.mean
                yield Sandwich(
                    low=mean if fine else np.zeros_like(mean),
                    high=high * (s * square),
                    mean=mean,
                    slack=alpha * (k * opened.wedge + 2 * error),
                    floor=alpha * k * opened.low,
                    ceiling=np.zeros(len(boxes)) if fine else alpha * k * opened.high,
                    pad=square * self._pad,
                    scale=self.scale,
                )

    def below(self, boxes: Boxes) -> Iterator[Sandwich]:
        r"""lambda_max(E - A) <= t: a form for every pair of corners (v, w) of m and y.

        kappa = m^T Q_{m,y} y is convex and homogeneous of degree 1 in m and in y, so
        E <= mu sum_vw p_v q_w E_vw, with E_vw = alpha kappa(v, w) Q_{h,x} and mu the product of both;
        and where c.m and c.y are positive on the whole boxes they are linear, so
        A >= mu sum_vw p_v q_w A_sure(v, w), rows with any doubt left out. So
        E - A <= mu sum_vw p_v q_w (E_vw - A_vw). If mu' (E_vw - A_vw) <= t' for all v, w, with mu' >= mu
        and t' >= 0, then E - A <= t'. If t' = t - pad is negative, E - A < 0 < t.
        """
        opened = self._gates(boxes)
        for at in self._pairs(boxes):
            alpha, error = self.pair.alpha * at.mu, self._error
            mean = alpha * at.kappa * opened.mean
            yield Sandwich(
                low=self._gram(at.weights * at.sure * len(self.pair.rows), opened.sure) * at.mu,
                high=np.zeros_like(mean),
                mean=mean,
                slack=alpha * (at.kappa * opened.wedge + 2 * error),
                floor=np.zeros(len(boxes)),
                ceiling=alpha * (at.kappa * opened.high + 2 * error),
                pad=at.mu * self._pad,
                scale=self.scale,
            )

    def above(self, boxes: Boxes) -> Iterator[Sandwich]:
        r"""lambda_max(A - E) <= t: a form for every pair of corners (v, w) of m and y.

        (c.m)_+ is convex and homogeneous, so A <= mu sum_vw p_v q_w A_maybe(v, w). The gradient of kappa
        in m is Q_{m,y} y, which moves by at most 1/pi per radian (Fact 2), so
        sum_vw p_v q_w kappa(v, w) <= kappa + bend, bend = 2 (delta_m^2 + delta_y^2) / pi. So
        A - E <= sum_vw p_v q_w (mu' A_vw - alpha (kappa(v, w) - bend) Q), and Q <= 1/2.
        """
        reach = [boxes.radii()[boxes.letters.index(x)] for x in self.pair.weighing]
        # six roundings are far below 1e-13; the radii are bounds
        bend = 2 / np.pi * np.sum(np.square(reach), axis=0) * (1 + 1e-13)
        opened = self._gates(boxes)
        for at in self._pairs(boxes):
            alpha, mean = self.pair.alpha, self.pair.alpha * at.kappa * opened.mean
            yield Sandwich(
                low=mean,
                high=self._gram(at.weights * len(self.pair.rows), opened.maybe) * at.mu,
                mean=mean,
                slack=alpha * (0.5 * bend + at.kappa * opened.wedge + 2 * self._error),
                floor=alpha * (at.kappa * opened.low - 0.5 * bend - 2 * self._error),
                ceiling=np.zeros(len(boxes)),
                pad=at.mu * self._pad,
                scale=self.scale,
            )

    def cap(self, boxes: Boxes) -> Iterator[Sandwich]:
        """E <= alpha/4, so lambda_max(E - A) <= t if t is as large."""
        none = np.zeros((len(self._outer), len(boxes)))
        zero, most = none[0], none[0] + 0.25 * self.pair.alpha
        yield Sandwich(none, none, none, most, zero, most, zero, self.scale)

    def _pairs(self, boxes: Boxes) -> Iterator[_CornerPair]:
        """All pairs of corners of m and y."""
        m, y = (self._corners(boxes, x) for x in self.pair.weighing)
        sure_m, sure_y = (self._signs(self.pair.others, boxes, x).positive for x in self.pair.weighing)
        for (a, v), (b, w) in product(zip(m.at, m.weights, strict=True), zip(y.at, y.weights, strict=True)):
            kappa = expectation.expected_inner(expectation.angle(a.T, b.T))
            yield _CornerPair(v * w, kappa, m.mu * y.mu, sure_m & sure_y)

    def _gram(self, weights: np.ndarray, opened: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Sum over lines of the larger of the weights along it and against it, of what is opened."""
        up, down = opened
        if self._sides is None:
            return self._outer @ (weights[self._order] * up)
        along, against = (side @ weights for side in self._sides)
        return self._outer @ np.maximum(along * up, against * down)

    def _gates(self, boxes: Boxes) -> _Gates:
        at = [boxes.letters.index(x) for x in self.pair.gating]
        r, s = (self._signs(self._lines.rows, boxes, x) for x in self.pair.gating)
        cube = np.any([~boxes.center[i].any(axis=0) for i in at], axis=0)
        boxes = replace(boxes, center=tuple(np.where(c.any(axis=0), c, 1.0) for c in boxes.center))
        q, theta = expectation.expected_triangle(*(boxes.center[i] for i in at))  # any, of cubes
        radii = [boxes.radii()[i] for i in at]
        near, far = (np.clip(theta + sign * (sum(radii) + self._error), 0.0, np.pi) for sign in (-1, 1))
        least, largest = expectation.expected_range(near, far)
        return _Gates(
            (~(r.negative | s.negative), ~(r.positive | s.positive)),
            (r.positive & s.positive, r.negative & s.negative),
            np.where(cube, 0.0, q),
            np.where(cube, 0.5, expectation.expected_turn(*radii) + self._error),
            np.where(cube, 0.0, np.maximum(least - self._error, 0.0)),
            np.where(cube, 0.5, largest + self._error),
        )

    def _signs(self, rows: np.ndarray, boxes: Boxes, letter: str) -> gates.LineSigns:
        return gates.line_signs(rows, np.abs(rows), rounding.gate_error(rows), boxes,
                                boxes.letters.index(letter))

    def _corners(self, boxes: Boxes, letter: str) -> _Corners:
        """The 2^(q-1) corners of each box; exact, as centers and widths are dyadic."""
        i = boxes.letters.index(letter)
        center, half = boxes.center[i], boxes.half[i]
        order = np.argsort(half == 0, axis=0, kind="stable")  # the face comes last
        at, weights, ratios = [], [], []
        for choice in product((-1.0, 1.0), repeat=len(center) - 1):
            signs = np.zeros_like(half)
            np.put_along_axis(signs, order[:-1], np.array(choice)[:, None], axis=0)
            corner = center + signs * half
            length = np.sqrt(np.sum(corner * corner, axis=0))
            at.append(corner)
            weights.append(np.maximum(self.pair.others @ corner, 0.0) / length)
            along = np.sum(corner * center, axis=0)  # at least 1 on a face that was bisected
            ratios.append(np.where(along > 0, length / np.where(along > 0, along, 1.0), np.nan))
        # c.v sums terms >= 0: gamma(q); two lengths err by (q/2 + 1) u each: (2q + 6) u in all
        mu = np.max(ratios, axis=0) * np.sqrt(np.sum(center * center, axis=0))
        return _Corners(at, weights, mu * (1 + 16 * (len(center) + 8) * rounding.UNIT))

    @cached_property
    def _lines(self) -> Lines:
        return group_by_line(self.pair.rows)

    @cached_property
    def _outer(self) -> np.ndarray:
        return _kernels.outer_products(self._lines.rows)

    @cached_property
    def _sides(self) -> list[matrices.Rows] | None:
        """Sparse (L, l): squares of what row i is of line j, along it and against it; None if all are 1."""
        used, count = np.flatnonzero(self._lines.owner >= 0), len(self._lines.rows)
        if len(used) == count:
            return None
        from scipy.sparse import csr_array
        squares = (np.square(np.maximum(sign * self._lines.ratio[used], 0.0)) for sign in (1, -1))
        at, shape = (self._lines.owner[used], used), (count, len(self._lines.owner))
        return [csr_array((square, at), shape=shape) for square in squares]

    @cached_property
    def _order(self) -> np.ndarray:
        """The row of each line, where every line has one row."""
        nonzero = np.flatnonzero(self._lines.owner >= 0)
        return nonzero[np.argsort(self._lines.owner[nonzero])]

    @cached_property
    def _error(self) -> float:
        """What Q errs by; kappa Q by less, as both are at most 1/2; the rest rounds by less than 20 u."""
        return rounding.expectation_error(max(self.pair.rows.shape[1], self.pair.others.shape[1]))

    @cached_property
    def _pad(self) -> float:
        """What rounding adds to A, before the factors mu.

        With |v_j| <= 1 <= |v|, c.v errs by less than e = gate_error, its quotient by |v| by less than
        2 e more, and (c.v)_+/|v| is at most a = ||c||_1. So the product of two errs by less than 7 e a, and
        by less than e a once it is multiplied by l, mu and s (four roundings; e is at least 12 u a):
        10 e a in all. The Gram matrix adds gram_error.
        """
        pair = self.pair
        total = np.abs(pair.others).sum(axis=1)
        squares = np.sum(pair.rows**2, axis=1)
        lost = 10 * rounding.gate_error(pair.others) * total
        gram = rounding.gram_error(*pair.rows.shape) * total**2
        return float(np.sum((lost + gram) * squares)) * len(pair.rows) * (1 + 1e-9) + 2.0**-1000


def scattered(form: Sandwich, index: np.ndarray, count: int) -> Sandwich:
    """The form for the regions `index` of a batch of `count`; of the others it claims nothing."""
    def spread(x: np.ndarray) -> np.ndarray:
        full = np.zeros((*x.shape[:-1], count))
        full[..., index] = x
        return full

    return Sandwich(spread(form.low), spread(form.high), spread(form.mean), spread(form.slack),
                    spread(form.floor), spread(form.ceiling), spread(form.pad), form.scale)
