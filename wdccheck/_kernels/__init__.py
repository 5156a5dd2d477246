"""The hot loops behind one seam. This version has the NumPy reference only."""

from __future__ import annotations

from wdccheck._kernels.reference import cholesky_succeeds, gram, outer_products, symmetric

__all__ = ["cholesky_succeeds", "gram", "kernel", "outer_products", "symmetric"]


def kernel() -> str:
    """Name of the active kernels.

    Examples
    --------
    >>> import wdccheck as wc
    >>> wc.kernel()
    'reference'
    """
    return "reference"
