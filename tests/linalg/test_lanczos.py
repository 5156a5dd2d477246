"""Eigenpairs by short Krylov spaces: within the spectrum, exact at full length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdccheck.linalg.lanczos import extreme_pairs, top_vector

SEEDS = st.integers(0, 2**32 - 1)


def random_symmetric(rng, batch, k):
    S = rng.standard_normal((batch, k, k))
    return S + S.swapaxes(1, 2)


def product(S):
    return lambda x: np.einsum("bij,bj->bi", S, x)


@given(SEEDS, st.integers(1, 30))
def test_ritz_values_never_exceed_the_norm(seed, k):
    rng = np.random.default_rng(seed)
    S = random_symmetric(rng, 4, k)
    u, value = extreme_pairs(product(S), rng.standard_normal((4, k)), 8)
    norms = np.linalg.norm(S, 2, axis=(1, 2))
    assert (np.abs(value) <= norms * (1 + 1e-13)).all()
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.einsum("bi,bij,bj->b", u, S, u), value, atol=1e-12 * norms.max())


@given(SEEDS, st.integers(1, 8))
def test_a_full_krylov_space_is_exact(seed, k):
    rng = np.random.default_rng(seed)
    S = random_symmetric(rng, 4, k)
    _, value = extreme_pairs(product(S), rng.standard_normal((4, k)), k)
    np.testing.assert_allclose(np.abs(value), np.linalg.norm(S, 2, axis=(1, 2)), rtol=1e-6)


@given(SEEDS, st.integers(2, 30), st.integers(1, 4))
def test_ritz_values_never_fall_below_the_first(seed, k, steps):
    rng = np.random.default_rng(seed)
    S, first = random_symmetric(rng, 4, k), rng.standard_normal((4, k))
    _, value = extreme_pairs(product(S), first, steps)
    start = np.einsum("bi,bij,bj->b", first, S, first) / np.sum(first**2, axis=1)
    assert (np.abs(value) >= np.abs(start) - 1e-12 * np.abs(S).max() * k).all()


def test_the_sign_of_the_extreme_value():
    S = np.array([np.diag([3.0, 1.0, -2.0]), np.diag([1.0, 0.5, -4.0])])
    _, value = extreme_pairs(product(S), np.ones((2, 3)), 8)
    np.testing.assert_allclose(value, [3.0, -4.0], rtol=1e-12)


def test_starting_at_an_eigenvector_or_at_zero_goes_on_elsewhere():
    S = np.array([np.diag([3.0, 1.0]), np.diag([3.0, 1.0]), np.zeros((2, 2))])
    u, value = extreme_pairs(product(S), np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), 8)
    assert np.isfinite(u).all()
    np.testing.assert_allclose(value, [3.0, 3.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("sign", [None, 1.0, -1.0])
def test_a_krylov_space_that_ends_early_gives_no_number_beyond_the_spectrum(sign):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((6, 30))
    matrices = rng.uniform(-1, 1, (6, 1, 1)) * np.eye(30) + 0.3 * w[:, :, None] * w[:, None, :] / 30
    u, value = extreme_pairs(product(matrices), rng.standard_normal((6, 30)), 8, sign)
    ends = np.linalg.eigvalsh(matrices)[:, [0, -1]]
    assert (value >= ends[:, 0] - 1e-12).all() and (value <= ends[:, 1] + 1e-12).all()
    np.testing.assert_allclose(np.einsum("bi,bij,bj->b", u, matrices, u), value, atol=1e-12)


@pytest.mark.parametrize("k", [3, 60, 700])
def test_the_top_vector(k):
    rng = np.random.default_rng(k)
    basis = np.linalg.qr(rng.standard_normal((k, k)))[0]
    values = np.concatenate([[-3.0], rng.uniform(-2.9, 2.9, k - 1)])
    matrix = (basis * values) @ basis.T
    u = top_vector(lambda x: matrix @ x, k)
    assert abs(u @ matrix @ u + 3) < 1e-9
    for multiple in (0.0, 2.0):
        u = top_vector(lambda x, c=multiple: c * x, k)
        assert abs(np.linalg.norm(u) - 1) < 1e-12
