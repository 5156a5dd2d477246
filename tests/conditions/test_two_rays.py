"""k = 1: two rays, and RRIC and R2WDC are problems in a plane (Fact 14)."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from examples import r2wdc
from examples.definitions import plain_a, plain_q
from examples.networks import network
from wdccheck.conditions.two_rays import Plane
from wdccheck.ranges import differences
from wdccheck.stops import Reason


def over_two_angles(D, F):
    """sup |u^T D v| over unit u, v in the cone of the two columns of F, on a grid that is zoomed in on."""
    low, high, best = np.zeros(2), np.full(2, np.pi / 2), 0.0
    for _ in range(12):
        grids = [np.linspace(a, b, 101) for a, b in zip(low, high, strict=True)]
        u, v = (np.stack([np.cos(t), np.sin(t)], axis=1) @ F.T for t in grids)
        lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v)]
        u, v = (np.divide(x, n, out=np.zeros_like(x), where=n > 0)
                for x, n in zip((u, v), lengths, strict=True))
        values = np.abs(u @ D @ v.T)
        place = np.unravel_index(np.argmax(values), values.shape)
        best = max(best, float(values[place]))
        widths = (high - low) / 20
        center = np.array([grid[i] for grid, i in zip(grids, place, strict=True)])
        low, high = np.maximum(center - widths, 0.0), np.minimum(center + widths, np.pi / 2)
    return best


def columns(net):
    plus, minus = (np.array([1.0]), np.array([-1.0])) if net is None else net([[1.0], [-1.0]])
    units = [x / (np.linalg.norm(x) or 1.0) for x in (plus, -minus)]
    return np.stack(units, axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_the_rric_is_known_from_both_sides(seed):
    rng = np.random.default_rng(seed)
    net = wc.ReLUNetwork(network(rng, (1, 5, 6)))
    A = rng.standard_normal((4, 6)) * rng.choice([0.2, 0.5, 1.0])
    exact = over_two_angles(A.T @ A - np.eye(6), columns(net))
    found = wc.bracket(wc.RRIC(A, net), wc.Spectral())
    assert found.lower <= exact * (1 + 1e-9) and exact * (1 - 1e-9) <= found.upper
    assert found.upper <= found.lower * (1 + 1e-9) + 1e-12
    assert found.stopped["upper"].reason is Reason.EXACT


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("layer", [1, 2])
def test_the_r2wdc_is_known_from_both_sides(seed, layer):
    rng = np.random.default_rng(seed)
    net, alpha = wc.ReLUNetwork(network(rng, (1, 5, 6))), float(rng.choice([0.1, 1.0, 9.0]))
    before = net.truncate(1) if layer == 2 else None
    rays, W = (before or np.asarray)([[1.0], [-1.0]]), net.layers[layer - 1]
    exact = max(over_two_angles(plain_a(W, r, s) - alpha * plain_q(r, s), columns(before))
                for r in rays for s in rays if r.any() and s.any())
    found = wc.bracket(wc.R2WDC(net, layer, alpha), wc.Spectral())
    assert found.lower <= exact * (1 + 1e-9) and exact * (1 - 1e-9) <= found.upper
    assert found.upper <= found.lower * (1 + 1e-9)
    assert found.lower <= r2wdc.plain(net, layer, alpha, found.witness) * (1 + 1e-12)


def test_no_sampled_pair_of_coefficients_is_above_the_supremum():
    """Also of planes that no network gives, of rays that coincide, and one that is 0."""
    rng = np.random.default_rng(0)
    for trial in range(200):
        F = rng.integers(-3, 4, (2, 4)) * np.array([[1], [rng.integers(0, 2)]])
        F[1] = 2 * F[0] if trial % 5 == 0 else F[1]
        D = rng.integers(-4, 5, (4, 4))
        S, T = (M.astype(object) for M in (F @ F.T, F @ (D + D.T) @ F.T))
        if not S.any():
            continue
        found = Plane(S, T).supremum()
        c = np.abs(rng.standard_normal((200, 2))) * rng.integers(0, 2, (200, 2))
        u = c @ F
        u = u[u.any(axis=1)] / np.linalg.norm(u[u.any(axis=1)], axis=1, keepdims=True)
        assert (np.abs(u @ (D + D.T) @ u.T) <= found * (1 + 1e-12) + 1e-12).all()
        one, other = (c @ F for c in Plane(S, T).maximizer())
        reached = abs(one @ (D + D.T) @ other) / np.linalg.norm(one) / np.linalg.norm(other)
        assert reached == pytest.approx(found, rel=1e-9, abs=1e-12)


def test_the_supremum_is_rounded_up_and_no_more():
    """sqrt(2): a float above it, and the one below does not pass."""
    plane = Plane(np.array([[1, 0], [0, 1]], dtype=object), np.array([[1, 1], [1, -1]], dtype=object))
    assert plane.supremum() ** 2 >= 2 > np.nextafter(plane.supremum(), 0) ** 2
    assert Plane(plane.S, 0 * plane.T).supremum() == 0.0


def test_rays_that_are_dead():
    one = wc.bracket(wc.RRIC(2 * np.eye(2), wc.ReLUNetwork([[[1.0], [2.0]]])), wc.Spectral())
    assert one.lower == pytest.approx(3.0) == pytest.approx(one.upper)
    none = wc.ReLUNetwork(
        [[[1.0], [-1.0]], [[1.0, -2.0], [1.0, -1.0]], [[-1.0, 0.0], [1.0, -1.0]], np.eye(2)])
    assert differences.live(none.layers, 1).any()  # dead, but not by its signs
    for condition in (wc.RRIC(np.eye(2), none), wc.R2WDC(none, 4)):
        found = wc.bracket(condition)
        assert (found.lower, found.upper) == (0.0, 0.0)
        assert found.stopped["lower"].reason is found.stopped["upper"].reason is Reason.EMPTY


def test_scales_of_all_kinds_and_what_is_too_large():
    rng = np.random.default_rng(1)
    for scale in (1e-120, 1e120):
        W1 = rng.standard_normal((4, 1)) * 10.0 ** rng.uniform(-100, 100, (4, 1))
        found = wc.bracket(wc.RRIC(scale * rng.standard_normal((3, 4)), wc.ReLUNetwork([W1])), wc.Spectral())
        assert found.lower <= found.upper <= found.lower * (1 + 1e-9)
    large = wc.RRIC(np.ones((300, 1000)), wc.ReLUNetwork([rng.standard_normal((1000, 1))]))
    assert not any(cap.exact for cap in large.theorems.caps())
