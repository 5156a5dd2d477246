"""Attacks on bounds of the coherence: degenerate networks, extreme scales, near codes, tiny columns of U."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import wdccheck as wc
from examples.coherence import ISOMETRIES, exact, fourier, orthonormal
from examples.networks import network
from wdccheck.checker import reevaluate

ENGINES = (wc.Spectral(), wc.MonteCarlo(512), wc.BranchAndBound(nodes=120))
CLIMBING = (wc.Spectral(), wc.Ascent(starts=32), wc.BranchAndBound(nodes=120))


def random(rng, dims):
    return network(rng, dims)


def integer(rng, dims):
    return [rng.integers(-1, 2, W.shape).astype(float) + 0 * W for W in network(rng, dims)]


def repeated(rng, dims):
    layers = network(rng, dims)
    for W in layers:
        W[1::2] = W[::2][: len(W[1::2])]
    return layers


def dead_units(rng, dims):
    layers = network(rng, dims)
    layers[-1][::2] = -np.abs(layers[-1][::2])
    layers[0][0] = 0
    return layers


def rank_one(rng, dims):
    first, *rest = network(rng, dims)
    return [np.outer(rng.standard_normal(len(first)), rng.standard_normal(first.shape[1])), *rest]


def rank_one_last(rng, dims):
    *before, last = network(rng, dims)
    return [*before, np.outer(np.abs(rng.standard_normal(len(last))), rng.standard_normal(last.shape[1]))]


def near_parallel(rng, dims):
    layers = network(rng, dims)
    layers[0][1] = layers[0][0] * (1 + 2.0**-50)
    layers[0][-1] = -layers[0][0]
    return layers


def scaled(rng, dims):
    return [W * 10.0 ** (100 * (-1) ** i) for i, W in enumerate(network(rng, dims))]


def mixed_rows(rng, dims):
    return [W * 10.0 ** rng.uniform(-9, 0, (len(W), 1)) for W in network(rng, dims)]


NETWORKS = [random, integer, repeated, dead_units, rank_one, rank_one_last, near_parallel, scaled, mixed_rows]


def hard_points(rng, condition, k):
    """Codes on walls, near each other, on axes, of lengths far apart, opposite, and where a search goes."""
    x1, x2 = rng.integers(-2, 3, (2, 80, k)).astype(float)
    x2[:20] = x1[:20] + 10.0 ** rng.uniform(-16, -1, (20, 1)) * rng.standard_normal((20, k))
    x2[20:40] *= 10.0 ** rng.uniform(-14, 14, (20, 1))
    x2[40:50] = -x1[40:50]
    x2[50:60] = 0
    found = condition.search.seeds(rng, 80)
    return {"x1": np.concatenate([x1, found["x1"]]), "x2": np.concatenate([x2, found["x2"]])}


def attacked(condition, net, U, seed, engines=ENGINES):
    """The bracket, after every witness and point at hand has been held against both sides."""
    rng, k = np.random.default_rng(seed), net.dims[0]
    result = wc.bracket(condition, *engines)
    assert 0 <= result.lower <= result.upper
    points = hard_points(rng, condition, k)
    deviations = condition.deviation(points)
    assert np.isfinite(deviations).all() and deviations.max() <= result.upper * (1 + 1e-12)
    with mpmath.workdps(60):
        if result.witness is not None:
            assert result.lower <= exact(U, net, result.witness) <= result.upper
        for b in (0, 5, 25, 45, 100):
            point = {x: p[b] for x, p in points.items()}
            assert condition.lower_bound(point) <= exact(U, net, point) <= result.upper
    assert reevaluate(result.to_dict()).outcome == "proved"
    return result


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("kind", ["rows", "one row", "square", "columns", "fourier", pytest.param(
    "one complex row", marks=pytest.mark.slow)])  # three latent dimensions
def test_degenerate_networks(make, kind):
    rng = np.random.default_rng(len(kind))
    sizes = [(1, 3, 4), (2, 4, 5), (3, 3, 4)]  # near-parallel walls take long in three dimensions
    for seed, dims in enumerate(sizes[: 3 if kind == "one complex row" else 2]):
        net = wc.ReLUNetwork(make(rng, dims))
        U = ISOMETRIES[kind](rng, dims[-1])
        attacked(wc.Coherence(U, net), net, U, seed, CLIMBING if kind in ("rows", "fourier") else ENGINES)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_nothing_to_measure(k):
    """G = 0, by signs of the weights or only through cancellation that no sign shows."""
    for layers in ([np.ones((4, k)), -np.ones((3, 4))], [np.zeros((3, k))]):
        result = wc.bracket(wc.Coherence(np.eye(3), wc.ReLUNetwork(layers)), *ENGINES)
        assert result.lower == result.upper == 0 and nothing_there(result)
    hidden = np.vstack([np.eye(k), np.eye(k)])  # relu(x) - relu(x)
    last = np.hstack([np.eye(k), -np.eye(k)])
    condition = wc.Coherence(np.eye(k), wc.ReLUNetwork([hidden, last]))
    result = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(64), wc.BranchAndBound(nodes=50))
    assert result.lower == 0 <= result.upper


def nothing_there(result):
    return all(stop.reason.value == "empty" for stop in result.stopped.values())


@pytest.mark.parametrize("tiny", [1e-9, 1e-160, 1e-200, 1e-308, 2.0**-1070])
@pytest.mark.parametrize("k", [1, 2])
def test_measurements_that_see_nearly_nothing(tiny, k):
    """Rows are of length 1 on dead outputs: on the live ones their squares underflow."""
    rng = np.random.default_rng(k)
    live = np.abs(rng.standard_normal((2, k)))
    net = wc.ReLUNetwork([np.vstack([live, np.zeros((2, k))])])
    U = np.array([[tiny, 0, 1, 0], [0, 2 * tiny, 0, 1]])
    for V in (U, U * np.exp(0.3j)):
        condition = wc.Coherence(V, net)
        result = wc.bracket(condition, *ENGINES)
        points = hard_points(rng, condition, k)
        with mpmath.workdps(700):
            largest = max(exact(V, net, {x: p[b] for x, p in points.items()}) for b in range(0, 160, 4))
            assert 0 < largest <= result.upper and result.lower <= result.upper <= 4 * tiny
            assert result.lower <= exact(V, net, result.witness)
            assert result.lower > 0 or tiny < 1e-300  # subnormal products lose all digits


def test_only_imaginary_parts():
    """1j times a real U is the same number."""
    rng = np.random.default_rng(3)
    net = wc.ReLUNetwork(network(rng, (2, 4, 5)))
    U = orthonormal(rng, 3, 5)
    real, turned = (attacked(wc.Coherence(V, net), net, V, 0, CLIMBING) for V in (U, 1j * U))
    assert turned.lower == pytest.approx(real.lower, rel=1e-3)
    assert turned.upper == pytest.approx(real.upper, rel=1e-2)


def test_rows_that_coincide_with_outputs_and_their_differences():
    """A row along a difference of outputs: exactly 1; the gap is rounding."""
    net = wc.ReLUNetwork([np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])])
    u = net([3.0, 1.0]) - net([0.0, 2.0])
    for sign in (1, -1):
        U = sign * (u / np.linalg.norm(u))[None]
        result = attacked(wc.Coherence(U, net), net, U, 1, CLIMBING)
        assert 1 - 1e-6 < result.lower <= 1 + 1e-12
        point = {"x1": np.array([3.0, 1.0]), "x2": np.array([0.0, 2.0])}
        assert wc.Coherence(U, net).lower_bound(point) > 1 - 1e-13


@pytest.mark.parametrize("off", [-9e-7, 9e-7])
def test_an_isometry_up_to_what_is_accepted(off):
    """U is what is stored: 1 + off/2 with it, above 1 if need be."""
    net, U = wc.ReLUNetwork([np.eye(3)]), np.eye(3) * np.sqrt(1 + off)
    result = attacked(wc.Coherence(U, net), net, U, 2, CLIMBING)
    assert result.lower == pytest.approx(np.sqrt(1 + off), abs=1e-9)
    with pytest.raises(wc.InvalidInput, match="orthonormal"):
        wc.Coherence(np.eye(3) * np.sqrt(1 + 3 * off), net)


def test_near_codes_across_a_wall():
    """Secants through a wall as short as floats allow stay below the bound of the two cones."""
    net = wc.ReLUNetwork([np.array([[1.0, 1e-8], [-1.0, 1e-8], [0.0, 1.0]])])
    U = fourier(3)
    result = attacked(wc.Coherence(U, net), net, U, 3)
    x, across = np.eye(2)[::-1]
    for step in 2.0 ** -np.arange(1, 60):
        point = {"x1": x + step * across, "x2": x - step * across}
        assert wc.Coherence(U, net).lower_bound(point) <= result.upper


def test_all_lengths_of_witnesses():
    rng = np.random.default_rng(4)
    net = wc.ReLUNetwork(network(rng, (2, 4, 5)))
    condition = wc.Coherence(fourier(5), net)
    point = {"x1": rng.standard_normal(2), "x2": rng.standard_normal(2)}
    found = condition.lower_bound(point)
    for exponent in (-1000, -500, 500, 1000):
        assert condition.lower_bound({x: np.ldexp(p, exponent) for x, p in point.items()}) == found
    apart = {"x1": 1e300 * point["x1"], "x2": 1e-300 * point["x2"]}
    assert condition.lower_bound(apart) <= 1
