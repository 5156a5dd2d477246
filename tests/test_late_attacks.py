"""Norms, cells, Gram matrices and lower bounds on input chosen to break them, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from conftest import exact_deviation, exact_dot, exactly_semidefinite, fractions
from scipy import sparse

import wdccheck as wc
from wdccheck import _kernels
from wdccheck._kernels import reference
from wdccheck.conditions.wdc.seeds import annealed_pairs
from wdccheck.geometry import arrangements
from wdccheck.linalg import matrices, rounding
from wdccheck.linalg.norms import block_norm, majorized_norm, proved_norm

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
        exact = arrangements._topes(arrangements._rational(rows), 10**6, iter(range(10**6)))
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


# -- Gram matrices --------------------------------------------------------------------------------


def gram_pairs(rng):
    rows, weights = rng.standard_normal((19, 3)), rng.random((2, 19)) * (rng.random((2, 19)) < 0.7)
    scales = 10.0 ** rng.integers(-170, 1, (19, 3))
    yield rows * scales, weights
    yield rows * 1e100, weights > 0
    yield rows * scales, weights * 10.0 ** rng.integers(-300, 3, weights.shape)
    yield np.asfortranarray(rows), np.asfortranarray(weights)
    yield np.repeat(rows, 2, axis=0)[::2], np.repeat(weights, 2, axis=1)[:, ::2]
    yield rows[:1], weights[:, :1] + 1
    yield rows, np.zeros((2, 19))
    yield np.full((10_000, 1), 1 / 3), rng.random((1, 10_000))


@pytest.mark.parametrize("gram", [_kernels.gram, reference.gram])
def test_gram_matrices_err_by_less_than_stated(gram):
    for rows, weights in gram_pairs(np.random.default_rng(0)):
        n, k = rows.shape
        exact, found = fractions(rows.T), gram(rows, None, weights)
        assert found.shape == (len(weights), k, k) and found.dtype == np.float64
        for b, weight in enumerate(fractions(weights.astype(float))):
            scaled = [[w * x for w, x in zip(weight, column, strict=True)] for column in exact]
            entries = [[exact_dot(x, y) for y in exact] for x in scaled]
            limit = Fraction(rounding.gram_error(n, k)) * sum(entries[i][i] for i in range(k))
            limit += n * k * 4 * Fraction(1, 2**1074)
            error = sum((Fraction(float(found[b, i, j])) - entries[i][j]) ** 2
                        for i in range(k) for j in range(k))
            assert error <= limit**2


def test_gram_matrices_of_nothing_and_of_numbers_that_are_none():
    for rows, weights in ((np.zeros((0, 3)), np.zeros((2, 0))), (np.ones((3, 2)), np.zeros((0, 3)))):
        found, plain = _kernels.gram(rows, None, weights), reference.gram(rows, None, weights)
        assert found.shape == plain.shape and found.dtype == plain.dtype and not found.any()
    for weights in ([[np.nan, 0.0, 1.0]], [[0.0, np.nan, 0.0]]):
        assert np.isnan(_kernels.gram(np.ones((3, 2)), None, np.array(weights))).all()


# -- lower bounds ---------------------------------------------------------------------------------


LAYERS = {
    "zero rows and duplicates": (np.array([[1.0, 2.0, 0.5], [0, 0, 0], [1.0, 2.0, 0.5], [-1, 0, 3]]), 1.0),
    "opposite rows": (np.array([[0.3, 0.1], [-0.3, -0.1], [0.0, 1.0], [0.0, -1.0]]), 0.3),
    "rows of any scale": (np.eye(4)[[0, 1, 2, 2, 3]] * [[1.0], [1e-9], [1e-100], [-1e-150], [0.5]], 1.0),
    "tiny": (1e-140 * np.array([[1.0, 2.0], [2.0, -1.0], [1.0, 1.0]]), 1e-280),
    "rows alone": (np.array([[1.0, 1.0], [1.0, -1.0]]), 1e-12),
    "all zero": (np.zeros((3, 3)), 2.0),
    "one entry": (np.array([[-0.7]]), 1.0),
    "one column": (np.array([[1e-150], [1.0], [-0.3], [0.0]]), 0.1),
    "ties": (np.vstack([np.eye(3), -np.eye(3), np.ones((2, 3))]), 1.0),
}


@pytest.mark.filterwarnings("ignore:.*did you mean")
@pytest.mark.parametrize("kind", LAYERS)
def test_no_lower_bound_is_above_the_exact_deviation(kind):
    condition = wc.WDC(*LAYERS[kind])
    found = wc.bracket(condition, wc.Ascent(starts=1))
    seeds = condition.search.seeds(np.random.default_rng(0), 40)
    points = [found.witness, *({x: seeds[x][i] for x in "rs"} for i in (0, 8, 39))]
    r = points[1]["r"]
    points += [{"r": r, "s": -r}, {"r": r * 1e-300, "s": r}]
    with mpmath.workdps(50):
        for point in points:
            bound = condition.lower_bound(point)
            exact = exact_deviation(condition.W, condition.alpha, point["r"], point["s"])
            assert bound <= exact and bound <= condition.deviation(point)
        assert found.lower <= exact_deviation(condition.W, condition.alpha, **found.witness)
    assert found.lower <= found.upper


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e-162, 1e-150, 1.0])
def test_seeds_of_rows_whose_squares_underflow_are_directions(scale):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((6, 3)) * 10.0 ** rng.integers(-5, 1, (6, 3)) * scale
    for rows in (table, sparse.csr_array(table)):
        for alpha in (1.0, 1e-170, 1e-288):
            near = {x: rng.standard_normal((9, 3)) for x in "rs"}
            for pairs in (annealed_pairs(rows, alpha, rng, 33), annealed_pairs(rows, alpha, rng, 9, near)):
                assert all(np.isfinite(p).all() and p.any(axis=1).all() for p in pairs.values())
