"""Measurements: a matrix A that may be dense, sparse, or known by its products alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs, matrices, powers, rounding

__all__ = ["OPERATOR_ERROR", "Measurements"]

OPERATOR_ERROR = 1e-11
"""Assumed, not proved, of a LinearOperator too large to tabulate: ||fl(Ax) - Ax'|| is at most this times
max(||fl(Ax)||, ||x||) for every x' with ||x' - x|| at most a tenth of this times ||x||. Matrices and
tabulated operators need no assumption."""

_TABLE = 2**22  # entries up to which an operator is tabulated by its products with the unit vectors
_RANGE = 1e140


@dataclass(frozen=True, eq=False)
class Measurements:
    """A of shape (m, n), applied to batches of rows; A^T A is never formed.

    Parameters
    ----------
    source : array_like, scipy.sparse matrix or array, or LinearOperator
        A real matrix. An operator with at most 2**22 entries is tabulated: A is the matrix of its
        products with the unit vectors.

    Raises
    ------
    InvalidInput
        Not real and finite, or with entries beyond 1e140.
    """

    source: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", _converted(self.source))

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return (int(self.source.shape[0]), int(self.source.shape[1]))

    @property
    def entries(self) -> int:
        """Numbers that a product reads, as far as they are known."""
        stored = getattr(self.source, "nnz", getattr(self.source, "size", None))
        return sum(self.shape) if stored is None else int(stored)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """A x for x of shape (..., n): (..., m)."""
        return self._checked(self.source, x)

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """A^T y for y of shape (..., m): (..., n)."""
        return self._checked(self.source.T, y)

    def deviation(self, x: np.ndarray) -> np.ndarray:
        """(A^T A - I) x for x of shape (..., n)."""
        return self.adjoint(self.apply(x)) - x

    def enclosed(self, x: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A x for one x (n,) known up to `error` (n,), and a bound on the error of each entry.

        It is gamma(n) |A||x| + |A| error; for an operator, see :data:`OPERATOR_ERROR`. Both sums err by
        gamma(n) of themselves: gamma(2n + 8) for the first, and a factor 1 + 1e-9 for the second, are more
        (fewer than 2^23 columns). In A x and in both sums n products may lose half a subnormal each.
        """
        value = self.apply(x)
        if isinstance(self.source, LinearOperator):
            length = float(np.linalg.norm(x))
            close = float(np.linalg.norm(error)) <= OPERATOR_ERROR / 10 * length
            bound = OPERATOR_ERROR * max(float(np.linalg.norm(value)), length) if close else np.inf
            return value, np.full(value.shape, bound)
        size = abs(self.source)
        n, tiny = self.shape[1], 2.0**-1074
        grown = rounding.gamma(2 * n + 8) * (size @ np.abs(x)) + (size @ error) * (1 + 1e-9)
        return value, grown + 4 * n * tiny

    def columns(self, chosen: np.ndarray) -> np.ndarray | None:
        """The columns of a boolean mask (n,), dense and read-only; None for an operator or too many."""
        if isinstance(self.source, LinearOperator) or self.shape[0] * int(chosen.sum()) > 4 * _TABLE:
            return None
        if isinstance(self.source, np.ndarray):
            return self.source if chosen.all() else np.compress(chosen, self.source, axis=1)
        return np.asarray(self.source[:, np.flatnonzero(chosen)].toarray())

    @cached_property
    def hashed(self) -> tuple[np.ndarray, ...]:
        """Arrays that tell this A from others: itself, its triplets, or its products with probes."""
        if isinstance(self.source, LinearOperator):
            probes = np.random.default_rng(0).standard_normal((3, self.shape[1]))
            return (np.array(self.shape, dtype=float), self.apply(probes))
        if not isinstance(self.source, np.ndarray):
            found: Any = self.source.tocoo()
            return (np.array(self.shape, dtype=float), found.row, found.col, found.data)
        return (self.source,)

    def dense(self) -> np.ndarray | None:
        """The matrix itself where it is held as such."""
        return self.source if isinstance(self.source, np.ndarray) else None

    def _checked(self, matrix: Any, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1])
        if isinstance(matrix, np.ndarray):
            return x @ matrix.T
        operator = isinstance(matrix, LinearOperator)  # @ asks it for a product of one vector where it can
        value = np.asarray(matrix.matmat(flat.T) if operator else matrix @ flat.T, dtype=np.float64).T
        if not np.isfinite(value).all():
            raise InvalidInput("A", "finite products", "nan or inf")
        return value.reshape(*x.shape[:-1], matrix.shape[0])


def _converted(source: Any) -> Any:
    kept = isinstance(source, LinearOperator) or sparse.issparse(source)
    if kept and (len(source.shape) != 2 or min(source.shape) < 1):
        raise InvalidInput("A", "a matrix of shape (m, n) with at least one entry", f"shape {source.shape}")
    if isinstance(source, LinearOperator):
        if np.issubdtype(np.dtype(source.dtype or float), np.complexfloating):
            raise InvalidInput("A", "a real operator", f"dtype {source.dtype}")
        if source.shape[0] * source.shape[1] > _TABLE:
            return source
        table = np.asarray(source @ np.eye(source.shape[1]))
        if not np.isfinite(table).all():
            raise InvalidInput("A", "finite products", "nan or inf")
        return _limited(inputs.weights("A", table))
    if sparse.issparse(source):
        return _limited(matrices.compressed("A", source))
    return _limited(inputs.weights("A", source))


def _limited(matrix: Any) -> Any:
    largest = powers.largest(matrix if isinstance(matrix, np.ndarray) else matrix.data)
    if largest > _RANGE:
        raise InvalidInput("A", f"entries of magnitude at most {_RANGE:g}", f"{largest:g}")
    return matrix
