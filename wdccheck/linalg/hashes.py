"""Matrices as results carry them: their hash, and their entries in base64."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from wdccheck.linalg.matrices import Rows, entries, is_sparse

__all__ = ["EMBED", "embedded", "encode", "hash_arrays", "sha256"]

EMBED = 2**16
"""Entries up to which weights travel inside a result."""


def hash_arrays(arrays: Iterable[np.ndarray]) -> str:
    """sha256 over shapes and little-endian float64 entries, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(tuple(int(n) for n in array.shape)).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def sha256(rows: Rows) -> str:
    """The hash of a layer, in hexadecimal.

    Dense: :func:`hash_arrays`. Sparse: sha256 over the ASCII text ``(n, k) csr``, the
    n + 1 row pointers and the column numbers, ascending in every row, as little-endian int64, and the
    nonzero entries as little-endian float64.
    """
    if not is_sparse(rows):
        return hash_arrays([rows])
    digest = hashlib.sha256(f"{tuple(map(int, rows.shape))} csr".encode())
    for array, kind in _parts(rows).values():
        digest.update(array.astype(kind).tobytes())
    return digest.hexdigest()


def encode(rows: Rows) -> dict[str, Any]:
    """The layer for JSON: ``{shape, data}``, sparse ones with ``indptr`` and ``indices``, all in base64."""
    if not is_sparse(rows):
        data = base64.b64encode(np.ascontiguousarray(rows, dtype="<f8").tobytes()).decode()
        return {"shape": list(rows.shape), "data": data}
    parts = {name: base64.b64encode(array.astype(kind).tobytes()).decode()
             for name, (array, kind) in _parts(rows).items()}
    return {"shape": list(map(int, rows.shape)), **parts}


def embedded(rows: Rows) -> dict[str, Any]:
    """``{"weights": ...}`` where at most 65 536 numbers are stored; else nothing."""
    return {"weights": encode(rows)} if entries(rows) <= EMBED else {}


def _parts(rows: Rows) -> dict[str, tuple[np.ndarray, str]]:
    return {"indptr": (rows.indptr, "<i8"), "indices": (rows.indices, "<i8"), "data": (rows.data, "<f8")}
