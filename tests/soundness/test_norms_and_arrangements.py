"""Attacks on norms and on cells of arrangements, held against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from examples.definitions import exact_dot, exactly_semidefinite, fractions
from wdccheck.geometry import arrangements, elimination
from wdccheck.geometry.elimination import pivot_columns
from wdccheck.linalg import matrices
from wdccheck.linalg.norms import block_norm, majorized_norm, proved_norm


def test_rational_enumeration_is_bounded_as_a_whole(monkeypatch):
    """Local arrangements of dependent rows, too: what cannot be listed in time is given up."""
    counted, normal = [], elimination.normal
    monkeypatch.setattr(arrangements, "normal", lambda *given: (counted.append(1), normal(*given))[1])
    rows = np.random.default_rng(0).integers(-1, 2, (14, 6)).astype(float)
    assert arrangements.topes(rows, 2002) is None
    assert len(counted) <= 2002
    assert len(arrangements.topes(np.random.default_rng(0).standard_normal((4, 6)))) == 2**4
    assert arrangements.topes(np.eye(6), 32) is None


def test_normals_are_orthogonal():
    rng = np.random.default_rng(0)
    for p in range(2, 7):
        rows = rng.integers(-2, 3, (p - 1, p))
        y = elimination.normal([tuple(map(Fraction, map(int, row))) for row in rows], p)
        assert (y is None) == (np.linalg.matrix_rank(rows) < p - 1)
        if y is not None:
            assert any(y) and all(sum(int(a) * b for a, b in zip(row, y, strict=True)) == 0 for row in rows)


def test_pivots_of_the_first_rows_are_those_of_all_only_if_they_span_everything():
    rng = np.random.default_rng(0)
    low = rng.integers(-2, 3, (30, 2)) @ rng.integers(-2, 3, (2, 4)).astype(float)
    assert len(pivot_columns(low)) == 2
    assert pivot_columns(np.vstack([low, np.eye(4)])) == [0, 1, 2, 3]
    assert pivot_columns(np.vstack([low[:, :2], np.eye(2)]) @ np.eye(2, 4)) == [0, 1]


# -- norms of sparse layers -----------------------------------------------------------------------


def odd_table(kind, rng):
    table = rng.uniform(-1, 1, (6, 5)) * (rng.random((6, 5)) < 0.6)
    tiles = np.kron(rng.random((3, 2)) < 0.6, np.ones((2, 6)))  # blocks wider than `_THIN`
    return {
        "blocks": lambda: tiles * rng.uniform(-1, 1, tiles.shape),
        "equal columns": lambda: tiles,
        "opposite columns": lambda: np.hstack([table, -table, table[:, ::-1]]),
        "columns of any scale": lambda: table * 10.0 ** rng.choice([-320, -300, -160, -150, 0], 5),
        "rows of any scale": lambda: table * 10.0 ** rng.choice([-320, -300, -160, -150, 0], (6, 1)),
        "tiny": lambda: table * 1e-150,
        "squares underflow": lambda: table * 1e-165,
        "large": lambda: table * 1e70,
        "one column": lambda: table[:, :1],
        "one row": lambda: table[:1],
        "orders descend": lambda: np.tril(np.ones((7, 7))),
    }[kind]()


@pytest.mark.parametrize("kind", [
    "blocks", "equal columns", "opposite columns", "columns of any scale", "rows of any scale", "tiny",
    "squares underflow", "large", "one column", "one row", "orders descend",
])
def test_norms_of_odd_tables_are_upper_bounds(kind):
    table = odd_table(kind, np.random.default_rng(len(kind)))
    rows = matrices.compressed("W", sparse.csr_array(table))
    columns = fractions(table.T)
    grams = [[exact_dot(a, b) for b in columns] for a in columns]
    for bound in (block_norm(rows), majorized_norm(rows), proved_norm(rows), proved_norm(table),
                  block_norm(rows.T.tocsr()), proved_norm(rows.T)):
        assert exactly_semidefinite([[Fraction(bound) * (a == b) - x for b, x in enumerate(row)]
                                     for a, row in enumerate(grams)])


def test_parts_in_any_order_with_zeros_and_duplicates_have_the_norm_of_their_sum():
    triplets = [0.25, 1.0, 0.0, 0.75, -1.0, 1.0], ([1, 0, 2, 1, 0, 2], [2, 1, 0, 2, 0, 2])
    rows = matrices.compressed("W", sparse.coo_array(triplets, shape=(4, 3)))
    order = [1, 0, 2, 3]
    shuffled = sparse.csr_array((rows.data[order], rows.indices[order], rows.indptr.copy()), rows.shape)
    assert not shuffled.has_sorted_indices
    assert block_norm(shuffled) == block_norm(rows) and majorized_norm(shuffled) == majorized_norm(rows)
    for norm in (block_norm, majorized_norm, proved_norm):
        assert norm(rows) >= np.linalg.norm(rows.toarray(), 2) ** 2


# -- cells ----------------------------------------------------------------------------------------


def odd_rows(kind, rng):
    k = int(rng.integers(2, 5))
    rows = rng.integers(-2, 3, (7, k)).astype(float)
    rows[~rows.any(axis=1), 0] = 1.0
    if kind == "last bits":
        rows *= 1 + rng.choice([0, 2.0**-52, 1e-15, 1e-13], rows.shape)
    if kind == "perturbed":
        rows += rng.choice([0, 5e-324, 1e-300, 1e-17, 1e-15, 1e-13], rows.shape)
    if kind == "rows of any scale":
        rows *= 10.0 ** rng.integers(-300, 300, (7, 1))
    if kind == "entries of any scale":
        rows *= 10.0 ** rng.integers(-150, 150, rows.shape)
    if kind == "parallel and opposite":
        rows[:3] = rows[-3:] * [[-1.0], [3.0], [-0.5]]
    if kind == "dependent but for one ulp":
        rows = rng.standard_normal((7, k))
        rows[-1], rows[-2] = np.nextafter(rows[0] + rows[1], rng.choice([-9, 9], k)), rows[0] - rows[1]
    if kind == "denormal":
        rows *= 5e-324 * rng.choice([1, 3, 2**40], (7, 1))
    return rows


@pytest.mark.parametrize("kind", [
    "integers", "last bits", "perturbed", "rows of any scale", "entries of any scale",
    "parallel and opposite", "dependent but for one ulp", "denormal",
])
def test_cells_of_odd_rows_are_those_of_rationals_or_none(kind):
    rng = np.random.default_rng(len(kind))
    for _ in range(12):
        rows = odd_rows(kind, rng)
        exact = arrangements._topes(elimination.rational(rows), 10**6, iter(range(10**6)))
        expected = [list(signs) for signs in sorted(exact)]
        assert arrangements.topes(rows, 10**6).tolist() == expected
        for limit in (1, len(expected) // 2, len(expected) - 1, len(expected)):
            found = arrangements.topes(rows, limit)
            assert found is None or (limit == len(expected) and found.tolist() == expected)


@pytest.mark.parametrize("n, k, rank", [(24, 30, 22), (40, 39, 38), (24, 24, 24), (18, 16, 12), (24, 20, 20)])
def test_more_cells_than_the_limit_cost_neither_time_nor_memory(n, k, rank):
    rows = np.zeros((n, k))
    rows[:, :rank] = np.random.default_rng(0).standard_normal((n, rank))
    assert arrangements.topes(rows, limit=4000) is None


def test_cells_of_independent_rows_need_no_normals():
    assert len(arrangements.topes(np.eye(14))) == 2**14 and arrangements.topes(np.eye(15)) is None
