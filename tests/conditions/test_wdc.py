"""The WDC: its definition, bad input, the search."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.definitions import exact_deviation, plain_deviation
from examples.matrices import KNOWN_VALUES, MATRICES, SEEDS, layer, top_scale
from wdccheck import WDC, BranchAndBound, InvalidInput, bracket
from wdccheck.errors import TransposedWarning
from wdccheck.geometry import expectation, spheres
from wdccheck.protocol.condition import Condition, Scaled

KINDS = st.sampled_from(sorted(MATRICES))


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("W", [
    np.array([[1.0, np.nan]] * 2), np.array([[1.0], [np.inf]]), np.array([[-np.inf]]), [], [[]],
    np.zeros((0, 3)), np.zeros((3, 0)), 1.0, [1.0, 2.0], np.ones((2, 2, 2)), np.eye(2) * 1j, [["a", "b"]],
    np.array([["1.0"]]), np.array([[1.0, None]]), np.array([[1.0]], dtype=object), [[1.0, 2.0], [3.0]], None,
    [[True, False], [False, True]], [[2**53 + 1]], [[-(2**53) - 1]], [[2**63]], [[2**70]], {"W": 1}, "W.npy",
    np.array([["2020-01-01"]], dtype="datetime64[D]"),
    np.array([[1 + np.longdouble(2) ** -60]], dtype=np.longdouble),
], ids=lambda W: repr(W)[:30])
def test_unusable_weights_are_refused_in_one_line(W):
    with pytest.raises(InvalidInput, match=r"^W: .* required, found ") as info:
        WDC(W)
    assert info.value.thing == "W" and "\n" not in str(info.value) and len(str(info.value)) < 300
    assert isinstance(pickle.loads(pickle.dumps(info.value)), InvalidInput)


class _Raises:
    def __array__(self, *_, **__):
        raise RuntimeError("not today")


def test_an_array_that_cannot_be_made_is_refused():
    with pytest.raises(InvalidInput, match="not today"):
        WDC(_Raises())


@pytest.mark.parametrize("alpha", [
    0.0, -1.0, np.nan, np.inf, -np.inf, "1.0", None, True, 1j, [1.0, 2.0], 10**400,
], ids=lambda a: repr(a)[:20])
def test_unusable_alpha_is_refused(alpha):
    with pytest.raises(InvalidInput, match=r"^alpha: a positive finite number required, found "):
        WDC(np.eye(2), alpha)


@pytest.mark.parametrize("alpha", [1, np.float32(0.5), np.int64(2), np.array(0.25), Fraction(1, 4)])
def test_alpha_of_any_numeric_type(alpha):
    assert WDC(np.eye(2), alpha).alpha == float(alpha)


@pytest.mark.parametrize("r", [
    [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [1.0], [1.0, 2.0, 3.0], 1.0, "r", [1j, 1.0],
    [[1.0, 0.0], [0.0, 0.0]],
], ids=repr)
def test_unusable_directions_are_refused(r):
    condition = WDC(np.eye(2))
    for points in ({"r": r, "s": [1.0, 0.0]}, {"r": [1.0, 0.0], "s": r}):
        with pytest.raises(InvalidInput, match=r"^[rs]: "):
            condition.deviation(points)


@pytest.mark.parametrize("W, alpha", [
    (np.full((2, 2), 1e-200), 1e-300), (np.full((2, 2), 1e160), 1.0), ([[1e300, 1e-300]] * 2, 1e300),
    (np.eye(2), 5e-324), (np.eye(2) * 5e-324, 1.0),
])
def test_scales_are_computed_or_refused(W, alpha):
    """No overflow, no underflow: either epsilon is a float64 and correct, or the message says why."""
    try:
        condition = WDC(W, alpha)
    except InvalidInput as error:
        assert "W" in error.thing
        return
    r = np.array([1.0, 0.5])
    found = condition.deviation({"r": r, "s": r})
    with mpmath.workdps(700):
        expected = float(exact_deviation(condition.W, alpha, r, r))
    assert found == pytest.approx(expected, rel=1e-12) and math.isfinite(found)


def test_a_lone_wide_matrix_gets_a_warning_and_a_layer_does_not():
    with pytest.warns(TransposedWarning, match=r"did you mean W\.T"):
        WDC(np.ones((2, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WDC(np.ones((2, 3)), layer=2)
        WDC(np.ones((3, 3)))


def test_a_layer_at_fault_is_named():
    for W in (np.eye(2) * 1e200, [[5e-324, 1.0], [1.0, 0.0]]):
        with pytest.raises(InvalidInput, match=r"^layer 2"):
            WDC(W, layer=2)


# -- what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u2", "i8", ">f8", ">f4", ">i4"])
def test_every_real_type_converts_exactly(dtype):
    W = np.array([[1, 2], [3, 100], [0, 7]]).astype(dtype) / np.dtype(dtype).type(1)
    W = W.astype(dtype)
    condition = WDC(W)
    assert condition.W.dtype == np.float64 and condition.W.tolist() == W.tolist()


def test_the_largest_integer():
    assert WDC([[2**53]]).W[0, 0] == 2.0**53 and WDC([[-(2**53)]], 1.0).W[0, 0] == -(2.0**53)
    assert WDC(np.array([[2**53]], dtype=np.uint64)).W[0, 0] == 2.0**53


def test_weights_are_read_only_copies():
    mine = np.eye(2)
    condition = WDC(mine)
    mine[0, 0] = 5.0
    assert condition.W[0, 0] == 1.0 and not condition.W.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        condition.W[0, 0] = 2.0
    with pytest.raises(AttributeError):
        condition.alpha = 2.0
    assert WDC(np.asfortranarray(np.arange(6.0).reshape(3, 2))).W.flags.c_contiguous


@given(SEEDS, KINDS, st.integers(1, 3))
def test_pickle_keeps_everything(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 4)
    condition.deviation(points)  # fills the caches
    other = pickle.loads(pickle.dumps(condition))
    np.testing.assert_array_equal(other.deviation(points), condition.deviation(points))
    assert other.describe() == condition.describe() and repr(other) == repr(condition)
    assert not other.W.flags.writeable


def test_repr_describe_and_hash():
    condition = WDC(np.eye(3), 0.5)
    digest = condition.describe()["sha256"]
    assert repr(condition) == f"WDC(3x3, alpha=0.5, {digest[:8]})"
    description = condition.describe()
    assert {"kind", "alpha", "layer", "shape", "sha256", "options", "weights"} == set(description)
    assert description["kind"] == "WDC" and description["shape"] == [3, 3] and description["layer"] is None
    assert json.loads(json.dumps(description)) == description
    assert WDC(np.eye(3), 2.0).describe()["sha256"] == digest  # of the weights alone
    assert WDC(2 * np.eye(3)).describe()["sha256"] != digest
    assert WDC(np.ones((4, 3))).describe()["sha256"] != WDC(np.ones((6, 2))).describe()["sha256"]
    assert condition != WDC(np.eye(3), 0.5) and len({condition, WDC(np.eye(3), 0.5)}) == 2
    assert WDC(np.eye(3), layer=2).describe()["layer"] == 2


def test_large_layers_travel_without_their_weights():
    assert "weights" in WDC(np.ones((256, 256))).describe()
    assert "weights" not in WDC(np.ones((257, 256))).describe()


def test_it_is_a_condition():
    condition = WDC(np.eye(2))
    assert isinstance(condition, Condition) and isinstance(condition, Scaled)
    assert condition.spheres == {("r",): 2, ("s",): 2}
    other = condition.with_alpha(3.0)
    assert other.alpha == 3.0 and other.W.tolist() == condition.W.tolist()
    gated = condition.proof.compiled
    assert gated.letters == ("r", "s") and gated.scale * gated.alpha == 1.0


# -- the deviation --------------------------------------------------------------------------------


@given(SEEDS, KINDS, st.integers(1, 4), st.sampled_from([1.0, 0.01, 100.0]))
@settings(max_examples=50)
def test_deviation_is_the_definition(seed, kind, k, factor):
    condition, rng = layer(seed, kind, k, factor)
    points = spheres.sample(condition.spheres, rng, 6)
    expected = [plain_deviation(condition.W, condition.alpha, r, s)
                for r, s in zip(points["r"], points["s"], strict=True)]
    found = condition.deviation(points)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13 * top_scale(condition))


def test_deviation_broadcasts():
    condition, rng = layer(0, "gaussian", 3)
    r, s = rng.standard_normal((4, 1, 3)), rng.standard_normal((5, 3))
    found = condition.deviation({"r": r, "s": s})
    assert found.shape == (4, 5) and np.shape(condition.deviation({"r": r[0, 0], "s": s[0]})) == ()
    for i in range(4):
        for j in range(5):
            one = float(condition.deviation({"r": r[i, 0], "s": s[j]}))
            assert found[i, j] == pytest.approx(one, rel=1e-13)
    assert condition.deviation({"r": np.ones((0, 3)), "s": np.ones(3)}).shape == (0,)
    assert condition.deviation({"r": [1, 2, 3], "s": [3, 2, -1]}).shape == ()  # lists of integers


@given(SEEDS, KINDS, st.integers(1, 4))
def test_points_need_not_be_unit(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 5)
    longer = {"r": 4.0 * points["r"], "s": 0.125 * points["s"]}
    np.testing.assert_array_equal(condition.deviation(longer), condition.deviation(points))
    some = {"r": 1e100 * points["r"], "s": 1e-100 * points["s"]}
    np.testing.assert_allclose(condition.deviation(some), condition.deviation(points),
                               atol=1e-13 * top_scale(condition))


@given(SEEDS, st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge"})), st.integers(1, 3),
       st.integers(-330, 330))
def test_powers_of_two_scale_exactly(seed, kind, k, exponent):
    """Fact 3 with c = 2**exponent, from 1e-100 to 1e100: bit for bit."""
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 5)
    scaled = WDC(np.ldexp(condition.W, exponent), math.ldexp(condition.alpha, 2 * exponent), layer=1)

    def back(value):
        return np.ldexp(value, -2 * exponent)

    np.testing.assert_array_equal(back(scaled.deviation(points)), condition.deviation(points))
    point = {x: v[0] for x, v in points.items()}
    assert back(scaled.lower_bound(point)) == pytest.approx(condition.lower_bound(point), rel=1e-14)
    for ours, theirs in zip(scaled.theorems.caps(), condition.theorems.caps(), strict=True):
        assert back(ours.value) == pytest.approx(theirs.value, rel=1e-14)


@pytest.mark.parametrize("scale", [1e-100, 1e-50, 1e50, 1e100])
@pytest.mark.parametrize("alpha", ["one", "natural"])
def test_extreme_scales_neither_overflow_nor_underflow(scale, alpha):
    W = np.random.default_rng(0).standard_normal((6, 3)) * scale
    condition = WDC(W, 1.0 if alpha == "one" else scale**2)
    points = spheres.sample(condition.spheres, np.random.default_rng(1), 20)
    values = condition.deviation(points)
    for r, s, value in zip(points["r"], points["s"], values, strict=True):
        assert value == pytest.approx(plain_deviation(W, condition.alpha, r, s), rel=1e-10)
    frozen = condition.search.freeze(points)
    np.testing.assert_allclose(frozen.value, values, rtol=1e-9)
    (cap,) = condition.theorems.caps()
    assert np.isfinite(cap.value) and (values <= cap.value).all()


# -- proved lower bounds --------------------------------------------------------------------------


def touchy_pairs(W, rng, count):
    """Uniform pairs, pairs near the poles, pairs on walls."""
    k = W.shape[1]
    for i in range(count):
        r, s = rng.standard_normal((2, k))
        if i % 4 == 1:
            s = r + 10.0 ** rng.uniform(-17, -3) * s
        if i % 4 == 2:
            s = -r + 10.0 ** rng.uniform(-17, -3) * s
        if i % 4 == 3:
            w = expectation.unit(W[rng.integers(len(W))])
            r = r - (r @ w) * w if k > 1 else r
        if r.any() and s.any():
            yield {"r": r, "s": s}


@given(SEEDS, KINDS, st.integers(1, 4), st.sampled_from([1.0, 0.01, 100.0]))
@settings(max_examples=40)
def test_lower_bound_is_below_the_exact_deviation(seed, kind, k, factor):
    condition, rng = layer(seed, kind, k, factor)
    for point in touchy_pairs(condition.W, rng, 4):
        lower, value = condition.lower_bound(point), float(condition.deviation(point))
        with mpmath.workdps(60):
            exact = exact_deviation(condition.W, condition.alpha, point["r"], point["s"])
            assert mpmath.mpf(lower) <= exact
            assert abs(exact - value) <= 1e-13 * top_scale(condition)
        assert lower <= value
        if value > 1e-3 * top_scale(condition):
            assert value <= lower * (1 + 1e-9)


@given(SEEDS, KINDS, st.integers(1, 4))
def test_measured_terms_hold_for_every_alpha(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    for point in touchy_pairs(condition.W, rng, 3):
        m = condition.measure(point)
        assert m.gram_error >= 0 and m.expectation_error > 0
        for factor in (0.1, 1.0, 7.0):
            alpha = factor * condition.alpha
            value = float(WDC(condition.W, alpha, layer=1).deviation(point))
            claim = abs(m.gram - alpha * m.expectation) - m.gram_error - alpha * m.expectation_error
            assert claim <= value * (1 + 1e-14)


@pytest.mark.parametrize("known", KNOWN_VALUES, ids=lambda known: known.name)
def test_known_values(known):
    condition = WDC(known.W, known.alpha, layer=1)
    starts = [condition.lower_bound(start.point) for start in condition.theorems.starts()]
    assert known.epsilon * (1 - 1e-6) <= max(starts) <= known.epsilon * (1 + 1e-12)
    assert all(cap.value >= known.epsilon * (1 - 1e-12) for cap in condition.theorems.caps())
    if "Fact 9 caps it" in known.reason:
        assert min(cap.value for cap in condition.theorems.caps()) <= known.epsilon * (1 + 1e-9)
    for points in (spheres.sample(condition.spheres, np.random.default_rng(0), 300),
                   condition.search.seeds(np.random.default_rng(0), 300)):
        assert condition.deviation(points).max() <= known.epsilon * (1 + 1e-12)


# -- search ---------------------------------------------------------------------------------------


@given(SEEDS, KINDS, st.integers(1, 5))
def test_freeze_is_the_deviation_of_small_layers(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 6)
    frozen = condition.search.freeze(points)
    np.testing.assert_allclose(frozen.value, condition.deviation(points), rtol=1e-10,
                               atol=1e-13 * top_scale(condition))
    np.testing.assert_allclose(np.linalg.norm(frozen.u, axis=1), 1.0, rtol=1e-12)
    assert set(frozen.sign) <= {-1.0, 1.0}
    A = expectation.gated_gram(condition.W, points["r"], points["s"])
    difference = A - condition.alpha * expectation.expected_gram(points["r"], points["s"])
    form = frozen.sign * np.einsum("bi,bij,bj->b", frozen.u, difference, frozen.v)
    np.testing.assert_allclose(form, frozen.value, atol=1e-13 * top_scale(condition))


@pytest.mark.parametrize("k", [41, 60])
def test_freeze_of_large_layers_never_exceeds_the_deviation(k):
    condition, rng = layer(k, "gaussian", k)
    points = spheres.sample(condition.spheres, rng, 8)
    exact = condition.deviation(points)
    first = condition.search.freeze(points)
    second = condition.search.freeze(points, near=first)
    assert (first.value <= exact * (1 + 1e-12)).all() and (second.value <= exact * (1 + 1e-12)).all()
    assert (second.value >= first.value * (1 - 1e-9)).all() and (first.value > 0.5 * exact).all()
    for _ in range(20):
        second = condition.search.freeze(points, near=second)
    np.testing.assert_allclose(second.value, exact, rtol=1e-3)


def frozen_form(condition, frozen, r, s):
    """sign u^T (A - alpha Q) u, with the gates of r and s."""
    difference = (expectation.gated_gram(condition.W, r, s)
                  - condition.alpha * expectation.expected_gram(r, s))
    return frozen.sign * np.einsum("bi,bij,bj->b", frozen.u, difference, frozen.v)


@given(SEEDS, KINDS, st.integers(2, 4), st.sampled_from(["r", "s"]))
def test_circle_against_direct_evaluation(seed, kind, k, letter):
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 4)
    frozen = condition.search.freeze(points)
    tangent = spheres.unit_tangent(points[letter], rng.standard_normal((4, k)))
    best = condition.search.circle(points, (letter,), tangent, frozen)
    angle, value = best.angle, best.value
    scale = top_scale(condition)

    def at(t):
        moved = {**points, letter: spheres.step(points[letter], tangent, t)}
        return frozen_form(condition, frozen, moved["r"], moved["s"]), moved

    reached, moved = at(angle)
    np.testing.assert_allclose(reached, value, atol=1e-6 * scale)
    assert (value >= frozen.value - 1e-2 * condition.alpha).all()
    assert (condition.deviation(moved) >= reached - 1e-12 * scale).all()  # the norm exceeds every form
    for t in np.linspace(0.001, 2 * np.pi, 60):
        other, _ = at(np.full(4, t))
        assert (other <= value + 1e-2 * condition.alpha + 1e-9 * scale).all()


@given(SEEDS, KINDS, st.integers(2, 4))
def test_circle_through_the_other_direction_passes_both_poles(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    points = spheres.sample(condition.spheres, rng, 3)
    frozen = condition.search.freeze(points)
    tangent = spheres.unit_tangent(points["r"], points["s"])
    best = condition.search.circle(points, ("r",), tangent, frozen)
    assert np.isfinite(best.angle).all() and np.isfinite(best.value).all()


@given(SEEDS, KINDS, st.integers(1, 5))
def test_tangents_and_seeds_are_usable(seed, kind, k):
    condition, rng = layer(seed, kind, k)
    points = condition.search.seeds(rng, 16)
    assert {x: v.shape for x, v in points.items()} == {"r": (16, k), "s": (16, k)}
    np.testing.assert_allclose(np.linalg.norm(points["r"], axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(points["s"], axis=1), 1.0, rtol=1e-9)
    frozen = condition.search.freeze(points)
    for tangent in condition.search.tangents(points, ("r",), frozen, rng):
        assert tangent.shape == (16, k) and np.isfinite(tangent).all()


@given(SEEDS, KINDS, st.integers(1, 5), st.sampled_from([0.01, 1.0, 10.0]))
@settings(max_examples=50)
def test_the_free_step_is_never_worse(seed, kind, k, factor):
    condition, rng = layer(seed, kind, k, factor)
    points = spheres.sample(condition.spheres, rng, 16)
    frozen = condition.search.freeze(points)
    moved = condition.search.free_step(points, frozen)
    assert all(np.isfinite(v).all() and v.any(axis=1).all() for v in moved.values())
    assert (condition.deviation(moved) >= frozen.value - 1e-12 * top_scale(condition)).all()
    before = expectation.angle(points["r"], points["s"])
    after = expectation.angle(moved["r"], moved["s"])
    assert ((after - before) * frozen.sign >= -1e-12).all()


def test_boxes_are_not_begun_where_their_tables_are_too_large(monkeypatch):
    assert WDC(np.ones((9, 3))).proof is not None
    monkeypatch.setattr("wdccheck.conditions.wdc.proof._TABLE", 53)
    condition = WDC(np.ones((9, 3)))
    assert condition.proof is None
    stop = bracket(condition, BranchAndBound()).stopped["upper"]
    assert stop.reason.value == "cap_only" and "number of rows" in stop.detail
