"""The deviations over a range at a stored witness: everything is exact but roots and Q."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from wdccheck.checker.exact import dot, expectation, integers, lengths, scaled_integers
from wdccheck.checker.intervals import Interval, root

__all__ = ["difference", "gated", "hash_of", "image", "largest_product", "matrix", "restricted"]

_FLOOR = Fraction(1, 2**40)  # as docs/theory.md has it


def matrix(stored: Any, data: str = "data") -> np.ndarray | None:
    """The matrix (n, k) of a result's ``{shape, data}``; None if it is malformed or not finite."""
    try:
        n, k = (int(size) for size in stored["shape"])
        entries = base64.b64decode(stored[data], validate=True)
        found = np.frombuffer(entries, dtype="<f8").reshape(n, k).astype(np.float64)
        return found if n > 0 and k > 0 and np.isfinite(found).all() else None
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, binascii.Error):
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
    value = integers(codes)
    for W in layers:
        value = np.maximum(value @ integers(W).T, 0)
    return value


def difference(layers: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """G(first) - G(second) times a power of two: integers (n,)."""
    one, two = image(layers, np.stack([first, second]))
    return one - two


def restricted(
    condition: Mapping[str, Any], letters: Mapping[str, np.ndarray], network: Sequence[np.ndarray],
    A: np.ndarray | None,
) -> Interval:
    """The deviation at `letters`; 0 where a difference, or a direction, is 0."""
    if A is None:
        gram, expected = gated(letters, network)
        return abs(gram - Interval.of(Fraction(float(condition["alpha"]))) * expected)
    rows, scale = scaled_integers(A)
    if "x3" not in letters:
        u = difference(network, letters["x1"], letters["x2"])
        return Interval.of(_one_sided(condition["kind"], A, dot(rows @ u, rows @ u), scale, dot(u, u)))
    u, v = (difference(network, letters[x], letters[y]) for x, y in (("x1", "x2"), ("x3", "x4")))
    if not (any(u) and any(v)):
        return Interval.of(0)
    form = Fraction(dot(rows @ u, rows @ v), scale * scale) - dot(u, v)
    return abs(Interval.of(form)) / lengths(u, v)


def _one_sided(kind: str, A: np.ndarray, seen: int, scale: int, square: int) -> Fraction:
    """|A u|^2/|u|^2, or its reciprocal; where it is below the floor, that of the floor; 0 where u is 0."""
    if not square:
        return Fraction(0)
    ratio = Fraction(seen, scale * scale * square)
    if kind == "upper-isometry":
        return ratio
    return 1 / max(ratio, _FLOOR * Fraction(4) ** math.frexp(float(np.abs(A).max()))[1])


def gated(letters: Mapping[str, np.ndarray], network: Sequence[np.ndarray]) -> tuple[Interval, Interval]:
    """g and e of the last layer: its deviation is ``|g - alpha e|``; 0 where something to divide by is 0."""
    before, nothing = network[:-1], (Interval.of(0), Interval.of(0))
    u, v = (difference(before, letters[x], letters[y]) for x, y in (("x1", "x2"), ("x3", "x4")))
    r, s = (image(before, letters[x][None])[0] for x in "xy")
    if not (any(u) and any(v) and any(r) and any(s)):
        return nothing
    rows, scale = scaled_integers(network[-1])
    opened = rows[np.asarray((rows @ r > 0) & (rows @ s > 0), dtype=bool)]
    gram = Fraction(dot(opened @ u, opened @ v), scale * scale)
    return Interval.of(gram) / lengths(u, v), expectation(r, s)(u, v) / lengths(u, v)


def largest_product(U: np.ndarray, u: np.ndarray) -> Interval:
    """``max_j |U_j . u| / |u|`` for integers u (n,); 0 where u is 0."""
    if not any(u):
        return Interval.of(0)
    real, scale = scaled_integers(U.real)
    squares = [Fraction(x * x, scale * scale) for x in real @ u]
    if np.iscomplexobj(U):
        other, scale = scaled_integers(U.imag)
        squares = [one + Fraction(x * x, scale * scale) for one, x in zip(squares, other @ u, strict=True)]
    return root(max(squares) / dot(u, u))
