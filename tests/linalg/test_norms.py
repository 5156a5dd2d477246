"""Norms proved from above, of dense and sparse layers, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import wdccheck as wc
from examples.definitions import exact_dot, exactly_semidefinite, fractions
from examples.matrices import MATRICES, sparse_table
from wdccheck.linalg import matrices, norms
from wdccheck.linalg.norms import block_norm, majorized_norm, proved_norm, squared_norm

SEEDS = st.integers(0, 2**32 - 1)


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


# -- large layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("norm", [proved_norm, majorized_norm, block_norm])
def test_caps_are_proved_in_exact_arithmetic(seed, norm):
    rng = np.random.default_rng(seed)
    table = sparse_table(*rng.integers(1, 7, 2), seed, density=rng.uniform(0.2, 1))
    table = np.ldexp(table, -int(seed % 3) * 40) if seed % 2 else np.abs(table)
    bound, columns = Fraction(norm(matrices.compressed("W", sparse.csr_array(table)))), fractions(table.T)
    shifted = [[bound * (a is b) - exact_dot(a, b) for b in columns] for a in columns]
    assert exactly_semidefinite(shifted)
    if table.any():  # negative control: the exact test refuses what is too small
        smaller = np.linalg.norm(table, 2) ** 2 * (1 - 1e-9)
        assert not exactly_semidefinite([[Fraction(smaller) * (a is b) - exact_dot(a, b) for b in columns]
                                         for a in columns])


def test_the_cap_by_products_is_tight_for_rows_without_cancellation():
    table = np.abs(sparse_table(300, 200))
    exact = np.linalg.norm(table, 2) ** 2
    assert exact <= majorized_norm(sparse.csr_array(table)) <= exact * (1 + 1e-6)
    assert max(majorized_norm(sparse.csr_array((3, 2))), block_norm(sparse.csr_array((3, 2)))) <= 1e-40


def test_the_cap_by_blocks_is_tight_where_blocks_agree():
    rng = np.random.default_rng(0)
    taps = rng.random((6, 1, 1, 1)) * rng.random((1, 5, 1, 1)) * rng.random((1, 1, 4, 4))
    table = wc.conv_transpose2d_matrix(taps, (6, 4, 4), stride=2, padding=1)
    exact = np.linalg.norm(table.toarray(), 2) ** 2
    assert exact <= block_norm(table) <= exact * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(6, 3, 4, 4), (2, 2, 4, 4), (1, 3, 3, 3), (12, 1, 2, 2)])
def test_the_cap_by_blocks_holds_for_convolutions(shape):
    kernel = np.random.default_rng(1).standard_normal(shape)
    table = wc.conv_transpose2d_matrix(kernel, (shape[0], 5, 4), stride=2, padding=1)
    exact = np.linalg.norm(table.toarray(), 2) ** 2
    assert exact <= block_norm(table) <= 3 * exact
    assert exact <= block_norm(table.T.tocsr())


def test_the_largest_layers_are_capped_by_blocks_or_by_magnitudes(monkeypatch):
    monkeypatch.setattr(norms, "_FACTORED", 10)
    kernel = np.random.default_rng(2).standard_normal((8, 4, 4, 4))
    table = matrices.compressed("W", wc.conv_transpose2d_matrix(kernel, (8, 4, 4), 2, 1))
    exact = np.linalg.norm(table.toarray(), 2) ** 2
    for rows, how in ((table, "blocks"), (table.T.tocsr(), "blocks"), (table.toarray(), "|W|")):
        bound, reason, _ = squared_norm(rows)
        assert exact <= bound and reason == f", ||W|| bounded by {how}"
    monkeypatch.setattr(norms, "_PRODUCTS", 0)
    assert squared_norm(table) == (majorized_norm(table), ", ||W|| bounded by |W|", "")
