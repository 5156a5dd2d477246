"""Attacks on the brackets of the RRIC and the R2WDC, held against rational arithmetic."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
from scipy import sparse

import wdccheck as wc
from examples import r2wdc, rric
from examples.matrices import MATRICES, natural_alpha
from wdccheck.ranges import differences
from wdccheck.stops import Reason

KINDS = sorted(MATRICES)
THIN = np.array([[1.0, -1.0], [-1.0, 1.0 + 1e-9], [1.0, 0.0]])  # two units open in a cone of 1e-9 rad


def drawn(rng, kind, n):
    W = MATRICES[kind](rng, n)[:6]
    W = W * 2.0 ** rng.integers(-60, 60) if rng.random() < 0.3 else W
    return -np.abs(W) if rng.random() < 0.1 else W


def conditions(rng, kind):
    """An RRIC and an R2WDC behind a chain of random layers that ends with one of this kind."""
    k = int(rng.integers(1, 4))
    layers = [drawn(rng, str(rng.choice(KINDS)), k)]
    layers.append(drawn(rng, kind, len(layers[0])))
    net = wc.ReLUNetwork(layers)
    A = drawn(rng, str(rng.choice(KINDS)), len(layers[1]))
    alpha = natural_alpha(layers[1]) * float(rng.choice([0.1, 1.0, 3.0]))
    yield wc.RRIC(A, net), lambda point: rric.exact(A, net, point)
    yield wc.R2WDC(net, 2, alpha), lambda point: r2wdc.exact(net, 2, mpmath.mpf(alpha), point)


def letters(condition):
    return [x for block in condition.spheres for x in block]


def hard_point(rng, condition):
    """Codes on walls, on the integers, opposite, or that nearly coincide with the code before."""
    W = condition.net.layers[0]
    point: dict[str, np.ndarray] = {}
    before = rng.standard_normal(W.shape[1])
    for x in letters(condition):
        kind, code = rng.integers(5), rng.standard_normal(W.shape[1])
        if kind == 0:
            code = rng.integers(-1, 2, len(code)).astype(float)
        elif kind == 1:
            code = before + 10.0 ** rng.integers(-17, -1) * code
        elif kind == 2:
            row = W[rng.integers(len(W))] / (np.abs(W).max() or 1.0)
            code = code - row * (row @ code) / (row @ row or 1.0)
        elif kind == 3:
            code = -before
        point[x] = before = code
    return point


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_hold_at_hard_points(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    with mpmath.workdps(60):
        for condition, exact in (found for _ in range(4) for found in conditions(rng, kind)):
            known = wc.bracket(condition, wc.Spectral())
            if known.witness is not None:
                assert known.lower <= exact(known.witness)
            for _ in range(6):
                point = hard_point(rng, condition)
                truth = exact(point)
                assert condition.lower_bound(point) <= truth <= known.upper * (1 + mpmath.mpf(1e-50))
                assert abs(float(condition.deviation(point)) - truth) <= 1e-9 * known.upper


def test_a_search_stays_within_its_bracket():
    with mpmath.workdps(60):
        for seed, kind in enumerate(("integer", "duplicated", "zero rows")):
            for condition, exact in conditions(np.random.default_rng(seed), kind):
                known = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(samples=64), wc.Ascent(),
                                   time_limit=0.5)
                if known.witness is not None:
                    assert known.lower <= exact(known.witness) <= known.upper


@pytest.mark.parametrize("size", [3e-160, 1e-161, 2.7e-162, 1.2e-162, 1e-170, 1e-250])
def test_differences_whose_squares_underflow(size):
    """Lengths formed from squares would make these lower bounds 12 % too large, or divide by 0."""
    W, A = np.diag([1.0, size]), np.array([[1.0, 1.0], [0.0, 1.0]])
    e1, e2, o = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.zeros(2)
    pairs = {"x1": e1, "x2": o, "x3": e2, "x4": o}
    condition = wc.RRIC(A, wc.ReLUNetwork([W]))
    assert condition.lower_bound(pairs) == pytest.approx(1.0, rel=1e-9)
    assert condition.lower_bound(pairs) <= 1.0
    net, point = wc.ReLUNetwork([W, A]), {"x": e1 + e2, "y": e1 + e2, **pairs}
    with mpmath.workdps(60):
        truth = r2wdc.exact(net, 2, mpmath.mpf(1), point)
    condition = wc.R2WDC(net, 2)
    assert condition.lower_bound(point) <= truth
    assert condition.lower_bound(point) == pytest.approx(float(truth), rel=1e-9)


def test_deep_networks_neither_underflow_nor_overflow():
    for entry in (2.0**-4, 1.0):
        net = wc.ReLUNetwork([np.ones((8, 2)), *[np.full((8, 8), entry)] * 400, np.eye(8)])
        condition = wc.RRIC(1.5 * np.eye(8), net)
        point = {"x1": np.ones(2), "x2": np.zeros(2), "x3": np.array([0.5, 0.25]), "x4": np.zeros(2)}
        with np.errstate(over="ignore", invalid="ignore"):
            assert condition.lower_bound(point) == pytest.approx(1.25, rel=1e-9)
            assert condition.lower_bound(point) <= 1.25


def test_a_thin_cone_counts():
    """A code in it opens both units, which no sample does."""
    net = wc.ReLUNetwork([THIN, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])])
    inside = np.array([1.0, 1.0 - 5e-10])
    assert (net.truncate(1)(inside) > 0).all()
    A = np.array([[1.0, 1.0, 0.0]])
    o = np.zeros(2)
    point = {"x1": inside, "x2": o, "x3": inside, "x4": o}
    with mpmath.workdps(60):
        truth = rric.exact(A, net, point)
    condition = wc.RRIC(A, net)
    assert condition.lower_bound(point) <= truth <= wc.bracket(condition, wc.Spectral()).upper
    assert condition.lower_bound(point) == pytest.approx(float(truth), rel=1e-6)


def test_dead_is_claimed_of_dead_coordinates_only():
    rng = np.random.default_rng(2)
    for seed in range(60):
        layers = [rng.integers(-1, 2, (4, 2)), *(rng.integers(-2, 1, (4, 4)) for _ in range(2))]
        net = wc.ReLUNetwork(layers)
        seen = net(rng.integers(-5, 6, (500, 2))).any(axis=0)
        alive = differences.live(net.layers, 2)
        assert not (seen & ~alive).any()
        for condition, empty in ((wc.RRIC(np.eye(4), net), not alive.any()),
                                 (wc.R2WDC(net, 3), not differences.live(net.layers[:2], 2).any())):
            known = wc.bracket(condition, wc.Spectral())
            assert (known.stopped["lower"].reason is Reason.EMPTY) == empty, seed


def test_patterns_that_only_faces_have_are_counted():
    """G(x) = (t, t): the gate of (1, -1) is never open on the range, that of its nudge always."""
    W1 = np.ones((2, 1))
    one, o = np.ones(1), np.zeros(1)
    point = {"x": one, "y": one, "x1": one, "x2": o, "x3": one, "x4": o}
    for row, value in (([1.0, -1.0], 0.5), ([1.0, -0.5], 0.375)):
        known = wc.bracket(wc.R2WDC(wc.ReLUNetwork([W1, np.array([row])]), 2), wc.Spectral())
        condition = wc.R2WDC(wc.ReLUNetwork([W1, np.array([row])]), 2)
        assert float(condition.deviation(point)) == pytest.approx(value)
        assert known.lower == pytest.approx(value) and known.lower <= value + 1e-15 <= known.upper + 1e-12


def test_the_dominating_wdc_bounds_from_above_only():
    """It is exact about the WDC of the layer, not about the R2WDC: the range has r > 0 alone."""
    net = wc.ReLUNetwork([np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[1.0], [-2.0]])])
    known = wc.bracket(wc.R2WDC(net, 2), wc.Spectral(), wc.BranchAndBound())
    assert known.lower == pytest.approx(0.5) and known.upper >= 3.5
    assert known.stopped["upper"].reason is Reason.CAP_ONLY
    net = wc.ReLUNetwork([np.array([[1.0, 0.0]]), np.array([[1.0], [-2.0]])])  # on the range itself
    known = wc.bracket(wc.R2WDC(net, 2), wc.Spectral(), wc.BranchAndBound())
    assert known.lower == pytest.approx(0.5) and known.upper == pytest.approx(0.5, abs=1e-6)


def test_a_layer_whose_living_inputs_are_beyond_the_scales_of_a_wdc():
    net = wc.ReLUNetwork([np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 1e-200], [1.0, 2e-200]])])
    known = wc.bracket(wc.R2WDC(net, 2, 1e-300), wc.Spectral(), wc.BranchAndBound(nodes=1000))
    assert known.lower <= 5e-301 <= known.upper


def test_sparse_measurements_are_a_copy():
    net, plain = wc.ReLUNetwork([np.eye(2)]), np.array([[1.0, 2.0], [0.0, 3.0]])
    given = sparse.csr_array(plain)
    condition = wc.RRIC(given, net)
    given.data[0] = 0.0
    given.eliminate_zeros()
    assert np.array_equal(condition.A.apply(np.eye(2)).T, plain)
    doubled = sparse.csr_array((np.ones(3), np.array([1, 0, 1]), np.array([0, 3])), shape=(1, 2))
    wc.RRIC(doubled, net)
    assert doubled.nnz == 3 and doubled.indices.tolist() == [1, 0, 1]


def test_a_code_that_holds_numbers_too_far_apart_never_raises_a_bound():
    """Scaled, 1e-20 beside 1e300 has four digits left: gates and directions must be of one code."""
    net = wc.ReLUNetwork([np.eye(3)[1:], np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])])
    x = np.array([1e300, 1e-20, 1.00001e-20])
    o, e = np.zeros(3), np.array([0.0, 1.0, -1.0])
    condition = wc.R2WDC(net, 2)
    point = {"x": x, "y": x, "x1": e, "x2": o, "x3": e, "x4": o}
    assert condition.lower_bound(point) <= wc.bracket(condition, wc.Spectral()).upper


def test_workers_and_pickle_change_nothing():
    rng = np.random.default_rng(3)
    net = wc.ReLUNetwork([rng.standard_normal((6, 2)), rng.integers(-1, 2, (5, 6)).astype(float)])
    for condition in (wc.RRIC(rng.standard_normal((3, 5)), net), wc.R2WDC(net, 2)):
        engines = wc.Spectral(), wc.MonteCarlo(samples=256)
        one, two, copied = (wc.bracket(c, *engines, rng=7, workers=w) for c, w in (
            (condition, 1), (condition, 2), (pickle.loads(pickle.dumps(condition)), 1)))
        for other in (two, copied):
            assert (one.lower, one.upper) == (other.lower, other.upper)
            assert all(np.array_equal(one.witness[x], other.witness[x]) for x in one.witness)
