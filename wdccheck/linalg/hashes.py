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
"""Entries up to which a result holds the weights."""


def hash_arrays(arrays: Iterable[np.ndarray]) -> str:
    """sha256 over shapes and little-endian float64 entries, in hexadecimal.

    A complex array: the ASCII text ``(m, n) complex``, all real parts, all imaginary parts.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(tuple(int(n) for n in array.shape)).encode())
        digest.update(b" complex" * np.iscomplexobj(array))
        for part in _parts_of(array):
            digest.update(part.data)
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
        digest.update(array.astype(kind, copy=False).data)
    return digest.hexdigest()


def encode(rows: Rows) -> dict[str, Any]:
    """The matrix for JSON: ``{shape, data}``, sparse ones with ``indptr`` and ``indices``, all in base64.

    A complex one has its real parts in ``data`` and its imaginary parts in ``imaginary``.
    """
    if not is_sparse(rows):
        data = [base64.b64encode(part.tobytes()).decode() for part in _parts_of(rows)]
        return {"shape": list(rows.shape), **dict(zip(("data", "imaginary"), data, strict=False))}
    parts = {name: base64.b64encode(array.astype(kind).tobytes()).decode()
             for name, (array, kind) in _parts(rows).items()}
    return {"shape": list(map(int, rows.shape)), **parts}


def embedded(rows: Rows) -> dict[str, Any]:
    """``{"weights": ...}`` where at most 65 536 numbers are stored; else nothing."""
    return {"weights": encode(rows)} if entries(rows) <= EMBED else {}


def _parts_of(array: np.ndarray) -> list[np.ndarray]:
    """The array, or its real and its imaginary part."""
    parts = [array.real, array.imag] if np.iscomplexobj(array) else [array]
    return [np.ascontiguousarray(part, dtype="<f8") for part in parts]


def _parts(rows: Rows) -> dict[str, tuple[np.ndarray, str]]:
    return {"indptr": (rows.indptr, "<i8"), "indices": (rows.indices, "<i8"), "data": (rows.data, "<f8")}
