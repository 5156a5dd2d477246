"""Sinusoidal gated sums along a circle against a dense grid."""

from __future__ import annotations

import numpy as np
import pytest

from wdccheck.geometry import spheres
from wdccheck.geometry.circle_waves import wave_scan
from wdccheck.geometry.expectation import angle, expected_inner


def circles(rng, count, n, k):
    rows, y = rng.standard_normal((n, k)), rng.standard_normal((count, k))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    base = rng.standard_normal((count, k))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    return rows, y, base, spheres.unit_tangent(base, rng.standard_normal((count, k)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("n", "k"), [(1, 2), (7, 2), (12, 4), (60, 3)])
def test_best_of_the_circle(n, k, sign):
    rng = np.random.default_rng(n)
    rows, y, base, tangent = circles(rng, 20, n, k)
    coefficients = sign * rng.random((20, n)) * (rng.random((20, n)) < 0.7) / n
    weight = -sign * 10.0 ** rng.uniform(-2, 1, (20, 1))

    def value(t):
        m = np.cos(t)[:, None] * base + np.sin(t)[:, None] * tangent
        gated = np.sum(coefficients * np.maximum(m @ rows.T, 0.0), axis=1)
        return gated + weight[:, 0] * expected_inner(angle(m, y))

    cosines = tuple(np.sum(x * y, axis=1, keepdims=True) for x in (base, tangent))
    profile = wave_scan(base @ rows.T, tangent @ rows.T, coefficients, weight, cosines)
    t, found = profile.best()
    np.testing.assert_allclose(found, value(t), atol=1e-8)
    grid = np.max([value(np.full(20, t)) for t in np.linspace(0, 2 * np.pi, 801)], axis=0)
    assert (found >= grid - 1e-9).all()
    for j in range(profile.breaks.shape[1]):
        np.testing.assert_allclose(profile.after[:, j], value(profile.breaks[:, j]), atol=1e-9)
