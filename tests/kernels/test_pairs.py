"""Extreme eigenpairs and Gram matrices: compiled kernels against the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.matrices import MATRICES
from wdccheck import _kernels
from wdccheck._kernels import reference
from wdccheck.conditions import maximizer
from wdccheck.geometry.expectation import expected_gram, unit

pytestmark = pytest.mark.skipif(_kernels.extremes is None, reason="no compiled kernels to compare")
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MATRICES))
SIGNS = st.sampled_from([None, 1.0, -1.0])
BATCH = 5


def pairs(seed, kind, k):
    """Rows of size 1 or less, gates with and without weights, scales, and letters that may be equal."""
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    W = W / np.abs(W).max(initial=1e-300)
    r, s = (unit(rng.standard_normal((BATCH, k))) for _ in range(2))
    s[0], s[1], s[2] = r[0], -r[1], unit(r[2] + 1e-8 * s[2])
    weights = ((r @ W.T > 0) & (s @ W.T > 0)) * (rng.random((BATCH, len(W))) if rng.random() < 0.5 else 1.0)
    return W, weights, 10.0 ** rng.integers(-8, 3, BATCH), (r, s)


def both(monkeypatch, *arguments):
    compiled = maximizer.extremes(*arguments)
    with monkeypatch.context() as patch:
        patch.setattr(_kernels, "extremes", None)
        return compiled, maximizer.extremes(*arguments)


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


def difference(W, weights, scale, letters):
    return reference.gram(W, None, weights) - scale[:, None, None] * expected_gram(*letters)


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS, kind=KINDS, k=st.integers(1, 14) | st.just(40), sign=SIGNS, warm=st.booleans())
def test_extreme_pairs(patch, seed, kind, k, sign, warm):
    W, weights, scale, letters = pairs(seed, kind, k)
    near = np.random.default_rng(seed).standard_normal((BATCH, k)) if warm else None
    if warm:
        near[3] = 0.0
    (u, value), (_, plain) = both(patch, W, None, weights, scale, letters, near, sign)
    D = difference(W, weights, scale, letters)
    size = np.abs(D).max(axis=(1, 2)) * k
    assert (np.abs(value - plain) <= 1e-13 * size).all()
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1.0, rtol=1e-12)
    assert (np.abs(np.einsum("bi,bij,bj->b", u, D, u) - value) <= 1e-13 * size).all()


@pytest.mark.parametrize("k", [1, 2, 3, 40])
def test_nothing_is_open(patch, k):
    e = np.eye(k)[:1]
    for scale in (0.0, 1.0, 1e-200, 1e200):
        arguments = np.ones((3, k)), None, np.zeros((1, 3)), np.array([scale]), (e, e)
        (u, value), (_, plain) = both(patch, *arguments)
        np.testing.assert_allclose(value, plain, rtol=1e-12)
        assert np.linalg.norm(u) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, kind=KINDS, k=st.sampled_from([1, 2, 7, 8, 9, 16, 17, 33]))
def test_gram_matrices(seed, kind, k):
    W, weights, _, _ = pairs(seed, kind, k)
    for given_ in (weights, weights > 0):
        compiled, plain = _kernels.gram(W, None, given_), reference.gram(W, None, given_)
        np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-15 * (len(W) + 1))
        np.testing.assert_array_equal(compiled, compiled.swapaxes(1, 2))


def test_a_pair_does_not_depend_on_its_batch():
    W, weights, scale, (r, s) = pairs(3, "gaussian", 9)
    u, value = maximizer.extremes(W, None, weights, scale, (r, s))
    for i in range(BATCH):
        one = slice(i, i + 1)
        alone = maximizer.extremes(W, None, weights[one], scale[one], (r[one], s[one]))
        assert np.array_equal(alone[0], u[one]) and np.array_equal(alone[1], value[one])


def test_numbers_that_are_none_do_no_harm():
    for bad in (np.nan, np.inf):
        for place in range(3):
            W, weights, scale, (r, s) = pairs(3, "gaussian", 4)
            (W, scale, r)[place].flat[0] = bad
            with np.errstate(invalid="ignore"):
                u, _ = maximizer.extremes(W, None, weights, scale, (r, s))
            assert u.shape == r.shape
