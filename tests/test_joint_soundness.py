"""Attacks on the upper bounds of the joint-WDC: what a region claims is never below what it holds."""

from __future__ import annotations

from dataclasses import fields, replace

import mpmath
import numpy as np
import pytest
from conftest import MATRICES, exact_dot, exact_q, fractions

import wdccheck as wc
from wdccheck.forms import Sandwich
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
