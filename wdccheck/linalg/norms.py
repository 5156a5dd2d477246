"""Proved bounds on the extreme eigenvalues of W^T W; on the largest also where W^T W is too large."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from wdccheck.linalg import cost, matrices, rounding
from wdccheck.linalg.lanczos import SMALL, top_vector
from wdccheck.linalg.matrices import Rows

__all__ = [
    "block_norm", "majorized_norm", "norm_in_time", "proved_norm", "proved_smallest", "squared_frobenius",
    "squared_norm",
]

_FACTORED = 8192  # order up to which a dense Gram matrix (512 MiB) is factored
_PRODUCTS = 2**36  # of entries, for the blocks of a Gram matrix; a minute or so
_BLOCKS = 2e9  # of those entries per second
_POWER_STEPS = 30
_IN_PLACE = 2048  # order from which a Gram matrix is not copied to be factored
_THIN = 4  # columns up to which a Frobenius norm stands for a spectral one


def squared_norm(rows: Rows, deadline: float = math.inf) -> tuple[float, str, str]:
    """A proved upper bound on ||rows||_2^2 for rows (n, k), how it was found, if not the usual way, and
    what was left out.

    Up to order 8192 by :func:`proved_norm`; beyond, the smaller one of :func:`block_norm`, where it is
    affordable, and :func:`majorized_norm`. What does not fit before the deadline is left out.
    """
    if min(rows.shape) <= _FACTORED:
        return norm_in_time(rows, deadline)
    found = majorized_norm(rows)
    if not matrices.is_sparse(rows):
        return found, ", ||W|| bounded by |W|", ""
    thin = rows if rows.shape[0] >= rows.shape[1] else rows.T.tocsr()
    work = float(np.sum(np.square(np.diff(thin.indptr), dtype=np.float64)))
    affordable = work <= _PRODUCTS and thin.shape[1] <= 2**16
    late = cost.left_out("the norm by blocks", work / _BLOCKS, deadline) if affordable else ""
    by_blocks = block_norm(thin) if affordable and not late else np.inf
    return min(found, by_blocks), f", ||W|| bounded by {'blocks' if by_blocks < found else '|W|'}", late


def norm_in_time(rows: Rows, deadline: float) -> tuple[float, str, str]:
    """:func:`proved_norm`, or :func:`squared_frobenius` where it does not fit before the deadline.

    As of :func:`squared_norm`: the bound, how it was found, and what was left out.
    """
    n, k = rows.shape
    late = cost.left_out("||W||", cost.proved_norm(n, k, matrices.entries(rows)), deadline)
    if late:
        return squared_frobenius(rows), ", ||W|| bounded by ||W||_F", late
    return proved_norm(rows), "", ""


def squared_frobenius(rows: Rows) -> float:
    """A proved upper bound on ||rows||_F^2; what underflows is below 1e-50 of at most 2**40 entries."""
    entries = matrices.stored(rows)
    total = float(entries @ entries) * (1 + rounding.gamma(entries.size + 8))
    return rounding.round_up(total + 1e-50, 4)


def majorized_norm(rows: Rows) -> float:
    """A proved upper bound on ||rows||_2^2 from products with |rows| alone.

    ||W||^2 = lambda_max(W^T W) <= lambda_max(|W|^T|W|). Sums of nonnegative terms err by gamma(n) and
    gamma(k) relatively, the quotient by u: less than 2 gamma(n + k + 8). What underflows, 2^-1075 for each of
    n k products twice, is below 1e-50 of x_j >= 1e-200; rows have entries of at most 1 or so.
    """
    size = abs(rows)
    n, k = rows.shape
    largest = _perron(lambda x: (size @ x) @ size, k)
    return rounding.round_up(largest * (1 + 2 * rounding.gamma(n + k + 8)) + 1e-50, 4)


def block_norm(rows: Rows) -> float:
    """A proved upper bound on ||rows||_2^2 for sparse rows (n, k), by blocks of the Gram matrix G.

    Columns with the same support form a block, as the channels of a pixel do in a convolution. With
    N_ij >= ||G_ij||_2 on blocks, ||G|| <= lambda_max(N): for unit vectors u with parts u_i,
    u^T G u <= sum N_ij ||u_i|| ||u_j||. G is computed with the error of ``rounding.gram_error``, N with
    proved norms; one half of each, as both are symmetric. Rows have entries of magnitude at most 1 or so.
    lambda_max(N) errs as in :func:`majorized_norm`, with the blocks in the place of rows and columns; the
    trace by gamma(nnz), and G, where squares of tiny entries underflow, by less than the 1e-50.
    """
    from scipy import sparse

    n, k = rows.shape
    columns = rows.tocsc()
    blocks = _blocks(columns)
    owner = np.empty(k, dtype=np.int64)
    for i, block in enumerate(blocks):
        owner[block] = i
    found = [_block_row(rows, columns, blocks, owner, i) for i in range(len(blocks))]
    if not found:
        return 1e-50
    here, there, norms = (np.concatenate(part) for part in zip(*found, strict=True))
    upper = sparse.csr_array((norms, (here, there)), shape=(len(blocks), len(blocks)))
    both = upper + sparse.triu(upper, 1).T
    largest = _perron(lambda x: both @ x, len(blocks)) * (1 + 2 * rounding.gamma(len(blocks) + 8)) + 1e-50
    trace = float(np.sum(np.square(rows.data))) * (1 + rounding.gamma(rows.nnz + 8))
    return rounding.round_up(largest + rounding.gram_error(n, k) * trace, 8)


def _perron(product: Callable[[np.ndarray], np.ndarray], k: int) -> float:
    """lambda_max(N) <= max_j (N x)_j / x_j for N = N^T >= 0 entrywise and any x > 0 (Collatz, Wielandt).

    Power steps never raise that maximum. The quotients are those of the computed products.
    """
    x, best = np.ones(k), np.inf
    for _ in range(_POWER_STEPS):
        y = product(x)
        best = min(best, float(np.max(y / x)))
        if not best:
            break
        x = np.maximum(np.where(y > 0, y / y.max(), x), 1e-200)
    return best


def _blocks(columns: Rows) -> list[np.ndarray]:
    """The nonzero columns by their support."""
    found: dict[bytes, list[int]] = {}
    ends = columns.indptr
    for j in range(columns.shape[1]):
        if ends[j] < ends[j + 1]:
            found.setdefault(columns.indices[ends[j]: ends[j + 1]].tobytes(), []).append(j)
    return [np.array(block) for block in found.values()]


def _block_row(
    rows: Rows, columns: Rows, blocks: list[np.ndarray], owner: np.ndarray, i: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row i of N from its diagonal on: i, j and N_ij of the blocks that block i meets.

    A Frobenius norm errs by gamma of the number of its squares, one of :func:`proved_norm` by its root and
    the last product alone. Squares that underflow lose 2^-1074 each: in a norm, far less than 1e-150.
    """
    starts = columns.indptr[blocks[i]]
    height = int(columns.indptr[blocks[i][0] + 1] - starts[0])
    part = rows[columns.indices[starts[0]: starts[0] + height]]
    gram = columns.data[starts[:, None] + np.arange(height)] @ part
    seen = np.unique(part.indices)
    seen = seen[owner[seen] >= i]
    seen = seen[np.argsort(owner[seen], kind="stable")]
    met, first, count = np.unique(owner[seen], return_index=True, return_counts=True)
    if len(blocks[i]) > _THIN:
        norms = np.sqrt([_squared(gram[:, seen[a: a + c]]) for a, c in zip(first, count, strict=True)])
    else:
        norms = np.sqrt(np.add.reduceat(np.sum(gram[:, seen] ** 2, axis=0), first))
    bound = norms * (1 + rounding.gamma(len(blocks[i]) * int(count.max()) + 8)) + 1e-150
    return np.full(len(met), i), met, bound


