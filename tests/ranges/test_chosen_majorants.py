"""The choice of a majorant: optimal on a pool, proved, no worse than |D|, the same again."""

from __future__ import annotations

import time
from fractions import Fraction

import cvxpy
import numpy as np
import pytest

import wdccheck as wc
from examples.networks import network
from wdccheck.conditions.rric.proof import Proof
from wdccheck.linalg.measurements import Measurements
from wdccheck.ranges import chosen_majorants, differences
from wdccheck.ranges.chosen_majorants import Pool, choose, optimal
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.hot_differences import Hot, random_differences
from wdccheck.ranges.majorants import AbsoluteValue, Majorant, forms


def measured(seed, dims=(2, 8, 10), m=5):
    rng = np.random.default_rng(seed)
    layers = tuple(network(rng, dims))
    return layers, rng.standard_normal((m, dims[-1])) / np.sqrt(m)


def units(rng, count, n):
    u = rng.standard_normal((count, n))
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def codes(layers):
    return Fan.of(differences.rescaled(layers), 2).centers


@pytest.mark.parametrize("seed", range(2))
def test_the_optimum_on_a_pool_is_that_of_a_solver(seed):
    rng = np.random.default_rng(seed)
    u, A = units(rng, 8, 4), rng.standard_normal((2, 4))
    D = A.T @ A - np.eye(4)
    H, t = cvxpy.Variable((4, 4), symmetric=True), cvxpy.Variable()
    cvxpy.Problem(cvxpy.Minimize(t), [H - D >> 0, H + D >> 0, *(x @ H @ x <= t for x in u)]).solve(
        solver="SCS", eps=1e-6)
    pool = Pool(np.zeros((0, 4)), np.zeros(0), u.T @ u / 8).joined(u)
    found, pool = optimal(D, pool, 1500)
    least = forms(found, u).max()
    assert pool.dual(D) <= t.value * (1 + 1e-5)
    assert t.value * (1 - 1e-5) <= least <= 1.03 * t.value  # a hundredth of the weight is elsewhere
    for sign in (1, -1):
        assert np.linalg.eigvalsh(found - sign * D)[0] >= -1e-9


def test_no_majorant_is_below_the_dual_value():
    """D = a 4 x 4 Hadamard matrix, the axes: the supremum over equal pairs is 1, the best H gives 2."""
    D = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    found, pool = optimal(D, Pool(np.zeros((0, 4)), np.zeros(0), np.eye(4) / 4).joined(np.eye(4)), 10)
    assert pool.dual(D) == pytest.approx(2)
    assert np.diag(found).max() == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("dims", [(1, 4, 6), (2, 8, 10), (3, 5, 6), (2, 4, 5, 6)])
def test_a_chosen_majorant_is_proved_and_no_larger_than_the_absolute_value(dims):
    layers, A = measured(sum(dims), dims, 3)
    proof = Proof.of(Measurements(A), wc.ReLUNetwork(layers))
    H, absolute = proof.groups().majorant, AbsoluteValue.of(proof.A)
    directions, dense = proof._pairs.tree.codes, absolute.dense()
    met = np.concatenate([random_differences(proof.layers, directions),
                          Hot.of(proof.layers, directions).after(dense)[1]])
    if isinstance(H, Majorant):
        assert H.proves(proof.A)
        assert forms(H.matrix, met).max() <= forms(dense, met).max() * (1 + 1e-6)
        for sign in (1, -1):
            D = proof.A.T @ proof.A - np.eye(len(dense))
            assert np.linalg.eigvalsh(H.matrix - sign * D)[0] >= -H.pad - 1e-12
    assert isinstance(H, Majorant) or dims[0] == 1


def test_a_majorant_gets_near_its_dual_value_where_the_absolute_value_does_not():
    layers, A = measured(5, (2, 16, 32), 12)
    found = choose(differences.rescaled(layers), A, codes(layers)).majorant(A)
    met = Hot.of(layers, codes(layers)).after(found.matrix)[1]
    assert found.dual <= forms(found.matrix, met).max() <= 1.03 * found.dual
    assert forms(AbsoluteValue.of(A).dense(), met).max() > 1.15 * found.dual


