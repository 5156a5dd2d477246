"""Attacks on the upper bounds of the joint-WDC: what a region claims is never below what it holds."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import mpmath
import numpy as np
import pytest
from conftest import MATRICES, exact_dot, exact_q, fractions

import wdccheck as wc
from wdccheck.forms import Sandwich
from wdccheck.regions import Boxes
from wdccheck.upper.relax import proved_below

KINDS = sorted(set(MATRICES) - {"tiny", "huge"})


def attacked(rng, kind, largest=3):
    n, p = rng.integers(1, largest + 1, 2)
    B, C = MATRICES[kind](rng, n), MATRICES[kind](rng, p)
    count = min(len(B), len(C), 12)
    B, C = (W[:count] / (np.abs(W).max() or 1.0) for W in (B, C))
    return wc.JointWDC(B, C, float(rng.choice([0.1, 1.0, count, 10.0 * count])))


def descended(condition, rng, count=12):
    """Regions of one random depth; many around walls, near h = +-x and m = +-y."""
    regions = condition.regions()
    i, walls = int(rng.integers(len(condition.B))), rng.choice([0.0, 100.0, 1e4], 4)
    regions = regions.take(rng.integers(len(regions), size=count))
    for _ in range(int(rng.integers(2, 40))):
        if not regions.splittable().all():
            break
        halves = regions.split()
        # toward the half that keeps the letters of a pair together, or apart, or at random
        centers = halves.centers()
        score = rng.standard_normal(2 * count)
        for a, b, sign in (("h", "x", rng.choice([-1, 0, 1])), ("m", "y", rng.choice([-1, 0, 1]))):
            score += 1e3 * sign * np.sum(centers[a] * centers[b], axis=1)
        for letter, wall in zip("hxmy", walls, strict=True):
            row = (condition.B if letter in "hx" else condition.C)[i]
            score -= wall * np.abs(centers[letter] @ row)
        regions = halves.take(np.where(score[:count] > score[count:], 0, count) + np.arange(count))
    return regions


def one(form, i):
    return replace(form, **{f.name: getattr(form, f.name)[..., i:i + 1]
                            for f in fields(Sandwich) if f.name != "scale"})


def lies(condition, regions, rng, forge=lambda forms: forms):
    """How many regions are proved to stay below the deviation of one of their own points."""
    sampled, centers = regions.sample(rng, 60), regions.centers()
    points = {x: np.concatenate([centers[x][:, None], p], axis=1) for x, p in sampled.items()}
    largest, forms, found = condition.deviation(points).max(axis=1), forge(condition.forms(regions)), 0
    for i in range(len(regions)):
        t = largest[i] * (1 - 1e-9)
        found += t > 0 and all(proved_below(one(form, i), t)[0] for form in forms)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_region_claims_less_than_it_holds(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(8):
        condition = attacked(rng, kind)
        assert lies(condition, descended(condition, rng), rng) == 0


FORGERIES = {
    "no slack": lambda forms: [replace(f, slack=0 * f.slack, floor=f.floor + 9, ceiling=f.ceiling - 9)
                               for f in forms],
    "half a slack": lambda forms: [replace(f, slack=f.slack / 2, floor=0 * f.floor, ceiling=0 * f.ceiling + 9)
                                   for f in forms],
    "high without the undecided rows": lambda forms: [replace(f, high=f.low) for f in forms],
    "low with the undecided rows": lambda forms: [replace(f, low=f.high) for f in forms],
    "one corner": lambda forms: forms[:1] + forms[len(forms) // 2:len(forms) // 2 + 1],
    "one part": lambda forms: forms[: len(forms) // 2],
    "a high floor": lambda forms: [replace(f, floor=f.ceiling) for f in forms],
    "a low ceiling": lambda forms: [replace(f, ceiling=f.floor) for f in forms],
}


@pytest.mark.parametrize("name", list(FORGERIES))
def test_forged_forms_are_caught(name):
    rng, caught = np.random.default_rng(5), 0
    for _ in range(60):
        condition = attacked(rng, str(rng.choice(KINDS)), largest=2)
        condition = condition.with_alpha(condition.alpha * rng.choice([1.0, 10.0]))
        caught += lies(condition, descended(condition, rng), rng, FORGERIES[name])
        if caught:
            return
    pytest.fail(f"{name}: every claim held")


def test_regions_cover_the_spheres_up_to_exchange():
    rng = np.random.default_rng(2)
    condition = wc.JointWDC(rng.standard_normal((4, 3)), rng.standard_normal((4, 2)))
    roots = condition.regions()
    for _ in range(50):
        point = {x: rng.standard_normal(d) for (x,), d in condition.spheres.items()}
        choices = [{"h": point[a], "x": point[b], "m": point[c], "y": point[d]}
                   for a, b in ("hx", "xh") for c, d in ("my", "ym")]
        assert any(roots.contains({x: np.tile(v, (len(roots), 1)) for x, v in choice.items()}).any()
                   for choice in choices)
    assert wc.JointWDC(np.ones((2, 4)), np.ones((2, 1))).regions() is None


def test_a_round_below_epsilon_never_succeeds():
    rng = np.random.default_rng(4)
    for _ in range(6):
        condition = attacked(rng, str(rng.choice(KINDS)), largest=2)
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


@pytest.mark.parametrize("kind", KINDS)
def test_lower_bounds_are_below_the_exact_deviation(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    condition = attacked(rng, kind)
    points = condition.seeds(rng, 4)
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


@pytest.mark.parametrize("seed", range(3))
def test_boxes_around_corners_claim_no_less_than_they_hold(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        count, (n, p) = int(rng.integers(1, 7)), rng.integers(1, 4, 2)
        B, C = plain_rows(rng, count, n), plain_rows(rng, count, p)
        condition = wc.JointWDC(B, C, float(rng.choice([1e-3, 1.0, 10.0, 100.0, 1e4])))
        points = dict(zip("hxmy", (*pair_of(rng, B), *pair_of(rng, C)), strict=True))
        assert lies(condition, box_around(rng, points), rng) == 0, (B, C, condition.alpha, points)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_weights_larger_inside_a_box_than_at_its_corners(depth):
    """(c.m)_+ / |m| has its maximum at m = c, the center: corners alone claim too little."""
    half, center = 2.0**-depth, np.array([1.0, 0.5, -0.5])
    one_box = (np.array([[1.0]]), np.array([[0.0]]))
    side = (center[:, None], np.array([[0.0], [half], [half]]))
    boxes = Boxes(tuple("hxmy"), *zip(one_box, one_box, side, side, strict=True))
    condition = wc.JointWDC([[1.0]], center[None], 1e-6)
    rng = np.random.default_rng(0)  # both parts are largest at the center; eq. 6 alone must say so
    assert lies(condition, boxes, rng, lambda forms: forms[: len(forms) // 2]) == 0


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
    points = condition.seeds(rng, 50)
    for a, b in ("hx", "my"):
        exchanged = condition.parts({**points, a: points[b], b: points[a]})
        for name, value in condition.parts(points).items():
            np.testing.assert_allclose(exchanged[name], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("alpha", [5e-324, 1e-323, 1.5e-323, 1e-320])
def test_caps_are_not_rounded_to_zero(alpha):
    """No row of B meets one of C, so epsilon is alpha/4, less than any positive float."""
    condition = wc.JointWDC([[1e-36, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1e-36]], alpha)
    assert all(4 * fractions([cap.value])[0] >= fractions([alpha])[0] for cap in condition.caps())


# -- forged files -------------------------------------------------------------------------------------


def test_forged_files_are_refused_or_refuted(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "pair.json"
    pair = wc.JointWDC(rng.standard_normal((5, 2)), rng.standard_normal((5, 2)))
    wc.bracket(pair, wc.Spectral()).save(path)
    data = json.loads(path.read_text())
    other = {"B": "C", "C": "B"}[data["part"]]
    weights = data["condition"]["weights"]
    forged = [({"part": value}, False) for value in (other, None, "wdc", "")]
    forged += [({"part": value}, "refused") for value in ([data["part"]], {"B": 1}, 5)]
    forged += [({"lower": 0.0}, False), ({"witness": None}, False)]
    forged += [({"condition": {**data["condition"], **change}}, expected) for change, expected in (
        ({"shape": [5, 2, 3]}, False), ({"shape": 5}, "refused"), ({"alpha": 2.0}, False),
        ({"weights": {"B": weights["C"], "C": weights["B"]}}, False), ({"weights": [1]}, None),
        ({"weights": {**weights, "B": {**weights["B"], "shape": [1e400, 2]}}}, None))]
    for change, expected in forged:
        path.write_text(json.dumps({**data, **change}).replace("Infinity", "1e999"))
        try:
            found = wc.verify(path, rerun=False)[0].passed
        except wc.InvalidInput:
            found = "refused"
        assert found == expected, change