def _squared(block: np.ndarray) -> float:
    return float(np.sum(block**2)) if min(block.shape) <= _THIN else proved_norm(block)


def proved_norm(rows: Rows) -> float:
    """A proved upper bound on ||rows||_2^2, within about 1e-10 of it relatively.

    t I - rows^T rows >= 0 is proved by a Cholesky factorization that runs to its end, with the
    loss of ``rounding.cholesky_loss`` and the error of the Gram matrix added; rows (n, k) have
    entries of magnitude at most 1 or so. A diagonal entry of t I - rows^T rows is rounded by u t at most, and
    4 u k trace is more: a step of `trace` passes, so t <= 5 trace; or t is near 2^-1000, and cholesky_loss
    has 7 u t to spare. The last sum has three roundings of half a step each.
    """
    if rows.shape[0] < rows.shape[1]:
        rows = rows.T
    n, k = rows.shape
    trace = float(np.sum(np.square(matrices.stored(rows)))) * (1 + rounding.gamma(n * k + 8))
    loss = rounding.gram_error(n, k) * trace + 4 * rounding.UNIT * k * trace
    bound = _nearly_top(rows)
    step = 4 * (loss + float(rounding.cholesky_loss(k, np.asarray(k * bound)))) + 2.0**-1000
    for _ in range(60):
        shifted = matrices.gram(rows)
        np.negative(shifted, out=shifted)
        shifted.flat[:: k + 1] += bound + step
        diagonal = float(np.trace(shifted))
        if not _factorizes(shifted):
            step *= 4
            continue
        final = bound + step + loss + float(rounding.cholesky_loss(k, np.asarray(diagonal)))
        return rounding.round_up(final, 8)
    return trace


