"""The joint-WDC: its definition, its symmetries, its errors, and brackets from both sides."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from examples.checks import outcomes
from examples.definitions import plain_q
from examples.matrices import KINDS, MATRICES, SEEDS
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Condition, Scaled
from wdccheck.stops import Reason

pytestmark = pytest.mark.usefixtures("short_climbs")
DIMENSION = st.integers(1, 4)


def plain_part(B, C, alpha, h, x, m, y):
    """[HJ] eq. 6 times l, over |m| |y|, row by row."""
    A = np.zeros((B.shape[1],) * 2)
    for b, c in zip(B, C, strict=True):
        if b @ h > 0 and b @ x > 0:
            A += len(B) * max(c @ m, 0.0) * max(c @ y, 0.0) * np.outer(b, b)
    E = alpha * (m @ plain_q(m, y) @ y) * plain_q(h, x)
    return np.linalg.norm(A - E, 2) / (np.linalg.norm(m) * np.linalg.norm(y))


def plain_parts(B, C, alpha, point):
    """Both inequalities at one point."""
    h, x, m, y = (point[letter] for letter in "hxmy")
    return {"B": plain_part(B, C, alpha, h, x, m, y), "C": plain_part(C, B, alpha, m, y, h, x)}


def matched(rng, kind, n, p):
    """B (l, n) and C (l, p) of a kind, in units in which the parts are of the order of 1."""
    B, C = MATRICES[kind](rng, n), MATRICES[kind](rng, p)
    count = min(len(B), len(C))
    return tuple(W[:count] / (np.abs(W).max() or 1.0) / np.sqrt(count) for W in (B, C))


def gaussian(count, n, p, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((count, d)) / np.sqrt(count) for d in (n, p))


def at(points, i):
    return {letter: value[i] for letter, value in points.items()}


# -- the definition -------------------------------------------------------------------------------


@given(SEEDS, KINDS, DIMENSION, DIMENSION, st.sampled_from([0.01, 1.0, 100.0]))
@settings(max_examples=50)
def test_both_parts_are_the_definition(seed, kind, n, p, alpha):
    rng = np.random.default_rng(seed)
    B, C = matched(rng, kind, n, p)
    condition = wc.JointWDC(B, C, alpha)
    points = spheres.sample(condition.spheres, rng, 5)
    points["m"] *= 10.0 ** rng.uniform(-200, 200, (5, 1))
    points["x"] *= 10.0 ** rng.uniform(-100, 100, (5, 1))
    parts = condition.parts(points)
    atol = 1e-12 * (1 + alpha)
    unit = spheres.split_block(("h",), points["h"]) | {
        letter: points[letter] / np.abs(points[letter]).max(axis=1, keepdims=True) for letter in "xmy"}
    for i in range(5):
        plain = plain_parts(B, C, alpha, at(unit, i))
        for name in "BC":
            assert parts[name][i] == pytest.approx(plain[name], rel=1e-9, abs=atol)
    np.testing.assert_array_equal(condition.deviation(points), np.maximum(parts["B"], parts["C"]))


@given(SEEDS, KINDS, DIMENSION, DIMENSION, st.sampled_from([0.01, 1.0, 100.0]))
def test_lower_bounds_are_just_below_the_deviation(seed, kind, n, p, alpha):
    rng = np.random.default_rng(seed)
    condition = wc.JointWDC(*matched(rng, kind, n, p), alpha)
    points = condition.search.seeds(rng, 6)
    deviation, frozen = condition.deviation(points), condition.search.freeze(points)
    for i in range(6):
        lower = condition.lower_bound(at(points, i))
        assert lower <= deviation[i] <= lower * (1 + 1e-9) + 1e-11 * (1 + alpha)
        measured = condition.measure(at(points, i))
        assert abs(measured.gram - alpha * measured.expectation) == pytest.approx(
            deviation[i], rel=1e-9, abs=1e-11 * (1 + alpha))
    assert (frozen.value <= deviation * (1 + 1e-12) + 1e-12 * (1 + alpha)).all()


def test_deviation_broadcasts():
    condition = wc.JointWDC(*gaussian(9, 3, 2))
    rng = np.random.default_rng(1)
    points = {"h": rng.standard_normal((4, 1, 3)), "x": rng.standard_normal(3),
              "m": rng.standard_normal((5, 2)), "y": rng.standard_normal(2)}
    found = condition.deviation(points)
    assert found.shape == (4, 5)
    one = {"h": points["h"][2, 0], "x": points["x"], "m": points["m"][3], "y": points["y"]}
    assert found[2, 3] == pytest.approx(float(condition.deviation(one)), rel=1e-12)


@given(SEEDS, st.sampled_from(["gaussian", "trained-like", "sparse"]), DIMENSION, DIMENSION)
def test_symmetries(seed, kind, n, p):
    """Swapping the roles, permuting rows, rotating, scaling (Fact 3)."""
    rng = np.random.default_rng(seed)
    B, C = matched(rng, kind, n, p)
    condition = wc.JointWDC(B, C, 0.7)
    points = spheres.sample(condition.spheres, rng, 4)
    parts = condition.parts(points)
    swapped = wc.JointWDC(C, B, 0.7).parts(
        {"h": points["m"], "x": points["y"], "m": points["h"], "y": points["x"]})
    np.testing.assert_allclose((swapped["C"], swapped["B"]), (parts["B"], parts["C"]), rtol=1e-12)
    order = rng.permutation(len(B))
    mixed = wc.JointWDC(B[order], C[order], 0.7).deviation(points)
    np.testing.assert_allclose(mixed, condition.deviation(points), rtol=1e-10, atol=1e-14)
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for d in (n, p))
    turned = {"h": points["h"] @ U, "x": points["x"] @ U, "m": points["m"] @ V, "y": points["y"] @ V}
    np.testing.assert_allclose(wc.JointWDC(B @ U, C @ V, 0.7).deviation(turned),
                               condition.deviation(points), rtol=1e-9, atol=1e-13)
    scaled = wc.JointWDC(2.0**70 * B, 2.0**-30 * C, 0.7 * 2.0**80)
    np.testing.assert_array_equal(scaled.deviation(points), 2.0**80 * condition.deviation(points))
    exchanged = {"h": points["x"], "x": points["h"], "m": points["y"], "y": points["m"]}
    np.testing.assert_allclose(condition.deviation(exchanged), condition.deviation(points), rtol=1e-12)


# -- brackets -------------------------------------------------------------------------------------


@given(SEEDS, KINDS, st.sampled_from([0.01, 1.0, 100.0]))
def test_dimension_one_is_exact(seed, kind, alpha):
    B, C = matched(np.random.default_rng(seed), kind, 1, 1)
    signs = [dict(zip("hxmy", np.array(s)[:, None], strict=True)) for s in product((1.0, -1.0), repeat=4)]
    exact = max(max(plain_parts(B, C, alpha, point).values()) for point in signs)
    found = wc.bracket(wc.JointWDC(B, C, alpha), wc.Spectral())
    assert found.lower <= exact * (1 + 1e-12) and exact <= found.upper * (1 + 1e-12)
    assert found.stopped["upper"].reason is Reason.EXACT and found.upper <= found.lower * (1 + 1e-9)


KNOWN = [
    ("zero B", np.zeros((3, 2)), np.ones((3, 2)), 1.0, 0.25),
    ("zero C", np.ones((3, 2)), np.zeros((3, 1)), 8.0, 2.0),
    ("both zero", np.zeros((2, 1)), np.zeros((2, 2)), 1.0, 0.25),
    ("one row", np.array([[3.0, 4.0]]), np.array([[1.0, 1.0]]), 1.0, 50.0),  # antipodal h, x; m = y = c
    ("orthogonal rows", np.diag([1.0, 2.0]), np.eye(2), 1.0, 8.0),  # l |b|^2 |c|^2, the cap
]


@pytest.mark.parametrize(("name", "B", "C", "alpha", "epsilon"), KNOWN, ids=lambda v: v if isinstance(v, str)
                         else "")
def test_known_values(name, B, C, alpha, epsilon):
    found = wc.bracket(wc.JointWDC(B, C, alpha), wc.Spectral(), wc.Ascent(starts=64))
    assert found.lower <= epsilon * (1 + 1e-12) and epsilon <= found.upper * (1 + 1e-12)
    assert found.lower >= epsilon * (1 - 1e-5), name
    assert found.upper <= epsilon * (1 + 1e-6), name


@pytest.mark.parametrize(("n", "p", "count"), [(1, 2, 7), (2, 1, 12), (2, 2, 4)])
def test_both_sides_meet_in_small_dimensions(n, p, count):
    B, C = gaussian(count, n, p, seed=n + p)
    condition = wc.JointWDC(B, C)
    found = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(4096), wc.Ascent(starts=64),
                       wc.BranchAndBound(rtol=0.05))
    assert found.lower <= found.upper <= found.lower * 1.06
    parts = plain_parts(B, C, 1.0, found.witness)
    assert found.part == max(parts, key=parts.get)
    assert found.lower <= parts[found.part] * (1 + 1e-12)
    assert parts[found.part] <= found.lower * (1 + 1e-9)
    points = condition.search.seeds(np.random.default_rng(0), 4000)
    assert condition.deviation(points).max() <= found.upper


def test_search_beats_sampling_and_both_parts_can_win():
    B, C = gaussian(20, 3, 4)
    one, other = wc.JointWDC(B, C), wc.JointWDC(C, B)
    plain = wc.bracket(one, wc.MonteCarlo(8192))
    found, mirrored = (wc.bracket(c, wc.Spectral(), wc.Ascent(starts=64)) for c in (one, other))
    assert found.lower > plain.lower
    assert mirrored.lower == pytest.approx(found.lower, rel=0.05)
    assert {found.part, plain.part, mirrored.part} <= {"B", "C"}
    assert found.upper == pytest.approx(mirrored.upper, rel=1e-9)


def test_one_and_two_workers_agree():
    condition = wc.JointWDC(*gaussian(8, 2, 2))
    engines = (wc.Spectral(), wc.MonteCarlo(8192), wc.Ascent(starts=64), wc.BranchAndBound(nodes=500))
    one, two = (wc.bracket(condition, *engines, workers=w) for w in (1, 2))
    assert (one.lower, one.upper, one.part, one.lower_by) == (two.lower, two.upper, two.part, two.lower_by)
    assert all(np.array_equal(one.witness[x], two.witness[x]) for x in "hxmy")


def test_large_pairs_get_a_search_and_a_cap():
    condition = wc.JointWDC(*gaussian(100, 45, 4))
    found = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound())
    assert 0 < found.lower < found.upper < np.inf
    assert float(condition.deviation(found.witness)) <= found.lower * (1 + 1e-9)


def test_calibration():
    B, C = gaussian(30, 1, 1)
    alpha = wc.calibrate(wc.JointWDC(B, C))
    best = wc.bracket(wc.JointWDC(B, C, alpha), wc.Spectral(), wc.Ascent(starts=64)).lower / alpha
    for factor in (0.5, 2.0):
        other = wc.JointWDC(B, C, factor * alpha)
        assert wc.bracket(other, wc.Spectral(), wc.Ascent(starts=64)).lower / (factor * alpha) > best
    with pytest.warns(UserWarning, match="1/4"):
        wc.calibrate(wc.JointWDC(np.eye(2), np.eye(2)))


# -- what is refused, what is kept ----------------------------------------------------------------


@pytest.mark.parametrize(("B", "C", "alpha", "match"), [
    (np.ones((3, 2)), np.ones((4, 2)), 1.0, r"^B and C: the same number of rows"),
    (np.ones((3, 2)), [[np.nan]] * 3, 1.0, r"^C: finite"),
    ([1.0], np.ones((1, 1)), 1.0, r"^B: a matrix"),
    (np.eye(2), np.eye(2), -1.0, r"^alpha: "),
    (1e100 * np.eye(2), 1e100 * np.eye(2), 1.0, r"^B, C and alpha: max"),
    (1e-90 * np.eye(2), 1e-90 * np.eye(2), 1e-310, r"^B, C and alpha: max"),
    (1e-150 * np.eye(2), [[1e150, 1e-300]] * 2, 1.0, r"^C: nonzero entries"),
])
def test_bad_input_is_refused_in_one_line(B, C, alpha, match):
    with pytest.raises(wc.InvalidInput, match=match) as info:
        wc.JointWDC(B, C, alpha)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [1.0], [np.nan, 1.0]])
def test_bad_directions_are_refused(bad):
    condition = wc.JointWDC(np.eye(2), np.eye(2))
    for letter in "hxmy":
        with pytest.raises(wc.InvalidInput, match=f"^{letter}: "):
            condition.deviation({**{key: [1.0, 0.5] for key in "hxmy"}, letter: bad})


def test_factors_far_apart_are_no_matter():
    B, C = gaussian(6, 2, 2)
    condition, far = wc.JointWDC(B, C), wc.JointWDC(2.0**500 * B, 2.0**-500 * C)
    points = condition.search.seeds(np.random.default_rng(0), 5)
    np.testing.assert_array_equal(condition.deviation(points), far.deviation(points))


def test_repr_describe_pickle(tmp_path):
    B, C = gaussian(5, 2, 3)
    condition = wc.JointWDC(B, C, 0.5)
    assert isinstance(condition, Condition) and isinstance(condition, Scaled)
    described = condition.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["kind"] == "joint-WDC" and described["shape"] == [5, 2, 3]
    assert repr(condition) == f"JointWDC(5x2, 5x3, alpha=0.5, {described['sha256'][:8]})"
    assert wc.JointWDC(C, B, 0.5).describe()["sha256"] != described["sha256"]
    other = pickle.loads(pickle.dumps(condition))
    assert other.describe() == described and not other.B.flags.writeable
    assert condition.with_alpha(2.0).alpha == 2.0
    found = wc.bracket(condition, wc.Spectral())
    found.save(tmp_path / "pair.json")
    assert wc.load(tmp_path / "pair.json").part == found.part in ("B", "C")


@pytest.mark.parametrize(("scale", "n", "p"), [(1.0, 1, 1), (2.0**100, 2, 3), (2.0**-100, 4, 1), (1.0, 2, 2)])
def test_results_are_verified_by_other_code(tmp_path, scale, n, p):
    B, C = gaussian(6, n, p)
    found = wc.bracket(wc.JointWDC(scale * B, C, scale * scale), wc.Spectral(), wc.Ascent(starts=64))
    found.save(tmp_path / "pair.json")
    checks = wc.verify(tmp_path / "pair.json")
    assert outcomes(checks) == ["proved", "proved"], checks
    for forged in ({"lower": found.lower * 1.001}, {"part": {"B": "C", "C": "B"}[found.part]},
                   {"witness": {**found.witness, "h": -found.witness["h"]}}):
        if found.lower * 1.001 > found.upper:
            continue
        replace(found, **forged).save(tmp_path / "forged.json")
        parts = plain_parts(B, C, 1.0, found.witness)
        if "part" not in forged or abs(parts["B"] - parts["C"]) > 1e-6:
            assert wc.verify(tmp_path / "forged.json", rerun=False)[0].outcome == "refuted", forged


@pytest.mark.parametrize(("count", "n", "p"), [(12, 1, 2), (20, 3, 1), (40, 4, 5)])
def test_moving_both_weighing_letters_together_does_not_lower_aligned_points(count, n, p):
    rng = np.random.default_rng(count)
    condition = wc.JointWDC(rng.standard_normal((count, n)), rng.standard_normal((count, p)), 0.1)
    points = condition.search.seeds(rng, 64)
    points["y"], points["x"] = points["m"], points["h"]
    frozen = condition.search.freeze(points, sign=1.0)
    moved = condition.search.freeze(condition.search.free_step(points, frozen), frozen, sign=1.0)
    assert np.all(moved.value >= frozen.value * (1 - 1e-9) - 1e-12)


@pytest.mark.parametrize("B", [np.zeros((5, 2)), np.eye(5, 2) * 1e-140, np.ones((5, 2))])
def test_seeds_are_directions_for_zero_and_tiny_rows(B):
    for condition in (wc.JointWDC(B, np.eye(5, 3)), wc.JointWDC(np.eye(5, 3), B)):
        for letter, p in condition.search.seeds(np.random.default_rng(0), 40).items():
            assert p.shape == (40, condition.spheres[(letter,)])
            assert np.isfinite(p).all() and p.any(axis=1).all()