def test_the_choice_is_the_same_again_and_ends_at_its_deadline():
    layers, A = measured(1)
    one, two = (choose(layers, A, codes(layers)).best()[1] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    late = choose(layers, A, codes(layers), time.monotonic())
    assert len(late.tried) == 1
    np.testing.assert_allclose(late.majorant(A).matrix, AbsoluteValue.of(A).dense(), atol=1e-9)
    assert choose(layers, A, codes(layers), time.monotonic() + 1e-3).majorant(A).proves(A)


@pytest.mark.parametrize("A", [np.zeros((1, 10)), np.eye(10), 1e140 * np.ones((2, 10)), 1e-200 * np.eye(10)])
def test_measurements_of_any_size(A):
    layers, _ = measured(2)
    proof = Proof.of(Measurements(A), wc.ReLUNetwork(layers))
    found = proof.groups().majorant
    assert found is proof._absolute or found.proves(proof.A)


def test_differences_that_are_found_are_differences():
    layers, A = measured(3)
    H = AbsoluteValue.of(A).dense()
    hot, found = Hot.of(layers, codes(layers)).after(H)
    x1, x2 = hot.kept
    u = differences.image(layers, x1) - differences.image(layers, x2)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    assert forms(H, u).max() == pytest.approx(forms(H, found).max(), rel=1e-6)
    best = forms(H, random_differences(layers, codes(layers))).max()
    assert forms(H, found).max() >= best


def test_a_range_of_zero_only_keeps_the_absolute_value():
    layers = (np.array([[1.0, 0.0], [0.0, 1.0]]), -np.ones((3, 2)))
    found = choose(layers, np.ones((2, 3)), np.eye(2))
    assert len(found.tried) == 1 and found.best()[0] == 0


def test_measurements_beyond_floats_have_no_choice():
    with np.errstate(over="ignore", invalid="ignore"):
        assert choose([np.eye(2)], 1e200 * np.eye(2), np.eye(2)) is None


def test_beyond_the_sizes_of_a_choice_cuts_are_kept(monkeypatch):
    monkeypatch.setattr(chosen_majorants, "_LARGEST", 4)
    layers, A = measured(1)
    found = choose(layers, A, codes(layers))
    assert len(found.tried) == 1 and len(found.improved(units(np.random.default_rng(0), 3, 10)).tried) == 1
    assert found.best()[0] > 0


def test_no_one_majorant_is_said_to_fail_only_where_it_does():
    layers, A = measured(4)
    regions = Proof.of(Measurements(A), wc.ReLUNetwork(layers)).groups()
    dual = regions.majorant.dual
    assert regions.remark(dual) == ""
    assert "no one majorant" in regions.remark(0.5 * dual)
    assert float(regions.remark(0.5 * dual).split()[-1]) <= dual


def test_what_cancels_in_floats_is_no_difference():
    """Three equal units cancel exactly, in floats nearly: the range is one ray, on which D is 0.21."""
    row, a, b = [0.12573022, -0.13210486], 0.10490011423826218, -0.17855646212895712
    layers = [np.array([row] * 3 + [[-0.5, 0.3]]), np.array([[a, b, -(a + b), 0.0], [0.0, 0.0, 0.0, 1.0]])]
    assert Fraction(a) + Fraction(b) == Fraction(a + b)
    x = np.random.default_rng(0).standard_normal((2, 2000, 2))
    assert (np.abs(differences.secants(layers, *x)) @ [1, -1] > 0).any()
    condition = wc.RRIC(np.diag([10.0, 1.1]), wc.ReLUNetwork(layers))
    state = condition.proof.whole()
    assert state.majorant.dual < 0.2101 and state.least < 0.2101
    assert wc.bracket(condition, wc.BranchAndBound(nodes=1000)).upper < 0.22
