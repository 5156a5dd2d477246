"""Attacks on the upper bounds of the joint-WDC: what a region claims is never below what it holds."""

from __future__ import annotations

from dataclasses import fields, replace

import mpmath
import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import exact_dot, exact_q, fractions
from examples.matrices import MATRICES
from wdccheck.conditions.joint_wdc import theorems
from wdccheck.conditions.joint_wdc.forms import WeightedForms
from wdccheck.conditions.joint_wdc.proof import KINDS, Sides
from wdccheck.conditions.joint_wdc.theorems import _proved_top, _turned
from wdccheck.engines.proving.relax import proved_below
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.expectation import unit
from wdccheck.protocol.forms import Sandwich

KINDS_OF_ROWS = sorted(set(MATRICES) - {"tiny", "huge"})


def attacked(rng, kind, largest=3):
    n, p = rng.integers(1, largest + 1, 2)
    B, C = MATRICES[kind](rng, n), MATRICES[kind](rng, p)
    count = min(len(B), len(C), 12)
    B, C = (W[:count] / (np.abs(W).max() or 1.0) for W in (B, C))
    return wc.JointWDC(B, C, float(rng.choice([0.1, 1.0, count, 10.0 * count])))


def descended(condition, rng, count=12):
    """Regions of one random depth; many around walls, near h = +-x and m = +-y."""
    sides = [("bisected", "below"), ("both",), ("bisected", "cap")][rng.integers(3)]
    regions = Sides.cover(condition.B.shape[1], condition.C.shape[1], sides)
    i, walls = int(rng.integers(len(condition.B))), rng.choice([0.0, 100.0, 1e4], 4)
    regions = regions.take(rng.integers(len(regions), size=count))
    for _ in range(int(rng.integers(2, 40))):
        regions = regions.take(regions.splittable())
        if not len(regions):
            return regions.join([regions, Sides.cover(condition.B.shape[1], condition.C.shape[1], sides)])
        children = regions.split()
        # toward the child that keeps the letters of a pair together, or apart, or at random
        centers = children.centers()
        score = rng.standard_normal(len(children))
        for a, b, sign in (("h", "x", rng.choice([-1, 0, 1])), ("m", "y", rng.choice([-1, 0, 1]))):
            score += 1e3 * sign * np.sum(centers[a] * centers[b], axis=1)
        for letter, wall in zip("hxmy", walls, strict=True):
            row = (condition.B if letter in "hx" else condition.C)[i]
            score -= wall * np.abs(centers[letter] @ row)
        best = np.argsort(-score)
        regions = children.take(np.concatenate([best[: count // 2], rng.permutation(best)[: count // 2]]))
    return regions


def one(form, i):
    return replace(form, **{f.name: getattr(form, f.name)[..., i:i + 1]
                            for f in fields(Sandwich) if f.name != "scale"})


def held(condition, regions, rng, n=60):
    """The largest value, at points of each region, of what the region is a bound of."""
    centers, result = regions.centers(), []
    sampled = {x: np.concatenate([centers[x][:, None], p], axis=1) for x, p in regions.sample(rng, n).items()}
    for i, kind in enumerate(regions.kind):
        (part, side), points = KINDS[kind], {x: p[i].copy() for x, p in sampled.items()}
        pair = condition.units.parts[part]
        if side == "bisected":  # turn the weighing letters apart, about their bisector
            m, y = pair.weighing
            bisector = unit(points[m])
            across = rng.standard_normal(bisector.shape)
            across -= np.sum(across * bisector, axis=1, keepdims=True) * bisector
            turn = np.tan(rng.uniform(0, np.pi / 2, (len(across), 1)) * rng.integers(0, 2, (len(across), 1)))
            points[m], points[y] = bisector + turn * unit(across), bisector - turn * unit(across)
        ends = np.linalg.eigvalsh(pair.difference(points, pair.exactly_open(points)))[:, [0, -1]]
        value = {"bisected": ends[:, 1].max(), "below": -ends[:, 0].min(), "both": np.abs(ends).max(),
                 "cap": pair.alpha / 4}[side]
        result.append(np.ldexp(value, condition.units.scale))
    return result


def lies(condition, regions, rng, forge=lambda forms: forms, forms_of=None):
    """How many regions are proved to stay below what they hold at one of their own points."""
    largest, found = held(condition, regions, rng), 0
    forms = forge(list(condition.proof.forms(regions) if forms_of is None else forms_of(regions)))
    for i in range(len(regions)):
        t = largest[i] * (1 - 1e-9)
        found += t > 0 and all(proved_below(one(form, i), t)[0] for form in forms)
    return found


@pytest.mark.parametrize("kind", KINDS_OF_ROWS)
def test_no_region_claims_less_than_it_holds(kind):
    rng = np.random.default_rng(KINDS_OF_ROWS.index(kind))
    for _ in range(4):
        condition = attacked(rng, kind)
        assert lies(condition, descended(condition, rng), rng) == 0


def alone(fine):
    """The forms of one kind of regions, asked of directly."""
    def forms_of(condition, regions):
        part, side = KINDS[regions.kind[0]]
        return list(condition.proof._forms[part].of(side, regions.boxes, fine))

    return forms_of


def _gates_with(**changes):
    """Gates in which one field is another."""
    plain = WeightedForms._gates

    def gates(self, boxes):
        found = plain(self, boxes)
        return replace(found, **{name: change(found) for name, change in changes.items()})

    return {"_gates": gates}


def _without_mu(self, boxes, letter, plain=WeightedForms._corners):
    found = plain(self, boxes, letter)
    return replace(found, mu=np.ones_like(found.mu))


def _sure_whatever_the_weights(self, boxes, plain=WeightedForms._pairs):
    for at in plain(self, boxes):
        yield replace(at, sure=True)


def _one_side_of_lines(self, weights, opened):
    along = weights[self._order] if self._sides is None else self._sides[0] @ weights
    return self._outer @ (along * opened[0])


MUTATIONS = {  # what is replaced in WeightedForms, and the forms after that
    "no wedge": (_gates_with(wedge=lambda g: 0 * g.wedge), None),
    "half a wedge": (_gates_with(wedge=lambda g: g.wedge / 2), None),
    "high without the undecided rows": (_gates_with(maybe=lambda g: g.sure), None),
    "low with the undecided rows": (_gates_with(sure=lambda g: g.maybe), None),
    "low without the signs of m and y": ({"_pairs": _sure_whatever_the_weights}, None),
    "opposite rows left out": ({"_gram": _one_side_of_lines}, None),
    "corners without mu": ({"_corners": _without_mu}, None),
    "a high floor": (_gates_with(low=lambda g: g.high), None),
    "a low ceiling": (_gates_with(high=lambda g: g.low), None),
    "no slack": ({}, lambda forms: [replace(f, slack=0 * f.slack, floor=0 * f.floor) for f in forms]),
    "one corner": ({}, lambda forms: forms[:1]),
    "the upper side": ({}, lambda forms: [replace(f, low=f.mean, ceiling=0 * f.slack) for f in forms]),
    "no row above": ({}, lambda forms: [replace(f, high=0 * f.high) for f in forms]),
}


SEEDS = {  # of those that hardly any condition shows: one is met soon
    "low with the undecided rows": 8, "low without the signs of m and y": 8, "corners without mu": 3}


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_mutated_forms_are_caught(name, monkeypatch):
    changes, forge = MUTATIONS[name]
    for method, change in changes.items():
        monkeypatch.setattr(WeightedForms, method, change)
    rng, caught = np.random.default_rng(SEEDS.get(name, 0)), 0
    for _ in range(300):
        condition = attacked(rng, str(rng.choice(KINDS_OF_ROWS)), largest=2)
        condition = condition.with_alpha(condition.alpha * rng.choice([1.0, 10.0]))
        regions = descended(condition, rng)
        for kind in np.unique(regions.kind):
            some = regions.take(regions.kind == kind)
            caught += lies(condition, some, rng, forge or list,
                           lambda r, c=condition: alone(bool(rng.integers(2)))(c, r))
        if caught:
            return
    pytest.fail(f"{name}: every claim held")


@pytest.mark.parametrize("sides", [("bisected",), ("below",), ("both",)])
def test_regions_cover_the_spheres_up_to_exchange(sides):
    rng = np.random.default_rng(2)
    regions = Sides.cover(3, 2, sides)
    for depth in range(9):
        for _ in range(20):
            point = {x: rng.standard_normal(d) for x, d in zip("hxmy", (3, 3, 2, 2), strict=True)}
            choices = [{"h": point[a], "x": point[b], "m": point[c], "y": point[d]}
                       for a, b in ("hx", "xh") for c, d in ("my", "ym")]
            inside = np.any([regions.contains({x: np.tile(v, (len(regions), 1)) for x, v in choice.items()})
                             for choice in choices], axis=0)
            claims = {(part, side) for part in "BC" for side in sides}
            assert {KINDS[k] for k in regions.kind[inside]} == claims
        if depth == 8 or len(regions) > 20_000:
            break
        regions = regions.split()


def test_there_are_regions_in_small_dimensions_only():
    assert wc.JointWDC(np.ones((2, 3)), np.ones((2, 1))).proof.boxes() is not None
    assert wc.JointWDC(np.ones((2, 9)), np.ones((2, 1))).proof is None


def test_a_round_below_epsilon_never_succeeds():
    rng = np.random.default_rng(4)
    for _ in range(6):
        condition = attacked(rng, str(rng.choice(KINDS_OF_ROWS)), largest=2)
        lower = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(8192)).lower
        found = wc.bracket(condition, wc.BranchAndBound(nodes=30_000), target=lower * 0.999)
        assert found.upper > lower * 0.999


def exact_part(B, C, alpha, h, x, m, y):
    """[HJ] eq. 6 times l, of the stored floats; call it inside ``mpmath.workdps``."""
    k, h_, x_, m_, y_ = B.shape[1], fractions(h), fractions(x), fractions(m), fractions(y)
    difference = mpmath.matrix(k, k)
    norm = [mpmath.sqrt(mpmath.fsum(mpmath.mpf(float(t)) ** 2 for t in v)) for v in (m, y)]
    q, inner = exact_q(m, y), mpmath.mpf(0)
    for i in range(len(m)):
        for j in range(len(y)):
            inner += mpmath.mpf(float(m[i])) * q[i, j] * mpmath.mpf(float(y[j]))
    gate = exact_q(h, x)
    for b, c in zip(fractions(B), fractions(C), strict=True):
        if exact_dot(b, h_) > 0 and exact_dot(b, x_) > 0:
            weight = len(B) * max(exact_dot(c, m_), 0) * max(exact_dot(c, y_), 0)
            for i in range(k):
                for j in range(k):
                    entry = weight * b[i] * b[j]
                    difference[i, j] += mpmath.mpf(entry.numerator) / entry.denominator
    difference -= mpmath.mpf(float(alpha)) * inner * gate
    return max(abs(v) for v in mpmath.eigsy(difference, eigvals_only=True)) / (norm[0] * norm[1])


@pytest.mark.parametrize("kind", KINDS_OF_ROWS)
def test_lower_bounds_are_below_the_exact_deviation(kind):
    rng = np.random.default_rng(KINDS_OF_ROWS.index(kind))
    condition = attacked(rng, kind)
    points = condition.search.seeds(rng, 4)
    points["m"] *= 1e-150
    for i in range(4):
        h, x, m, y = (points[letter][i] for letter in "hxmy")
        lower = condition.lower_bound({"h": h, "x": x, "m": m, "y": y})
        with mpmath.workdps(120):
            first = exact_part(condition.B, condition.C, condition.alpha, h, x, m, y)
            second = exact_part(condition.C, condition.B, condition.alpha, m, y, h, x)
            assert lower <= max(first, second)


# -- points and boxes on walls, at every scale ------------------------------------------------------


def plain_rows(rng, count, k):
    """Gaussian or integer; in some of them row lengths differ by many orders."""
    W = rng.standard_normal((count, k))
    W = np.round(2 * W) if rng.random() < 0.4 else W
    return W * 10.0 ** rng.uniform(-14, 0, (count, 1)) if rng.random() < 0.3 else W


def near_wall(rng, W):
    """A direction, often on a wall of W up to rounding or to one part in 10^8."""
    k, w = W.shape[1], W[rng.integers(len(W))]
    v = rng.standard_normal(k) if rng.random() < 0.7 else rng.integers(-2, 3, k).astype(float)
    if rng.random() < 0.6 and k > 1 and w.any():
        w = w / np.abs(w).max()
        v = v - (v @ w) / (w @ w) * w + w * rng.choice([-1, 1]) * 10.0 ** rng.choice([-300, -16, -12, -8])
    return v if v.any() else np.ones(k)


def pair_of(rng, W):
    """Equal, parallel, nearly antipodal or unrelated letters."""
    a, kind = near_wall(rng, W), rng.random()
    b = a * rng.choice([1.0, 3.7]) if kind < 0.3 else near_wall(rng, W)
    return a, -a + 10.0 ** rng.choice([-300, -16, -8]) * b if 0.3 <= kind < 0.6 else b


def box_around(rng, points):
    """One dyadic box per letter, of any size down to 2^-30, that holds the direction of its point."""
    equal, centers, halves = rng.random() < 0.5, [], []
    depth = int(rng.integers(1, 30))
    for value in points.values():
        half = 2.0 ** -(depth if equal else int(rng.integers(1, 30)))
        face = int(np.argmax(np.abs(value)))
        v = value / np.abs(value[face])
        c, h = np.clip((np.floor(v / (2 * half)) * 2 + 1) * half, -1 + half, 1 - half), np.full(len(v), half)
        c[face], h[face] = np.sign(value[face]), 0.0
        centers.append(c[:, None])
        halves.append(h[:, None])
    return Boxes(tuple(points), tuple(centers), tuple(halves))


def sides_of(rng, boxes, kind):
    """The region of one kind there; a few of its gate letters are free."""
    part, side = KINDS[kind]
    center, half = list(boxes.center), list(boxes.half)
    free = () if side != "bisected" else ((0, 1, 3) if part == "B" else (2, 3, 1))
    for position, i in enumerate(free):
        if position == 2 or rng.random() < 0.1:
            center[i], half[i] = 0 * center[i], 0 * half[i] + 1.0
    return Sides(np.array([kind]), Boxes(boxes.letters, tuple(center), tuple(half)))


@pytest.mark.parametrize("seed", range(3))
def test_boxes_around_corners_claim_no_less_than_they_hold(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        count, (n, p) = int(rng.integers(1, 7)), rng.integers(1, 4, 2)
        B, C = plain_rows(rng, count, n), plain_rows(rng, count, p)
        B = np.vstack([B, -B[:1], B[:1]]) if (twice := rng.random() < 0.5) else B
        C = np.vstack([C, C[:1], -C[:1]]) if twice else C
        condition = wc.JointWDC(B, C, float(rng.choice([1e-3, 1.0, 10.0, 100.0, 1e4])))
        points = dict(zip("hxmy", (*pair_of(rng, B), *pair_of(rng, C)), strict=True))
        boxes = box_around(rng, points)
        for kind in range(len(KINDS) - 1):
            region, fine = sides_of(rng, boxes, kind), bool(rng.integers(2))
            assert not lies(condition, region, rng, forms_of=lambda r: alone(fine)(condition, r)), (  # noqa: B023
                B, C, condition.alpha, points, kind)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [0, 4])
def test_weights_larger_inside_a_box_than_at_its_corners(depth, kind):
    """(c.m)_+ / |m| has its maximum at m = c, the center: corners alone claim too little."""
    half, center = 2.0**-depth, np.array([1.0, 0.5, -0.5])
    one_box = (np.array([[1.0]]), np.array([[0.0]]))
    side = (center[:, None], np.array([[0.0], [half], [half]]))
    boxes = Boxes(tuple("hxmy"), *zip(one_box, one_box, side, side, strict=True))
    condition, rng = wc.JointWDC([[1.0]], center[None], 1e-6), np.random.default_rng(0)
    assert lies(condition, Sides(np.array([kind]), boxes), rng) == 0


@pytest.mark.parametrize("seed", range(3))
def test_lower_bounds_hold_on_walls_and_at_every_scale(seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        count, (n, p) = int(rng.integers(1, 5)), rng.integers(1, 4, 2)
        e, f = (int(i) for i in rng.integers(-230, 230, 2))
        B, C = np.ldexp(plain_rows(rng, count, n), e), np.ldexp(plain_rows(rng, count, p), f)
        alpha = np.ldexp(10.0 ** rng.choice([-30, -16, -8, 0, 2]), 2 * (e + f))
        try:
            condition = wc.JointWDC(B, C, float(alpha))
        except wc.InvalidInput:
            continue
        (h, x), (m, y) = pair_of(rng, B), pair_of(rng, C)
        h, y = h * 10.0 ** rng.choice([-150, 0, 290]), y * 2.0 ** rng.choice([-400, 0, 900])
        lower = condition.lower_bound({"h": h, "x": x, "m": m, "y": y})
        with mpmath.workdps(400):
            exact = max(exact_part(B, C, alpha, h, x, m, y), exact_part(C, B, alpha, m, y, h, x))
            assert lower <= exact * (1 + mpmath.mpf(10) ** -90), (B, C, alpha, h, x, m, y)


def test_each_pair_of_letters_may_be_exchanged_alone():
    rng = np.random.default_rng(6)
    condition = wc.JointWDC(rng.standard_normal((7, 3)), rng.standard_normal((7, 2)))
    points = condition.search.seeds(rng, 50)
    for a, b in ("hx", "my"):
        exchanged = condition.parts({**points, a: points[b], b: points[a]})
        for name, value in condition.parts(points).items():
            np.testing.assert_allclose(exchanged[name], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("alpha", [5e-324, 1e-323, 1.5e-323, 1e-320])
def test_caps_are_not_rounded_to_zero(alpha):
    """No row of B meets one of C, so epsilon is alpha/4, less than any positive float."""
    condition = wc.JointWDC([[1e-36, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1e-36]], alpha)
    assert all(4 * fractions([cap.value])[0] >= fractions([alpha])[0] for cap in condition.theorems.caps())


# -- upper bounds against long searches ---------------------------------------------------------------


def largest_sum(B, C, rng, chains=40, steps=30):
    """A value of sum_i (c_i.m)_+^2 (b_i.u)^2 at unit m, u: one after the other, by eigenvectors."""
    m, best = unit(rng.standard_normal((chains, C.shape[1]))), 0.0
    for _ in range(steps):
        weights = np.maximum(m @ C.T, 0.0) ** 2
        values, basis = np.linalg.eigh(np.einsum("zi,ij,ik->zjk", weights, B, B))
        best, u = max(best, values[:, -1].max()), basis[:, :, -1]
        open_rows = (m @ C.T > 0) * (u @ B.T) ** 2
        ahead = np.linalg.eigh(np.einsum("zi,ij,ik->zjk", open_rows, C, C))[1][:, :, -1]
        m = ahead * np.where(np.sum(ahead * m, axis=1, keepdims=True) < 0, -1.0, 1.0)
    return best


@pytest.mark.parametrize("kind", KINDS_OF_ROWS)
def test_caps_are_above_what_a_search_exhibits(kind):
    rng = np.random.default_rng(7 + KINDS_OF_ROWS.index(kind))
    for _ in range(3):
        condition = attacked(rng, kind, largest=5)
        B, C = condition.units.B, condition.units.C
        for V, W in ((B, C), (C, B)):
            found = largest_sum(V, W, rng)
            for s, steps in ((0.0, 0), (0.5, 2), (0.9375, 8), (1.0, 8)):
                assert found <= _turned(V, W, s, steps) * (1 + 1e-12)
        lower = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(2048)).lower
        assert all(cap.value >= lower for cap in condition.theorems.caps())


def test_the_cap_of_one_row_is_sharp():
    condition = wc.JointWDC([[3.0, 4.0]], [[1.0, 1.0]])
    assert min(cap.value for cap in condition.theorems.caps()) == pytest.approx(50.0, rel=1e-9)


def test_a_cap_by_a_matrix_that_is_not_zero_on_products_is_caught(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(theorems, "_proved_top", lambda T, Z: plain_top(T, Z - 0.2 * np.eye(len(Z))))
    B, C = rng.standard_normal((2, 12, 3))
    with pytest.raises(AssertionError):
        for _ in range(10):
            assert largest_sum(B, C, rng) <= _turned(B, C, 0.9375, 40)
            B, C = rng.standard_normal((12, 1)), rng.standard_normal((12, 2))


def plain_top(T, Z):
    return float(np.linalg.eigvalsh(T.T @ T + Z)[-1])


@pytest.mark.parametrize("kind", KINDS_OF_ROWS)
def test_proved_tops_are_above_exact_ones(kind):
    rng = np.random.default_rng(KINDS_OF_ROWS.index(kind))
    T = MATRICES[kind](rng, 3)
    T = T / (np.abs(T).max() or 1.0)
    Z = rng.standard_normal((3, 3)) * 10.0 ** rng.uniform(-9, 1)
    with mpmath.workdps(60):
        S = mpmath.matrix(T.tolist()).T * mpmath.matrix(T.tolist()) + mpmath.matrix((Z + Z.T).tolist())
        exact = max(mpmath.eigsy(S, eigvals_only=True))
        assert exact <= _proved_top(T, Z + Z.T) <= exact + 1e-8 * (1 + abs(exact))


def paired(rng, name):
    """Small pairs whose rows depend on each other in every way."""
    n, p = ((1, 2), (2, 1), (2, 2))[rng.integers(3)]
    B, C = plain_rows(rng, int(rng.integers(2, 6)), n), None
    C = plain_rows(rng, len(B), p)
    if name == "opposite":
        B, C = np.vstack([B, -B]), np.vstack([C, C])
    if name == "opposite on both sides":
        B, C = np.vstack([B, -2 * B]), np.vstack([C, -C])
    if name == "duplicated":
        B, C = np.vstack([B, B, 0.5 * B]), np.vstack([C, 3 * C, -C])
    if name == "integer":
        B, C = (rng.integers(-1, 2, W.shape).astype(float) for W in (B, C))
    if name == "rank one":
        B = np.outer(rng.standard_normal(len(B)), np.ones(n))
    if name == "rank one on both sides":
        B = np.outer(rng.integers(-2, 3, len(B)), np.ones(n))
        C = np.outer(rng.standard_normal(len(B)), np.ones(p))
    if name == "balanced":  # every sign of each line: small deviations
        B, C = np.tile(np.vstack([np.eye(n), -np.eye(n)]), (2 * p, 1)), np.repeat(
            np.vstack([np.eye(p), -np.eye(p)]), 2 * n, axis=0)
    exponent = int(rng.choice([-60, 0, 0, 60]))
    return np.ldexp(B, exponent), np.ldexp(C, -2 * exponent), 4.0**-exponent


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("name", ["opposite", "opposite on both sides", "duplicated", "integer", "rank one",
                                  "rank one on both sides", "balanced", "plain"])
def test_dependent_rows_close_and_stay_above_the_search(name):
    rng = np.random.default_rng(len(name))
    for last in (False, True):
        B, C, unit_of = paired(rng, name)
        size = len(B) * np.abs(B).max() ** 2 * np.abs(C).max() ** 2
        condition = wc.JointWDC(B, C, float(rng.choice([0.3, 1.0, 4.0]) * size) if size > 0 else unit_of)
        found = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(4096),
                           wc.BranchAndBound(rtol=0.05, nodes=150_000))
        lower = wc.bracket(condition, wc.Ascent(starts=32)).lower if last else found.lower
        values = condition.deviation(condition.search.seeds(rng, 2000))
        assert max(lower, values.max() * (1 - 1e-12)) <= found.upper, (B, C, condition.alpha)
        assert found.upper <= found.lower * 1.1, (B, C, condition.alpha)
