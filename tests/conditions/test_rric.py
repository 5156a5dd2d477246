"""The RRIC: definition, witnesses, Facts 11 to 14, invariances, bad input."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import wdccheck as wc
from examples.forgeries import only_the_genuine_one_is_proved
from examples.networks import network
from examples.rric import LETTERS, exact, instance, plain, random_points
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Condition
from wdccheck.stops import Reason

pytestmark = pytest.mark.usefixtures("short_climbs")


@pytest.mark.parametrize("dims", [(2, 6, 8), (1, 4), (3, 5, 4, 6)])
def test_the_definition(dims):
    rng, net, A = instance(0, dims)
    condition, points = wc.RRIC(A, net), random_points(rng, dims[0])
    assert isinstance(condition, Condition)
    found = condition.deviation(points)
    expected = [plain(A, net, {x: p[b] for x, p in points.items()}) for b in range(len(found))]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert condition.deviation({**points, "x2": np.zeros(dims[0])}).shape == found.shape


@pytest.mark.parametrize("seed", range(4))
def test_lower_bounds_stay_below_the_exact_value(seed):
    rng, net, A = instance(seed, (2, 4, 5), 3)
    condition, points = wc.RRIC(A, net), random_points(rng, 2, 12)
    points["x2"][4:8] = points["x1"][4:8] + 10.0 ** rng.uniform(-15, -5, (4, 1)) * points["x2"][4:8]
    with mpmath.workdps(60):
        for b in range(12):
            point = {x: p[b] for x, p in points.items()}
            low, true = condition.lower_bound(point), exact(A, net, point)
            assert low <= true
            assert low >= true * (1 - mpmath.mpf(10) ** -9) - mpmath.mpf(10) ** -11
            assert low <= float(condition.deviation(point))


def test_skipped_pairs_contribute_nothing():
    _, net, A = instance(1)
    condition, x = wc.RRIC(A, net), np.ones(2)
    point = {"x1": x, "x2": x, "x3": x, "x4": -x}
    assert condition.deviation(point) == 0.0 == condition.lower_bound(point)
    zero = np.zeros(2)
    assert condition.lower_bound(dict.fromkeys(LETTERS, zero)) == 0.0


@pytest.mark.parametrize("c", [0.5, 1.0, 2.0])
def test_a_multiple_of_an_isometry_is_known(c):
    """Fact 14: A^T A = c^2 I gives |c^2 - 1|, from both sides."""
    rng, net, _ = instance(2)
    Q = np.linalg.qr(rng.standard_normal((11, 8)))[0]
    result = wc.bracket(wc.RRIC(c * Q, net), wc.Spectral())
    assert result.lower == pytest.approx(abs(c * c - 1), abs=1e-12)
    assert result.upper == pytest.approx(abs(c * c - 1), abs=1e-11)


def test_one_latent_dimension_is_a_problem_in_the_plane():
    """Fact 14: u and v are multiples of a g+ - b g-, a, b >= 0."""
    _, net, A = instance(3, (1, 5, 6), 4)
    plus, minus = net([[1.0], [-1.0]])
    t = np.linspace(0, np.pi / 2, 1501)
    u = np.cos(t)[:, None] * plus - np.sin(t)[:, None] * minus
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    best = np.abs((u @ A.T) @ (A @ u.T) - u @ u.T).max()
    result = wc.bracket(wc.RRIC(A, net), wc.Spectral(), wc.Ascent(starts=64))
    assert best * (1 - 1e-9) <= result.lower <= best * (1 + 1e-4)
    assert result.lower <= result.upper


def circles(condition, points, block, base, tangent, frozen):
    """What the search looks at, and all of it."""
    whole = condition.search.pairs.whole_circle(base, tangent, condition.search._target(block, frozen))
    return condition.search.circle(points, block, tangent, frozen), whole


@pytest.mark.parametrize("sign", [None, 1.0, -1.0])
def test_the_best_point_of_a_circle(sign):
    rng, net, A = instance(4)
    condition = wc.RRIC(A, net)
    points = condition.search.seeds(rng, 12)
    frozen = condition.search.freeze(points, sign=sign)
    for block in condition.spheres:
        base = spheres.join(points, block)
        tangent = spheres.unit_tangent(base, rng.standard_normal(base.shape))
        sampled, whole = circles(condition, points, block, base, tangent, frozen)
        (angle, value), (near, below) = ((x.angle, x.value) for x in (whole, sampled))
        assert (below <= value + 1e-9).all()
        moved = spheres.split_block(block, spheres.step(base, tangent, near))
        there = condition.search.freeze({**points, **moved})
        np.testing.assert_allclose(there.value * there.sign * frozen.sign, below, atol=1e-7)
        moved = {**points, **spheres.split_block(block, spheres.step(base, tangent, angle))}
        found = condition.search.freeze(moved)
        np.testing.assert_allclose(found.value * found.sign * frozen.sign, value, atol=1e-7)
        for phi in np.linspace(0, 2 * np.pi, 200):
            other = {**points, **spheres.split_block(block, spheres.step(base, tangent, np.full(12, phi)))}
            there = condition.search.freeze(other)
            assert (there.value * there.sign * frozen.sign <= value + 1e-9).all()


def test_the_free_step_and_the_tangents_are_of_the_right_shape_and_the_step_pays():
    rng, net, A = instance(5)
    condition = wc.RRIC(A, net)
    points = condition.search.seeds(rng, 64)
    frozen = condition.search.freeze(points)
    moved = condition.search.freeze(condition.search.free_step(points, frozen), sign=None)
    assert np.mean(moved.value >= frozen.value - 1e-12) > 0.6
    for block in condition.spheres:
        assert all(t.shape == (64, 4) for t in condition.search.tangents(points, block, frozen, rng))


def test_ascent_beats_sampling_and_the_witness_holds():
    _, net, A = instance(6, (2, 8, 10), 6)
    condition = wc.RRIC(A, net)
    sampled = wc.bracket(condition, wc.MonteCarlo(samples=4096))
    result = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    assert sampled.lower < result.lower <= result.upper
    assert result.lower <= plain(A, net, result.witness) * (1 + 1e-12)
    assert plain(A, net, result.witness) <= result.lower * (1 + 1e-9)
    again = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    assert again.lower == result.lower


def test_the_first_example():
    """Known: a plain hill climb of 12 s finds 1.5995."""
    rng = np.random.default_rng(5)
    net = wc.ReLUNetwork(network(rng, (2, 16, 32)))
    A = rng.standard_normal((12, 32)) / np.sqrt(12)
    result = wc.bracket(wc.RRIC(A, net), wc.Spectral(), wc.Ascent(starts=64))
    assert 1.5995 < result.lower < 2.8001  # the union of subspaces (Fact 13)


def test_invariances():
    rng, net, A = instance(9)
    points = random_points(rng, 2)
    reference = wc.RRIC(A, net).deviation(points)
    order = rng.permutation(8)
    permuted = wc.ReLUNetwork([net.layers[0], net.layers[1][order]])
    scaled = wc.ReLUNetwork([1e60 * net.layers[0], 1e-90 * net.layers[1]])
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    for condition in (wc.RRIC(A[:, order], permuted), wc.RRIC(A, scaled), wc.RRIC(rotation @ A, net)):
        np.testing.assert_allclose(condition.deviation(points), reference, atol=1e-12)
    for factor in (1e-200, 1e200):
        moved = {**points, "x1": factor * points["x1"], "x2": factor * points["x2"]}
        np.testing.assert_allclose(wc.RRIC(A, net).deviation(moved), reference, atol=1e-12)


def test_dead_units_leave_the_cap():
    rng, net, A = instance(10)
    W = net.layers[1].copy()
    W[3:] = -np.abs(W[3:])
    dead = wc.ReLUNetwork([net.layers[0], W])
    cap = next(iter(wc.RRIC(A, dead).theorems.caps()))
    P = A[:, :3]
    assert cap.value == pytest.approx(np.linalg.norm(P.T @ P - np.eye(3), 2))
    assert wc.RRIC(A, dead).deviation(random_points(rng, 2)).max() <= cap.value


def test_a_dead_network_has_no_range_differences():
    dead = wc.ReLUNetwork([np.ones((3, 2)), -np.ones((4, 3))])
    result = wc.bracket(wc.RRIC(np.eye(4), dead))
    assert (result.lower, result.upper) == (0.0, 0.0)
    assert result.stopped["lower"].reason is result.stopped["upper"].reason is Reason.EMPTY
    assert "dead" in result.stopped["upper"].detail


def test_a_span_taken_from_samples_is_caught():
    """A thin cone opens a coordinate that 4096 samples never see, and A is large there."""
    W1 = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0]])
    W2 = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 1e-5]])
    net, A = wc.ReLUNetwork([W1, W2]), np.diag([1.0, 1.0, 10.0])
    samples = net(np.random.default_rng(11).standard_normal((4096, 2)))
    assert not samples[:, 2].any()
    condition = wc.RRIC(A, net)
    inside, zero = np.array([1.0, 0.0]), np.zeros(2)
    low = condition.lower_bound({"x1": inside, "x2": zero, "x3": inside, "x4": zero})
    seen = A[:, :2].T @ A[:, :2] - np.eye(2)  # P (A^T A - I) P on the sampled span
    assert np.linalg.norm(seen) == 0.0 < 98.9 < low
    assert low <= wc.bracket(condition, wc.Spectral()).upper


def test_the_checker_confirms_witnesses_and_refutes_forgeries(tmp_path):
    _, net, A = instance(15)
    condition = wc.RRIC(A, net)
    result = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    only_the_genuine_one_is_proved(result, tmp_path)


def test_pickle_and_describe():
    _, net, A = instance(12)
    condition = wc.RRIC(A, net)
    again = pickle.loads(pickle.dumps(condition))
    assert again.describe() == condition.describe()
    assert repr(condition).startswith("RRIC(5x8, dims=(2, 6, 8), ")
    assert condition.describe()["shape"] == [5, 8]
    assert wc.RRIC(A[::-1], net).describe()["sha256"] != condition.describe()["sha256"]


@pytest.mark.parametrize(("A", "message"), [
    (np.ones((3, 7)), "A: 8 columns, one for each output of the network required"),
    (np.ones((8, 3)), "did you mean A.T"),
    (np.full((3, 8), np.nan), "A: finite numbers"),
    (np.full((3, 8), 1e200), "A: entries of magnitude at most"),
    (np.ones((3, 8), dtype=complex), "A: an array of real numbers"),
    (sparse.csr_array(np.full((3, 8), np.inf)), "A: finite numbers"),
    (aslinearoperator(np.full((3, 8), np.nan)), "A: finite products"),
])
def test_bad_measurements(A, message):
    _, net, _ = instance(13)
    with pytest.raises(wc.InvalidInput, match=message):
        wc.RRIC(A, net)
