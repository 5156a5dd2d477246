"""One inequality of the joint-WDC over boxes of h, x, m, y: Fact 10 with weights, and its pad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from wdccheck import _kernels, gates, rounding
from wdccheck.conditions.weighted import WeightedPair
from wdccheck.forms import Sandwich
from wdccheck.geometry import angle, expected_inner, expected_triangle
from wdccheck.regions import Boxes

__all__ = ["weighted_forms"]

_WIDE = np.pi / 3  # radians: a larger box of m or y is not bounded but split


@dataclass(frozen=True, eq=False)
class _Vertex:
    """A corner v of the boxes of one letter: v (q, B), and (c_i.v)_+ / |v| (l, B)."""

    corner: np.ndarray
    weights: np.ndarray


def weighted_forms(pair: WeightedPair, boxes: Boxes, scale: float) -> Iterator[Sandwich]:
    r"""A sandwich for every pair of corners (v, w) of the boxes of m and y; together they bound.

    Let m = sum_v t_v v be a point of its box, and p_v = t_v |v| / sum_v t_v |v|, so that
    m/|m| = mu_m sum_v p_v v/|v| with 1 <= mu_m <= 1/cos(delta_m): each |v| cos(delta_m) is at most the
    component of v along the center, and |m| is at least that of m. The same for y, with weights q_w.

    *Above*: (c.m)_+ is convex and homogeneous, so with every gate open that may be,
    A <= mu_m mu_y sum_vw p_v q_w A_maybe(v, w). *Below*: where c.m and c.y are positive on
    the whole boxes they are linear, so A >= sum_vw p_v q_w A_sure(v, w), rows with any doubt left out.

    *The expectation* E = alpha kappa(m, y) Q_{h,x} is compared with sum_vw p_v q_w E(v, w), where
    E(v, w) = alpha kappa(v, w) Q_c. kappa is convex and homogeneous in m and in y, so
    kappa <= mu_m mu_y sum p q kappa(v, w); its gradient in m is Q_{m,y} y, which moves by at most
    1/pi per radian (Fact 2), so sum p q kappa(v, w) <= kappa + 2 (delta_m^2 + delta_y^2) / pi.
    Q moves by `wedge` at most (Fact 2), and kappa is at most its value `high` at the smallest angle.

    So A - E <= sum_vw p_v q_w (high_vw - E_vw) with E_vw = E(v, w) + E - sum p q E(v, w), and the largest
    eigenvalue on the left is at most the largest of those on the right; E_vw is within `slack` of
    E(v, w), and within half the spread of kappa over the corners of E. The other side likewise.
    """
    alpha, k, q = pair.alpha, pair.rows.shape[1], pair.others.shape[1]
    error = rounding.expectation_error(max(k, q))
    at = {x: boxes.letters.index(x) for x in (*pair.gating, *pair.weighing)}
    radii = {x: boxes.radii()[i] for x, i in at.items()}
    r, s = (_signs(pair.rows, boxes, at[x]) for x in pair.gating)
    m, y = (_signs(pair.others, boxes, at[x]) for x in pair.weighing)
    low, high = r.positive & s.positive & m.positive & y.positive, ~(r.negative | s.negative)

    q_center, theta = expected_triangle(*(boxes.center[at[x]] for x in pair.gating))
    near, far = _interval(theta, radii, pair.gating, error)
    wedge = sum(radii[x] + np.sin(radii[x]) for x in pair.gating) / (2 * np.pi)
    q_low = np.maximum((np.pi - far - np.sin(far)) / (2 * np.pi) - error, 0.0)  # Fact 1
    q_high = (np.pi - near + np.sin(near)) / (2 * np.pi) + error
    turn = angle(*(boxes.center[at[x]].T for x in pair.weighing))
    near, far = _interval(turn, radii, pair.weighing, error)
    kappa_low = np.maximum(expected_inner(far) - error, 0.0)
    kappa_high = expected_inner(near) + error

    corners = [list(_vertices(pair, boxes, at[x])) for x in pair.weighing]
    kappas = [expected_inner(angle(v.corner.T, w.corner.T)) for v, w in product(*corners)]
    spread = 0.5 * (np.max(kappas, axis=0) - np.min(kappas, axis=0)) + 2 * error
    reach = [radii[x] for x in pair.weighing]
    wide = np.max(reach, axis=0) > _WIDE
    mu = 1.0 / np.prod([np.sin(np.pi / 2 - np.minimum(d, _WIDE)) for d in reach], axis=0) * (1 + 1e-13)
    bend = np.maximum(0.5 * (mu - 1), 2 / np.pi * np.sum(np.square(reach), axis=0)) * (1 + 1e-13)
    slack = alpha * (0.5 * bend + kappa_high * wedge + 4 * error)
    pad = np.where(wide, np.nan, mu * _pad(pair))
    for (v, w), kappa in zip(product(*corners), kappas, strict=True):
        weights = v.weights * w.weights * len(pair.rows)
        yield Sandwich(
            low=pair_outer(pair) @ (weights * low),
            high=(pair_outer(pair) @ (weights * high)) * mu,
            mean=alpha * kappa * q_center,
            slack=slack,
            floor=alpha * (kappa_low * q_low - spread),
            ceiling=alpha * (kappa_high * q_high + spread),
            pad=pad,
            scale=scale,
        )


def pair_outer(pair: WeightedPair) -> np.ndarray:
    """The outer products of the rows: small wherever there are boxes."""
    return _kernels.outer_products(pair.rows) if pair.outer is None else pair.outer


def _signs(rows: np.ndarray, boxes: Boxes, letter: int) -> gates.LineSigns:
    return gates.line_signs(rows, np.abs(rows), rounding.gate_error(rows), boxes, letter)


def _interval(
    theta: np.ndarray, radii: dict[str, np.ndarray], letters: tuple[str, str], error: float
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest angle between two letters on their boxes."""
    reach = radii[letters[0]] + radii[letters[1]] + error
    return np.clip(theta - reach, 0.0, np.pi), np.clip(theta + reach, 0.0, np.pi)


def _vertices(pair: WeightedPair, boxes: Boxes, letter: int) -> Iterator[_Vertex]:
    """The 2^(q-1) corners of each box; exact, as centers and widths are dyadic."""
    center, half = boxes.center[letter], boxes.half[letter]
    order = np.argsort(half == 0, axis=0, kind="stable")  # the face comes last
    for choice in product((-1.0, 1.0), repeat=len(center) - 1):
        signs = np.zeros_like(half)
        np.put_along_axis(signs, order[:-1], np.array(choice)[:, None], axis=0)
        corner = center + signs * half
        length = np.sqrt(np.sum(corner * corner, axis=0))
        yield _Vertex(corner, np.maximum(pair.others @ corner, 0.0) / length)


def _pad(pair: WeightedPair) -> float:
    """What rounding adds to A, before the factor mu.

    With |v_j| <= 1 <= |v|, c.v errs by less than e = gate_error, its quotient by |v| by less than
    2 e more, and (c.v)_+/|v| is at most a = ||c||_1. So the product of two errs by less than 7 e a, and
    by less than e a once it is multiplied by l and mu: 10 e a in all. The Gram matrix adds gram_error.
    """
    total = np.abs(pair.others).sum(axis=1)
    squares = np.sum(pair.rows**2, axis=1)
    lost = 10 * rounding.gate_error(pair.others) * total
    gram = rounding.gram_error(*pair.rows.shape) * total**2
    count = len(pair.rows)
    return float(np.sum((lost + gram) * squares)) * count * (1 + 1e-9) + 2.0**-1000
