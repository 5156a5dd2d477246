"""The one-sided isometry constants: definition, witnesses, caps, both sides of brackets, bad input."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import wdccheck as wc
from examples.isometry import SIDES, exact, instance, random_points, ratio
from wdccheck import kinds
from wdccheck.checker import reevaluate
from wdccheck.conditions.built import build
from wdccheck.conditions.one_sided.side import FLOOR
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Condition
from wdccheck.reports.meaning import meaning
from wdccheck.reports.row import Row
from wdccheck.reports.witness import scene

both_sides = pytest.mark.parametrize("side", SIDES)
QUICK = (wc.Spectral(), wc.MonteCarlo(256), wc.BranchAndBound(rtol=0.03))


# -- the definition ------------------------------------------------------------------------------


@both_sides
@pytest.mark.parametrize("dims", [(2, 6, 8), (1, 4), (3, 5, 4, 6)])
def test_the_definition(dims, side):
    rng, net, A = instance(0, dims)
    condition, points = side(A, net), random_points(rng, dims[0])
    assert isinstance(condition, Condition)
    u = net(points["x1"]) - net(points["x2"])
    seen, square = np.sum((u @ A.T) ** 2, axis=1), np.sum(u * u, axis=1)
    top, bottom = (square, seen) if side is wc.LowerIsometry else (seen, square)
    expected = np.divide(top, bottom, out=np.zeros(len(u)), where=square > 0)
    found = condition.deviation(points)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert condition.deviation({**points, "x2": np.zeros(dims[0])}).shape == found.shape
    grid = condition.deviation({"x1": points["x1"][:3, None], "x2": points["x2"][None, :5]})
    assert grid.shape == (3, 5) and grid[1, 1] == found[1]


@both_sides
@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
@pytest.mark.parametrize("seed", range(3))
def test_lower_bounds_stay_below_the_exact_value(seed, scale, side):
    rng, net, A = instance(seed, (2, 4, 5), 1 + seed)
    A = A * scale
    condition, points = side(A, net), random_points(rng, 2, 12)
    points["x2"][4:8] = points["x1"][4:8] + 10.0 ** rng.uniform(-15, -5, (4, 1)) * points["x2"][4:8]
    for b in range(12):
        point = {x: p[b] for x, p in points.items()}
        low, true = condition.lower_bound(point), exact(side, A, net, point)
        assert low <= true and low <= float(condition.deviation(point))
        assert low >= true * (1 - Fraction(1, 10**9))


@both_sides
def test_equal_images_contribute_nothing(side):
    _, net, A = instance(1)
    condition, x = side(A, net), np.ones(2)
    assert condition.deviation({"x1": x, "x2": x}) == condition.lower_bound({"x1": x, "x2": x}) == 0


@both_sides
def test_forms_of_a_are_one_number(side):
    rng, net, A = instance(2)
    points = random_points(rng, 2, 8)
    expected = side(A, net).deviation(points)
    for form in (sparse.csr_array(A), aslinearoperator(A)):
        condition = side(form, net)
        np.testing.assert_allclose(condition.deviation(points), expected, rtol=1e-12)
        found = wc.bracket(condition, *QUICK)
        assert found.upper < found.lower * 1.04
    assert pickle.loads(pickle.dumps(side(A, net))).deviation(points).tolist() == expected.tolist()


@both_sides
def test_what_a_nearly_kills_counts_as_the_floor(side):
    net = wc.ReLUNetwork([np.eye(2)])
    e = {"x1": np.array([0.0, 1.0]), "x2": np.zeros(2)}
    for small in (0.0, 1e-9, 1e-170):
        condition = side(np.diag([0.5, small]), net)
        found = wc.bracket(condition, *QUICK)
        assert condition.lower_bound(e) <= exact(side, np.diag([0.5, small]), net, e)
        if side is wc.LowerIsometry:
            assert condition.lower_bound(e) == 1 / FLOOR <= found.upper
            assert found.lower == pytest.approx(1 / FLOOR)
        else:
            assert found.lower == pytest.approx(0.25) and found.upper == pytest.approx(0.25, rel=0.04)


# -- the search ------------------------------------------------------------------------------------


@both_sides
def test_steps_pay_and_tangents_have_the_right_shape(side):
    rng, net, A = instance(5)
    condition = side(A, net)
    points = condition.search.seeds(rng, 64)
    frozen = condition.search.freeze(points)
    np.testing.assert_allclose(condition.deviation(points), frozen.value, rtol=1e-6)
    assert condition.search.seeds(rng, 64, points) is points
    moved = condition.search.freeze(condition.search.free_step(points, frozen))
    assert np.mean(moved.value >= frozen.value * (1 - 1e-9)) > 0.9
    for tangent in condition.search.tangents(points, ("x1", "x2"), frozen, rng):
        assert tangent.shape == (64, 4)
        found = condition.search.circle(points, ("x1", "x2"), tangent, frozen)
        base = spheres.join(points, ("x1", "x2"))
        there = spheres.split_block(("x1", "x2"), np.cos(found.angle)[:, None] * base
                                    + np.sin(found.angle)[:, None] * tangent)
        np.testing.assert_allclose(condition.deviation(there), found.value, rtol=1e-6)


# -- both sides ------------------------------------------------------------------------------------


@both_sides
@pytest.mark.parametrize("dims, m", [((1, 4, 5), 3), ((2, 5, 6), 4), ((3, 4, 5), 6), ((3, 4, 4, 5), 5)])
def test_both_sides_meet(dims, m, side):
    rng, net, A = instance(7, dims, m)
    condition = side(A, net)
    result = wc.bracket(condition, *QUICK)
    assert 0 < result.lower <= result.upper < result.lower * 1.04
    assert result.lower <= exact(side, A, net, result.witness) <= result.upper
    assert condition.deviation(condition.search.seeds(rng, 256)).max() <= result.upper
    checked = reevaluate(result.to_dict())
    assert checked.outcome == "proved" and checked.value == pytest.approx(result.lower)


@both_sides
def test_beyond_three_latent_dimensions_there_is_a_cap(side):
    _, net, A = instance(10, (5, 8, 9), 12)
    result = wc.bracket(side(A, net), wc.Spectral(), wc.MonteCarlo(64), wc.BranchAndBound())
    sigma = np.linalg.svd(A, compute_uv=False)
    expected = sigma[0] ** 2 if side is wc.UpperIsometry else sigma[-1] ** -2.0
    assert result.upper == pytest.approx(expected, rel=1e-6) and result.upper_by.startswith("Fact 27")
    assert 0 < result.lower <= result.upper


def test_identity_and_orthogonal_matrices():
    rng, net, _ = instance(3, (2, 5, 6))
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    for A in (np.eye(6), Q, np.vstack([Q, np.zeros((2, 6))])):
        for side in SIDES:
            result = wc.bracket(side(A, net), *QUICK)
            assert 1 - 1e-9 < result.lower <= result.upper < 1 + 1e-9


# -- what reads the table of kinds ---------------------------------------------------------------------


@both_sides
def test_it_is_a_kind(side):
    _, net, A = instance(4)
    result = wc.bracket(side(A, net), *QUICK)
    kind = kinds.named(result.condition["kind"])
    row = Row(wc.Bracket.from_dict(result.to_dict()))
    again = build(kind.name, list(net.layers), measurements=A)
    assert again.describe() == side(A, net).describe()
    assert kind.measures in meaning(row) and row.to_text().startswith(kind.name)
    assert scene(row, {"": net.layers}).pairs


@both_sides
@pytest.mark.parametrize("A, fragment", [
    (np.ones((3, 5)), "8 columns"), (np.ones((8, 5)), "did you mean A.T?"),
    (np.full((2, 8), 1e-200), "1e-140"), (np.full((2, 8), np.nan), "finite")])
def test_bad_input(side, A, fragment):
    with pytest.raises(wc.InvalidInput) as error:
        side(A, instance(0)[1])
    assert fragment in str(error.value)
    with pytest.raises(wc.InvalidInput, match="ReLUNetwork"):
        side(np.eye(2), np.eye(2))


@both_sides
def test_a_large_operator_is_refused(side):
    net = wc.ReLUNetwork([np.ones((3000, 1))])
    with pytest.raises(wc.InvalidInput, match="operator"):
        side(aslinearoperator(sparse.eye_array(3000)), net)


def test_ratio_of_nothing():
    _, net, A = instance(0)
    assert ratio(A, net, {"x1": np.ones(2), "x2": np.ones(2)}) is None
