"""Blocks of letters on spheres: sampled, joined, tangents, steps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wdccheck.geometry import spheres

SEEDS = st.integers(0, 2**32 - 1)
BLOCKS = {("r",): 3, ("x1", "x2"): 4}


def test_sample_is_unit_per_block_and_reproducible():
    points = spheres.sample(BLOCKS, np.random.default_rng(1), 50)
    assert {x: v.shape for x, v in points.items()} == {"r": (50, 3), "x1": (50, 2), "x2": (50, 2)}
    np.testing.assert_allclose(np.linalg.norm(points["r"], axis=1), 1.0)
    joint = np.concatenate([points["x1"], points["x2"]], axis=1)
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1.0)
    assert (np.linalg.norm(points["x1"], axis=1) < 1).all()  # scaled jointly, not each
    again = spheres.sample(BLOCKS, np.random.default_rng(1), 50)
    for letter, value in points.items():
        np.testing.assert_array_equal(value, again[letter])


def test_sample_is_uniform():
    r = spheres.sample({("r",): 3}, np.random.default_rng(0), 20_000)["r"]
    np.testing.assert_allclose(r.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(r.T @ r / len(r), np.eye(3) / 3, atol=0.02)  # Archimedes


class _Zeros:
    def standard_normal(self, shape):
        return np.zeros(shape)


def test_sample_survives_a_zero_draw():
    r = spheres.sample({("r",): 4}, _Zeros(), 2)["r"]
    np.testing.assert_allclose(np.linalg.norm(r, axis=1), 1.0)


@given(SEEDS)
def test_join_and_split_are_inverse(seed):
    points = spheres.sample(BLOCKS, np.random.default_rng(seed), 7)
    for block in BLOCKS:
        parts = spheres.split_block(block, spheres.join(points, block))
        for letter in block:
            np.testing.assert_allclose(parts[letter], points[letter], rtol=1e-12)


@given(SEEDS, st.integers(2, 5))
def test_tangents_and_steps_stay_on_the_sphere(seed, k):
    rng = np.random.default_rng(seed)
    base = spheres.sample({("r",): k}, rng, 6)["r"]
    toward = rng.standard_normal((6, k))
    toward[0] = base[0] + 1e-9 * toward[0]  # cancellation
    tangent = spheres.unit_tangent(base, toward)
    np.testing.assert_allclose(np.sum(base * tangent, axis=1), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(tangent, axis=1), 1.0, rtol=1e-12)
    angle = rng.uniform(0, 2 * np.pi, 6)
    moved = spheres.step(base, tangent, angle)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.sum(base * moved, axis=1), np.cos(angle), atol=1e-12)


def test_no_tangent_toward_the_base():
    base = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(spheres.unit_tangent(base, 3 * base), np.zeros((2, 2)))
