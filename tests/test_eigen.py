from fractions import Fraction

import numpy as np
import pytest
from conftest import MATRICES, exact_dot, exactly_semidefinite, fractions
from hypothesis import given
from hypothesis import strategies as st

from wdccheck.linalg.lanczos import extreme_pairs
from wdccheck.linalg.norms import proved_norm

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


@given(SEEDS, st.sampled_from(sorted(set(MATRICES) - {"huge"})), st.integers(1, 5), st.booleans())
def test_the_proved_norm_is_proved(seed, kind, k, transposed):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = W / (np.abs(W).max() or 1.0) if kind != "tiny" else W
    bound = proved_norm(W.T if transposed else W)
    rows, columns = fractions(W), fractions(W.T)
    shifted = [[(Fraction(bound) if i == j else 0) - exact_dot(columns[i], columns[j]) for j in range(k)]
               for i in range(k)]
    assert rows and exactly_semidefinite(shifted)
    norm = np.linalg.norm(W, 2) ** 2
    assert bound <= norm * (1 + 1e-11) + 1e-300


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (200, 60), (60, 200)])
def test_the_proved_norm_is_close(shape):
    W = np.random.default_rng(0).uniform(-1, 1, shape)
    norm = np.linalg.svd(W, compute_uv=False)[0] ** 2
    assert norm * (1 - 1e-14) <= proved_norm(W) <= norm * (1 + 1e-9)


def test_the_proved_norm_of_nothing():
    assert 0 <= proved_norm(np.zeros((3, 2))) < 1e-290


@pytest.mark.parametrize("sign", [None, 1.0, -1.0])
def test_a_krylov_space_that_ends_early_gives_no_number_beyond_the_spectrum(sign):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((6, 30))
    matrices = rng.uniform(-1, 1, (6, 1, 1)) * np.eye(30) + 0.3 * w[:, :, None] * w[:, None, :] / 30
    u, value = extreme_pairs(product(matrices), rng.standard_normal((6, 30)), 8, sign)
    ends = np.linalg.eigvalsh(matrices)[:, [0, -1]]
    assert (value >= ends[:, 0] - 1e-12).all() and (value <= ends[:, 1] + 1e-12).all()
    np.testing.assert_allclose(np.einsum("bi,bij,bj->b", u, matrices, u), value, atol=1e-12)
