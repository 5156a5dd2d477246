"""The coherence at a stored witness, recomputed from its definition (docs/theory.md, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck.checker import ranges
from wdccheck.checker.definitions import Check, Outcome, letter_of
from wdccheck.checker.exact import compared, without_witness

__all__ = ["reevaluate_coherence", "stored_measurements"]

_ORTHONORMAL = 1e-6  # as docs/theory.md has it


def stored_measurements(stored: Any) -> np.ndarray | None:
    """The matrix (m, n) of ``{shape, data}``, complex with ``imaginary``; None if it is malformed."""
    real = ranges.matrix(stored)
    if real is None or "imaginary" not in stored:
        return real
    other = ranges.matrix(stored, "imaginary")
    return None if other is None else real + 1j * other


def reevaluate_coherence(certificate: Mapping[str, Any]) -> Check:
    """Whether the deviation at the stored witness is the stored lower bound.

    As for :func:`~wdccheck.checker.reevaluate`.
    """
    what, condition, witness = "lower bound", certificate["condition"], certificate["witness"]
    layers = [ranges.matrix(entry) for entry in condition.get("network") or ()]
    U, found = stored_measurements(condition.get("measurements")), [W for W in layers if W is not None]
    if U is None or not found or len(found) < len(layers):
        return Check(what, Outcome.NOT_PROVED, "the file does not carry the weights")
    if not all(W.shape[1] == len(before) for before, W in pairwise([*found, U])) or (
            _hash_of(U, found) != condition["sha256"]):
        return Check(what, Outcome.REFUTED, "the sha256 of the weights is not the one recorded")
    if list(condition["shape"]) != list(U.shape) or condition.get("layer") is not None:
        return Check(what, Outcome.REFUTED, "the recorded shape or layer is not that of the weights")
    if not _orthonormal(U):
        return Check(what, Outcome.REFUTED, "neither the rows nor the columns of U are orthonormal")
    lower = float(certificate["lower"])
    if witness is None:
        return without_witness(what, lower)
    k = found[0].shape[1]
    x1, x2 = (letter_of(witness, name, k, zero=True) for name in ("x1", "x2"))
    if x1 is None or x2 is None:
        return Check(what, Outcome.REFUTED, f"the witness is not two codes of dimension {k}")
    return compared(what, ranges.largest_product(U, ranges.difference(found, x1, x2)), lower)


def _hash_of(U: np.ndarray, layers: list[np.ndarray]) -> str:
    """As :func:`ranges.hash_of`; a complex U is its shape, the word complex, real parts, imaginary parts."""
    if not np.iscomplexobj(U):
        return ranges.hash_of([U, *layers])
    digest = hashlib.sha256(f"({U.shape[0]}, {U.shape[1]}) complex".encode("ascii"))
    for part in (U.real, U.imag):
        digest.update(part.astype("<f8").tobytes(order="C"))
    for W in layers:
        digest.update(f"({W.shape[0]}, {W.shape[1]})".encode("ascii") + W.astype("<f8").tobytes(order="C"))
    return digest.hexdigest()


def _orthonormal(U: np.ndarray) -> bool:
    """U U^H = I, or U^H U = I where there are more rows than columns."""
    if not np.isfinite(U).all() or np.abs(U).max() > 2:
        return False
    rows = U if len(U) <= U.shape[1] else U.T
    return bool(np.abs(rows @ rows.conj().T - np.eye(len(rows))).max() <= _ORTHONORMAL * (1 + 1e-6))
