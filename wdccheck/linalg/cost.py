"""What a step that cannot be interrupted costs, and whether it fits into the time left.

The rates are about half of what one core of 2020 does; a slower one leaves out less than it should.
"""

from __future__ import annotations

import time

__all__ = [
    "FORMED", "decompositions", "eigenvalues", "evaluation", "left_out", "products", "proved_norm", "vectors",
]

FORMED = 2048
"""Columns up to which a deviation is computed from a k x k matrix."""

GRACE = 0.1
"""Seconds that a step may take where no time is left: what is cheap is always done."""

_PRODUCT = 4e10  # operations per second of a matrix product
_FACTOR = 5e9  # of a factorization
_READ = 2e9  # entries per second of a product with one vector, which reads the matrix from memory
_STEPS = 100  # of Lanczos, each with two products, for a norm
_READS = 600  # of all entries, to evaluate a witness with its errors


def products(operations: float) -> float:
    """Seconds of matrix products with so many operations."""
    return operations / _PRODUCT


def proved_norm(n: int, k: int, entries: int) -> float:
    """Seconds for a proved norm of a matrix (n, k) with so many stored entries."""
    n, k = max(n, k), min(n, k)
    return products(2 * n * k**2) + k**3 / 3 / _FACTOR + vectors(entries)


def decompositions(k: int, count: int) -> float:
    """Seconds of so many eigendecompositions of order k."""
    return 10 * k**3 * count / _FACTOR


def eigenvalues(k: int) -> float:
    """Seconds of the eigenvalues alone of one symmetric matrix of order k."""
    return 2 * k**3 / _FACTOR


def vectors(entries: int) -> float:
    """Seconds of the products that an extreme eigenvector takes."""
    return 2 * _STEPS * entries / _READ


def evaluation(entries: int) -> float:
    """Seconds to evaluate one witness of a condition whose weights are so many numbers."""
    return _READS * entries / _READ


def left_out(what: str, seconds: float, deadline: float) -> str:
    """Why a step of so many seconds is left out; "" if it fits before the deadline of `time.monotonic()`.

    Examples
    --------
    >>> import time
    >>> from wdccheck.linalg.cost import left_out
    >>> left_out("||W||", 0.01, time.monotonic()), left_out("||W||", 1e4, time.monotonic() - 1)
    ('', '||W|| left out: it takes about 10000 s, and 0 s were left')
    """
    left = deadline - time.monotonic()
    if seconds <= max(left, GRACE):
        return ""
    return f"{what} left out: it takes about {_short(seconds)} s, and {_short(max(left, 0.0))} s were left"


def _short(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"
