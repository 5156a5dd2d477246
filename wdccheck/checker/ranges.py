"""The deviations of R2WDC and RRIC at a stored witness: images of the codes in exact integers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["direction", "hash_of", "image", "matrix", "restricted", "unit_difference"]


def matrix(stored: Any) -> np.ndarray | None:
    """The matrix (n, k) of a result's ``{shape, data}``; None if it is malformed."""
    try:
        n, k = (int(size) for size in stored["shape"])
        data = base64.b64decode(stored["data"], validate=True)
        return np.frombuffer(data, dtype="<f8").reshape(n, k).astype(np.float64)
    except (TypeError, KeyError, ValueError, AttributeError, binascii.Error):
        return None


def hash_of(matrices: Sequence[np.ndarray]) -> str:
    """sha256 over the shapes and the little-endian float64 entries of all matrices, hexadecimal."""
    digest = hashlib.sha256()
    for W in matrices:
        digest.update(("(" + ", ".join(str(n) for n in W.shape) + ")").encode("ascii"))
        digest.update(W.astype("<f8").tobytes(order="C"))
    return digest.hexdigest()


def image(layers: Sequence[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """G at each row of `codes` (c, k), times one power of two for all of them: integers (c, n)."""
    value = _integers(codes)
    for W in layers:
        value = np.maximum(value @ _integers(W).T, 0)
    return value


def unit_difference(layers: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """G(first) - G(second) of length 1, or 0: every entry is rounded once from an exact difference."""
    one, two = image(layers, np.stack([first, second]))
    return direction(one - two)


def direction(vector: np.ndarray) -> np.ndarray:
    """The integers of `vector` (n,) as floats of length 1; 0 stays 0."""
    largest = max((abs(x) for x in vector), default=0)
    if not largest:
        return np.zeros(len(vector))
    floats = np.array([x / (1 << largest.bit_length()) for x in vector])
    return floats / math.sqrt(math.fsum(floats * floats))


def restricted(
    condition: Mapping[str, Any], letters: Mapping[str, np.ndarray], network: Sequence[np.ndarray],
    A: np.ndarray | None, Q: Any,
) -> tuple[float, float]:
    """The deviation at `letters`, and what its rounding is proportional to; Q(r, s) is the expectation."""
    before = network if A is not None else network[:-1]
    u, v = (unit_difference(before, letters[x], letters[y]) for x, y in (("x1", "x2"), ("x3", "x4")))
    if A is not None:
        return abs(float((A @ u) @ (A @ v) - u @ v)), float(np.sum(A * A)) + 1.0
    W, alpha = network[-1], float(condition["alpha"])
    r, s = (image(before, letters[x][None])[0] for x in "xy")
    if not (any(r) and any(s)):
        return 0.0, alpha
    rows = _integers(W)
    V = W[np.asarray((rows @ r > 0) & (rows @ s > 0), dtype=bool)]
    value = float((V @ u) @ (V @ v) - alpha * (u @ Q(direction(r), direction(s)) @ v))
    return abs(value), float(np.sum(V * V)) + alpha


def _integers(array: np.ndarray) -> np.ndarray:
    """`array` times a power of two that makes every entry an integer, exactly."""
    ratios = [float(x).as_integer_ratio() for x in array.ravel()]
    common = max(q for _, q in ratios)
    result = np.empty(array.size, dtype=object)
    result[:] = [p * (common // q) for p, q in ratios]
    return result.reshape(array.shape)
