"""Range differences, their errors, exact gates of images."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import wdccheck as wc
from examples.networks import exact_image, network
from wdccheck.ranges import differences


def pairs(rng, k):
    """Ordinary pairs, pairs that nearly coincide, equal codes, the zero code."""
    x1, x2 = rng.standard_normal((2, 8, k))
    x2[2:6] = x1[2:6] + 10.0 ** rng.uniform(-15, -6, (4, 1)) * x2[2:6]
    x2[6] = x1[6]
    x2[7] = 0.0
    return x1, x2


@pytest.mark.parametrize("seed", range(6))
def test_a_difference_errs_by_no_more_than_it_says(seed):
    rng = np.random.default_rng(seed)
    layers = network(rng, (3, 6, 7, 5))
    if seed % 2:
        layers[1][:2] = np.round(layers[1][:2])
    x1, x2 = pairs(rng, 3)
    value, error = differences.enclosed(layers, x1, x2)
    plain = differences.secants(layers, x1, x2)
    for b in range(len(x1)):
        exact = [p - q for p, q in zip(exact_image(layers, x1[b]), exact_image(layers, x2[b]), strict=True)]
        for found, e, other, true in zip(value[b], error[b], plain[b], exact, strict=True):
            assert abs(Fraction(float(found)) - true) <= Fraction(float(e))
            assert abs(Fraction(float(other)) - true) <= 2 * Fraction(float(e)) + Fraction(1, 10**300)


def test_nearly_equal_codes_lose_no_accuracy():
    rng = np.random.default_rng(0)
    layers = network(rng, (3, 20, 30))
    x = rng.standard_normal((1, 3))
    step = 2.0**-40 * np.array([[1.0, -2.0, 0.5]])
    moved = x + step
    found = differences.secants(layers, moved, x)
    tangent = differences.jacobian(layers, x)[0] @ (moved - x)[0]
    assert np.linalg.norm(found - tangent) <= 1e-13 * np.linalg.norm(tangent)
    naive = wc.ReLUNetwork(layers)(moved) - wc.ReLUNetwork(layers)(x)
    assert np.linalg.norm(naive - tangent) > 1e-9 * np.linalg.norm(tangent)


def test_equal_codes_have_difference_zero():
    layers = network(np.random.default_rng(1), (2, 5, 5))
    x = np.ones((1, 2))
    value, error = differences.enclosed(layers, x, x)
    assert not value.any() and not error.any()


def test_dead_coordinates():
    layers = [np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 5.0], [-1.0, 9.0], [0.0, 9.0]])]
    assert differences.live(layers, 2).tolist() == [True, False, False]
    assert differences.live([], 2).all()
    rng = np.random.default_rng(2)
    dead = ~differences.live(layers, 2)
    assert not wc.ReLUNetwork(layers)(rng.standard_normal((500, 2)))[:, dead].any()


def test_gates_of_an_image_on_a_wall_are_decided_exactly():
    layers = [np.array([[1.0, 0.0], [0.0, 1.0]])]
    rows = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    third = 1 / 3
    x = np.array([third, np.nextafter(third, 1.0)])
    gates, sure, _, _ = differences.open_gates(layers, rows, x[None])
    assert not sure[0, 0] and sure[0, 2]
    assert differences.exactly_open(layers, rows, x).tolist() == [False, True, True, False]
    exact = differences.exactly_open(layers, rows, np.array([third, third]))
    assert exact.tolist() == [False, False, True, False]
    value = differences.open_gates(layers, rows, np.array([[1.0, -1.0]]))
    assert value[1].all(), "a unit that is surely closed makes sure gates"
    assert gates.shape == sure.shape == (1, 4)


def test_the_direction_of_ascent_is_the_maximizer():
    rng = np.random.default_rng(4)
    matrix, z = rng.standard_normal((1, 9, 4)), rng.standard_normal((1, 9))
    best = differences.ascent_direction(matrix, z)[0]

    def value(xi):
        image = xi @ matrix[0].T
        return image @ z[0] / np.linalg.norm(image, axis=-1)

    assert value(best) >= value(rng.standard_normal((1000, 4))).max()
    assert value(best) >= value(best + 1e-3 * rng.standard_normal((1000, 4))).max()


def test_layers_of_wild_entries_are_refused():
    with pytest.raises(wc.InvalidInput, match="layer 1: nonzero entries"):
        differences.rescaled([np.array([[1e300, 1e-300]])])
