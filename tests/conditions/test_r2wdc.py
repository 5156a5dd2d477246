"""The R2WDC: definition, witnesses, Fact 12, invariances, calibration, bad input."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest

import wdccheck as wc
from examples.forgeries import only_the_genuine_one_is_proved
from examples.networks import network
from examples.r2wdc import LETTERS, exact, plain
from wdccheck.engines.defaults import default_engines
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Scaled
from wdccheck.stops import Reason

pytestmark = pytest.mark.usefixtures("short_climbs")


def instance(seed, dims=(2, 6, 8)):
    rng = np.random.default_rng(seed)
    return rng, wc.ReLUNetwork(network(rng, dims))


def random_points(rng, k, n=30):
    return dict(zip(LETTERS, rng.standard_normal((6, n, k)), strict=True))


def one(points, b):
    return {x: p[b] for x, p in points.items()}


@pytest.mark.parametrize(
    ("dims", "layer"), [((2, 6, 8), 1), ((2, 6, 8), 2), ((1, 4, 5), 2), ((3, 5, 4, 6), 3)])
def test_the_definition(dims, layer):
    rng, net = instance(0, dims)
    condition, points = wc.R2WDC(net, layer, 0.7), random_points(rng, dims[0])
    assert isinstance(condition, Scaled)
    found = condition.deviation(points)
    np.testing.assert_allclose(found, [plain(net, layer, 0.7, one(points, b)) for b in range(30)], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_lower_bounds_stay_below_the_exact_value(seed):
    rng, net = instance(seed, (2, 4, 5))
    condition, points = wc.R2WDC(net, 2, 0.6), random_points(rng, 2, 12)
    points["x2"][4:8] = points["x1"][4:8] + 10.0 ** rng.uniform(-15, -5, (4, 1)) * points["x2"][4:8]
    points["y"][2:6] = points["x"][2:6]
    with mpmath.workdps(60):
        for b in range(12):
            low, true = condition.lower_bound(one(points, b)), exact(net, 2, 0.6, one(points, b))
            assert low <= true
            assert low >= true * (1 - mpmath.mpf(10) ** -9) - mpmath.mpf(10) ** -11
            assert low <= float(condition.deviation(one(points, b)))


def test_gates_on_a_wall_are_those_of_the_exact_image():
    """Rows that nearly vanish at r = G(x): floats cannot tell, the lower bound must not guess."""
    rng = np.random.default_rng(3)
    with mpmath.workdps(60):
        for _ in range(20):
            W1 = rng.standard_normal((3, 2))
            x = rng.standard_normal(2)
            r = wc.ReLUNetwork([W1])(x)
            if not r.any():
                continue
            rows = rng.standard_normal((6, 3))
            rows -= np.outer(rows @ r, r) / (r @ r)
            net = wc.ReLUNetwork([W1, rows])
            point = {**one(random_points(rng, 2, 1), 0), "x": x, "y": x}
            condition = wc.R2WDC(net, 2, 0.1)
            true = exact(net, 2, 0.1, point)
            assert condition.lower_bound(point) <= true
            assert abs(condition.deviation(point) - true) <= 1e-11
            found = condition.search.freeze({y: p[None] for y, p in point.items()}).value[0]
            assert found <= true * (1 + 1e-12)


def test_the_first_layer_is_its_wdc():
    rng, net = instance(4)
    condition, wdc = wc.R2WDC(net, 1), wc.WDC(net.layers[0])
    points = random_points(rng, 2)
    bound = wdc.deviation({"r": points["x"], "s": points["y"]})
    assert (condition.deviation(points) <= bound + 1e-12).all()
    whole = wc.bracket(wdc, wc.Spectral(), wc.Ascent(starts=64))
    restricted = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    assert restricted.lower == pytest.approx(whole.lower, rel=1e-4)
    assert restricted.lower <= whole.upper


def test_the_wdc_of_the_layer_bounds_it():
    """Fact 12: the bracket of the WDC is used where the R2WDC has no regions of its own."""
    _, net = instance(5, (4, 3, 9))
    condition, wdc = wc.R2WDC(net, 2), wc.WDC(net.layers[1])
    engines = wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(rtol=0.2, nodes=100_000)
    whole = wc.bracket(wdc, *engines)
    result = wc.bracket(condition, *engines)
    cap = next(iter(condition.theorems.caps())).value
    assert result.lower <= result.upper <= cap
    assert result.upper <= whole.upper * 1.3
    assert "WDC of layer 2: BranchAndBound" in result.upper_by
    assert result.stopped["upper"].detail.startswith("WDC of layer 2")
    assert default_engines(condition)[-1] == wc.BranchAndBound()
    assert whole.upper >= result.lower


def circles(condition, points, block, base, tangent, frozen):
    """All of each circle, and what the search looks at."""
    search = condition.search
    if len(block) == 2:
        whole = search.pairs.whole_circle(base, tangent, search._target(points, block, frozen))
    else:
        held = search._held(block[0], points, frozen)
        whole = search._whole_circle(base, tangent, *held, frozen)
    return whole.scaled(search.exponent), search.circle(points, block, tangent, frozen)


@pytest.mark.parametrize("sign", [None, 1.0, -1.0])
def test_the_best_point_of_a_circle(sign):
    rng, net = instance(6, (2, 16, 20))
    condition = wc.R2WDC(net, 2)
    points = condition.search.seeds(rng, 12)
    frozen = condition.search.freeze(points, sign=sign)
    for block in condition.spheres:
        base = spheres.join(points, block)
        tangent = spheres.unit_tangent(base, rng.standard_normal(base.shape))
        (angle, value), (near, below) = ((found.angle, found.value) for found in circles(
            condition, points, block, base, tangent, frozen))
        assert (below <= value + 1e-3).all()
        there = condition.search.freeze(
            {**points, **spheres.split_block(block, spheres.step(base, tangent, near))}, sign=1.0)
        np.testing.assert_allclose(there.value * frozen.sign, below, atol=1e-7)
        moved = {**points, **spheres.split_block(block, spheres.step(base, tangent, angle))}
        there = condition.search.freeze(moved, sign=1.0).value
        np.testing.assert_allclose(there * frozen.sign, value, atol=1e-7)
        for phi in np.linspace(0, 2 * np.pi, 200):
            other = {**points, **spheres.split_block(block, spheres.step(base, tangent, np.full(12, phi)))}
            there = condition.search.freeze(other, sign=1.0).value * frozen.sign
            assert (there <= value + 1e-3).all()  # the top of the smooth part is that of a parabola


def test_ascent_beats_sampling_and_the_witness_holds():
    _, net = instance(7)
    condition = wc.R2WDC(net, 2)
    sampled = wc.bracket(condition, wc.MonteCarlo(samples=4096))
    result = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    assert sampled.lower < result.lower <= result.upper
    value = plain(net, 2, 1.0, result.witness)
    assert result.lower <= value * (1 + 1e-12)
    assert value <= result.lower * (1 + 1e-9)


def test_the_first_example():
    """Known: a plain hill climb of 12 s finds 0.6720."""
    net = wc.ReLUNetwork(network(np.random.default_rng(5), (2, 16, 32)))
    result = wc.bracket(wc.R2WDC(net, 2), wc.Spectral(), wc.Ascent(starts=192))
    assert 0.6720 < result.lower < result.upper


def test_invariances():
    rng, net = instance(8)
    points = random_points(rng, 2)
    W1, W2 = net.layers
    reference = wc.R2WDC(net, 2, 0.5).deviation(points)
    order, rows = rng.permutation(6), rng.permutation(8)
    for layers, factor in (([W1[order], W2[:, order]], 1.0), ([W1, W2[rows]], 1.0), ([1e60 * W1, W2], 1.0),
                           ([W1, 4 * W2], 16.0), ([W1, 2.0**-200 * W2], 2.0**-400)):
        condition = wc.R2WDC(wc.ReLUNetwork(layers), 2, 0.5 * factor)
        np.testing.assert_allclose(condition.deviation(points), factor * reference, atol=1e-12 * factor)
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    turned = wc.R2WDC(wc.ReLUNetwork([W1 @ turn.T, W2]), 2, 0.5)
    moved = {x: p @ turn.T for x, p in points.items()}
    np.testing.assert_allclose(turned.deviation(moved), reference, atol=1e-12)
    for c in (1e-200, 1e200):
        moved = {**points, "x": c * points["x"]}
        np.testing.assert_allclose(wc.R2WDC(net, 2, 0.5).deviation(moved), reference)


def test_zero_images_contribute_nothing_and_zero_differences_are_skipped():
    net = wc.ReLUNetwork([np.eye(2), np.ones((3, 2))])
    condition, e = wc.R2WDC(net, 2), np.ones(2)
    usual = dict.fromkeys(LETTERS, e) | {"x2": 0 * e, "x4": 0 * e}
    assert condition.deviation(usual) > 0
    for letter in "xy":
        assert condition.deviation({**usual, letter: -e}) == 0 == condition.lower_bound({**usual, letter: -e})
        assert condition.lower_bound({**usual, letter: 0 * e}) == 0
    assert condition.deviation({**usual, "x2": e}) == 0 == condition.lower_bound({**usual, "x2": e})


def test_dead_units_and_a_dead_layer():
    rng, net = instance(9)
    W1 = net.layers[0].copy()
    W1[2:] = 0.0
    dead_units = wc.R2WDC(wc.ReLUNetwork([W1, net.layers[1]]), 2)
    cap = next(iter(dead_units.theorems.caps()))
    assert cap.value == pytest.approx(max(np.linalg.norm(net.layers[1][:, :2], 2) ** 2, 0.5))
    assert dead_units.deviation(random_points(rng, 2)).max() <= cap.value
    (wdc,) = dead_units.dominated_by()
    assert wdc.W.shape == (8, 2)
    dead = wc.ReLUNetwork([np.ones((3, 2)), -np.ones((4, 3)), np.ones((2, 4))])
    result = wc.bracket(wc.R2WDC(dead, 3))
    assert (result.lower, result.upper, result.witness) == (0.0, 0.0, None)
    assert result.stopped["lower"].reason is result.stopped["upper"].reason is Reason.EMPTY


@pytest.mark.slow
def test_calibration():
    _, net = instance(10, (2, 6, 40))
    condition = wc.R2WDC(net, 2)
    alpha = wc.calibrate(condition)
    best = wc.bracket(condition.with_alpha(alpha), wc.Spectral(), wc.Ascent(starts=64)).lower / alpha
    for other in (0.7 * alpha, 1.4 * alpha):
        found = wc.bracket(condition.with_alpha(other), wc.Spectral(), wc.Ascent(starts=64)).lower / other
        assert found > best


def test_the_checker_confirms_witnesses_and_refutes_forgeries(tmp_path):
    _, net = instance(15)
    condition = wc.R2WDC(net, 2, 0.8)
    result = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=64))
    only_the_genuine_one_is_proved(result, tmp_path)


def test_pickle_and_describe():
    _, net = instance(11)
    condition = wc.R2WDC(net, 2, 0.25)
    again = pickle.loads(pickle.dumps(condition))
    assert again.describe() == condition.describe()
    assert condition.describe()["shape"] == [8, 6] and condition.describe()["layer"] == 2
    assert repr(condition).startswith("R2WDC(dims=(2, 6, 8), layer=2, alpha=0.25, ")


@pytest.mark.parametrize("layer", [0, 3, -1, 1.0, True, "2", None])
def test_no_such_layer(layer):
    _, net = instance(12)
    with pytest.raises(wc.InvalidInput, match="layer: an integer from 1 to 2"):
        wc.R2WDC(net, layer)


def test_bad_arguments():
    _, net = instance(13)
    with pytest.raises(wc.InvalidInput, match="net: a ReLUNetwork required"):
        wc.R2WDC(net.layers, 1)
    with pytest.raises(wc.InvalidInput, match="alpha"):
        wc.R2WDC(net, 1, 0.0)
    with pytest.raises(wc.InvalidInput, match="y: shape"):
        wc.R2WDC(net, 1).deviation({**dict.fromkeys(LETTERS, np.ones(2)), "y": np.ones(3)})
