"""Layers that may be large: dense arrays, or compressed sparse rows, and what both can do.

``abs(rows)``, ``x @ rows.T``, ``y @ rows``, ``rows[mask]`` and sums along an axis are written alike for both;
what differs stands here. scipy.sparse is imported where such a matrix is made or given.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs, powers

__all__ = [
    "Rows", "absolute_sums", "compressed", "dense", "divided", "entries", "from_parts", "frozen",
    "gram", "is_sparse", "layer", "lengths", "other_form", "stored", "take",
]

Rows = Any
"""An ndarray of shape (n, k), or a scipy.sparse.csr_array of that shape with ascending column numbers, no
duplicates and no stored zeros."""

_SMALL = 2**20  # entries up to which a sparse layer is made dense: BLAS is faster then
_NARROW = 40  # columns up to which it is made dense at any height: k x k matrices are at hand then
_DENSE = 2**27  # entries (1 GiB) up to which a sparse layer may be made dense
_TABLE = 2**28  # entries up to which an operator is tabulated
_STORED = 2**26  # nonzero entries that its table may have
_BLOCK = 2**22  # entries of one dense block


def layer(thing: str, value: Any) -> Rows:
    """`value` as a read-only float64 matrix of shape (n, k), copied: dense, or sparse if given so and large.

    A sparse matrix stays sparse where it has more than 40 columns and 2**20 entries, at most half of
    them nonzero; above 2**27 entries always. A LinearOperator is tabulated by its products with the
    unit vectors, up to 2**28 entries and 2**26 nonzero ones: W *is* that table, so that gates have exact
    signs and a witness can be checked.

    Raises
    ------
    InvalidInput
        As for :func:`wdccheck.linalg.inputs.weights`, or an operator that is too large.
    """
    found = compressed(thing, value)
    if found is None:
        return inputs.weights(thing, value)
    n, k = found.shape
    small = k <= _NARROW or n * k <= _SMALL or (2 * found.nnz > n * k and n * k <= _DENSE)
    return inputs.weights(thing, found.toarray()) if small else found


def dense(thing: str, value: Any) -> np.ndarray:
    """Like :func:`layer`, but always dense: of a sparse matrix up to 1 GiB.

    Raises
    ------
    InvalidInput
        As there, or a sparse matrix of more than 2**27 entries.
    """
    found = compressed(thing, value)
    if found is not None and found.shape[0] * found.shape[1] > _DENSE:
        raise InvalidInput(thing, "at most 2**27 entries of a sparse matrix (it is made dense here; a lone "
                           "WDC keeps it sparse)", f"shape {found.shape}")
    return inputs.weights(thing, value if found is None else found.toarray())


def compressed(thing: str, value: Any) -> Any:
    """A scipy.sparse matrix or array, or a LinearOperator, as read-only CSR (see :data:`Rows`); else None.

    Entries are converted to float64 first, duplicates added after that.
    """
    if "scipy.sparse" not in sys.modules:
        return None
    from scipy import sparse
    from scipy.sparse.linalg import LinearOperator

    operator = isinstance(value, LinearOperator)
    if not (operator or sparse.issparse(value)):
        return None
    if len(value.shape) != 2 or min(value.shape) < 1:
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {value.shape}")
    triplets = (_tabulated(thing, value) if operator else value).tocoo()
    data = inputs.real(thing, triplets.data)
    found: Any = sparse.csr_array(sparse.coo_array((data, (triplets.row, triplets.col)), shape=value.shape))
    found.sum_duplicates()
    found.eliminate_zeros()
    inputs.real(thing, found.data)  # sums may overflow
    return frozen(found)


def from_parts(shape: tuple[int, int], data: np.ndarray, indices: np.ndarray, indptr: np.ndarray) -> Rows:
    """A sparse matrix from parts, for :func:`layer`."""
    from scipy import sparse

    return sparse.csr_array((data, indices, indptr), shape=shape)


def _tabulated(thing: str, operator: Any) -> Any:
    from scipy import sparse

    n, k = operator.shape
    if n * k > _TABLE:
        raise InvalidInput(thing, "a LinearOperator of at most 2**28 entries, or a scipy.sparse matrix",
                           f"shape {operator.shape}")
    parts, stored = [], 0
    for start in range(0, k, width := max(1, _BLOCK // max(n, k))):
        units = np.eye(k, min(width, k - start), -start)
        parts.append(sparse.csc_array(inputs.real(thing, operator @ units)))
        stored += parts[-1].nnz
        if stored > _STORED:
            raise InvalidInput(thing, "a LinearOperator of at most 2**26 nonzero entries", "more")
    return sparse.hstack(parts, format="csc")


def is_sparse(rows: Rows) -> bool:
    """Whether `rows` are compressed."""
    return not isinstance(rows, np.ndarray)


def stored(rows: Rows) -> np.ndarray:
    """The stored entries, one after the other."""
    return rows.data if is_sparse(rows) else rows.ravel()


def entries(rows: Rows) -> int:
    """How many numbers are stored."""
    return len(rows.data) if is_sparse(rows) else rows.size


def frozen(rows: Rows) -> Rows:
    """`rows`, made read-only; pickle does not keep this."""
    for array in (rows.data, rows.indices, rows.indptr) if is_sparse(rows) else (rows,):
        array.flags.writeable = False
    return rows


def divided(rows: Rows, exponent: int) -> Rows | None:
    """rows / 2**exponent, an exponent of the largest entry or above; None where an entry would change."""
    if not is_sparse(rows):
        return powers.divided(rows, exponent)
    data = powers.divided(rows.data, exponent)
    return None if data is None else type(rows)((data, rows.indices, rows.indptr), shape=rows.shape)


def take(rows: Rows, chosen: np.ndarray | list[int]) -> np.ndarray:
    """The rows of an index, dense."""
    return rows[chosen].toarray() if is_sparse(rows) else rows[chosen]


def absolute_sums(rows: Rows) -> np.ndarray:
    """||w_i||_1 of every row, (n,); 0 for zero rows only."""
    return np.asarray(abs(rows).sum(axis=1))


def lengths(rows: Rows) -> np.ndarray:
    """||w_i||_2 of every row, (n,)."""
    return np.sqrt(np.asarray((rows * rows).sum(axis=1))) if is_sparse(rows) else np.linalg.norm(rows, axis=1)


def gram(rows: Rows) -> np.ndarray:
    """rows^T rows of shape (k, k), dense; every entry is a sum of n products in some order."""
    if not is_sparse(rows):
        return rows.T @ rows
    n, k = rows.shape
    if 16 * rows.nnz > n * k and n * k <= 8 * _BLOCK:
        table = rows.toarray()
        return table.T @ table
    return (rows.T @ rows).toarray()


def other_form(rows: Rows) -> Rows | None:
    """The same matrix, dense if it is sparse and the reverse; None if it is too large to be dense."""
    if is_sparse(rows):
        return rows.toarray() if rows.shape[0] * rows.shape[1] <= _DENSE else None
    from scipy import sparse

    return compressed("W", sparse.csr_array(rows))

