"""Layers that a result carries as compressed sparse rows, and their gates in exact arithmetic."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SparseRows", "integers", "stored_sparse"]


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Row i has the nonzero entries ``data[indptr[i]:indptr[i + 1]]`` in the columns ``indices[...]``.

    Attributes
    ----------
    shape : tuple of int
        (n, k).
    indptr : ndarray of shape (n + 1,)
    indices, data : ndarray
    """

    shape: tuple[int, int]
    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray

    def sha256(self) -> str:
        """sha256 of the text ``(n, k) csr``, indptr and indices as little-endian int64, data as float64."""
        digest = hashlib.sha256(f"({self.shape[0]}, {self.shape[1]}) csr".encode("ascii"))
        for array, kind in ((self.indptr, "<i8"), (self.indices, "<i8"), (self.data, "<f8")):
            digest.update(array.astype(kind).tobytes())
        return digest.hexdigest()

    def open_rows(self, x: np.ndarray) -> np.ndarray:
        """``w_i . x > 0`` of every row, in exact arithmetic; x (k,)."""
        exact = integers(x)
        found = np.zeros(self.shape[0], dtype=bool)
        for i, (start, end) in enumerate(zip(self.indptr[:-1], self.indptr[1:], strict=True)):
            row = zip(integers(self.data[start:end]), self.indices[start:end].tolist(), strict=True)
            found[i] = sum(w * exact[j] for w, j in row) > 0
        return found

    def dense(self, chosen: np.ndarray) -> np.ndarray:
        """The rows of an index, (len(chosen), k)."""
        table = np.zeros((len(chosen), self.shape[1]))
        for position, i in enumerate(chosen):
            part = slice(self.indptr[i], self.indptr[i + 1])
            table[position, self.indices[part]] = self.data[part]
        return table


def integers(vector: np.ndarray) -> list[int]:
    """`vector` times a power of two that makes every entry an integer, exactly."""
    ratios = [float(x).as_integer_ratio() for x in vector]
    common = max((q for _, q in ratios), default=1)
    return [p * (common // q) for p, q in ratios]


def stored_sparse(certificate: Mapping[str, Any]) -> SparseRows | None:
    """The sparse layer that a result carries; None if it carries none or a malformed one."""
    stored = certificate["condition"].get("weights")
    try:
        n, k = (int(size) for size in stored["shape"])
        indptr, indices, data = (
            np.frombuffer(base64.b64decode(stored[name], validate=True), dtype=kind)
            for name, kind in (("indptr", "<i8"), ("indices", "<i8"), ("data", "<f8")))
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, binascii.Error):
        return None
    fits = (min(n, k) > 0 and len(indptr) == n + 1 and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
            and indptr[-1] == len(indices) == len(data))
    if not (fits and (np.isfinite(data) & (data != 0) & (indices >= 0) & (indices < k)).all()):
        return None
    owners = np.repeat(np.arange(n), np.diff(indptr))
    ascending = (np.diff(indices) > 0) | (np.diff(owners) > 0)
    return SparseRows((n, k), indptr, indices, data) if ascending.all() else None