def _factorizes(matrix: np.ndarray) -> bool:
    """Whether a Cholesky factorization of `matrix` (k, k) runs to its end; it overwrites a large one."""
    try:
        if len(matrix) <= _IN_PLACE:
            np.linalg.cholesky(matrix)
        else:
            from scipy import linalg  # here, as it takes a quarter of a second; its BLAS has its own threads

            # the transpose is the same matrix, factored in place
            linalg.cholesky(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return False
    return True


def _nearly_top(rows: Rows) -> float:
    """The largest eigenvalue of rows^T rows for rows (n, k), not proved."""
    if rows.shape[1] <= SMALL:
        return max(float(np.linalg.eigvalsh(matrices.gram(rows))[-1]), 0.0)
    image = rows @ top_vector(lambda x: (rows @ x) @ rows, rows.shape[1])
    return float(image @ image)


def proved_smallest(rows: np.ndarray) -> float:
    """A proved lower bound on the smallest eigenvalue of rows^T rows; 0 where none is found.

    rows^T rows - t I >= 0 by a Cholesky factorization, as in :func:`proved_norm`; rows (n, k) as there. All
    diagonal entries and t are at most `trace`: a rounding costs u trace, and 8 u trace covers three.
    """
    n, k = rows.shape
    if n < k:
        return 0.0
    gram = rows.T @ rows
    trace = float(np.sum(rows * rows)) * (1 + rounding.gamma(n * k + 8))
    loss = rounding.gram_error(n, k) * trace + 4 * rounding.UNIT * k * trace
    bound = float(np.linalg.eigvalsh(gram)[0])
    step = 4 * (loss + float(rounding.cholesky_loss(k, np.asarray(k * trace)))) + 2.0**-1000
    while step < bound:
        shifted = gram - (bound - step) * np.eye(k)
        try:
            np.linalg.cholesky(shifted)
        except np.linalg.LinAlgError:
            step *= 4
            continue
        # the shift, the shifted diagonal and the last difference are rounded: u trace each at most
        lost = loss + float(rounding.cholesky_loss(k, np.asarray(trace))) + 8 * rounding.UNIT * trace
        return rounding.round_down(bound - step - lost, 8)
    return 0.0
