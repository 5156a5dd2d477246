"""What a caller may pass as weights, directions and alpha: converted exactly, or refused."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput, TransposedWarning

__all__ = [
    "MOST", "MOST_DRAWN", "alpha_value", "count_value", "direction", "drawn_size", "limit_value",
    "matrix", "numbers", "on_host", "positive", "real", "vectors", "warn_if_transposed", "weights",
]

MOST = 10**12
"""Samples, starts or nodes of one call: more than a machine does in years."""

MOST_DRAWN = 2**27
"""Entries (1 GiB) of a random matrix that is drawn here."""

_LARGEST_INTEGER = 2**53


def weights(thing: str, value: Any) -> np.ndarray:
    """`value` as a read-only float64 matrix of shape (n, k), copied.

    Every entry is converted exactly: float16, float32, integers (no booleans) up to 2**53.

    Raises
    ------
    InvalidInput
        Not a finite real matrix with at least one row and one column, or not exactly representable.
    """
    return _frozen(thing, real(thing, value))


def matrix(thing: str, value: Any) -> np.ndarray:
    """Like :func:`weights`; complex numbers stay complex, as complex128."""
    return _frozen(thing, numbers(thing, value))


def _frozen(thing: str, array: np.ndarray) -> np.ndarray:
    """A matrix that was converted, and with that copied, read-only."""
    if array.ndim != 2 or 0 in array.shape:
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {array.shape}")
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def warn_if_transposed(thing: str, matrix: np.ndarray) -> None:
    """Warn of a lone matrix with fewer rows than columns."""
    n, k = matrix.shape
    if n < k:
        warnings.warn(
            f"{thing}: shape (n_out, n_in) expected, found {(n, k)}; did you mean W.T? "
            "With fewer rows than columns the WDC constant is at least alpha/2 (Fact 6).",
            TransposedWarning, stacklevel=3,
        )


def vectors(thing: str, value: Any, dimension: int) -> np.ndarray:
    """`value` as finite float64 vectors of shape (..., dimension)."""
    array = real(thing, value)
    if array.ndim < 1 or array.shape[-1] != dimension:
        raise InvalidInput(thing, f"shape (..., {dimension})", f"shape {array.shape}")
    return array


def direction(thing: str, value: Any, dimension: int) -> np.ndarray:
    """Like :func:`vectors`, and no vector may be zero."""
    array = vectors(thing, value, dimension)
    if not array.any(axis=-1).all():
        raise InvalidInput(thing, "nonzero directions", "a zero vector")
    return array


def alpha_value(value: Any) -> float:
    """`value` as a positive finite float."""
    try:
        alpha = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput("alpha", "a positive finite number", repr(value)[:60]) from None
    if isinstance(value, bool | str) or not (math.isfinite(alpha) and alpha > 0):
        raise InvalidInput("alpha", "a positive finite number", repr(value)[:60])
    return alpha


def limit_value(thing: str, value: Any, *, finite: bool = True) -> float:
    """`value` as a float64 >= 0 that bounds are compared with, converted exactly or refused.

    A NumPy scalar of fewer digits would be compared in its own precision: a bound just above it would
    seem to be equal to it.
    """
    required = f"a {'finite ' if finite else ''}number >= 0"
    try:
        limit = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(thing, required, repr(value)[:60]) from None
    if isinstance(value, bool | str | np.bool_) or not limit >= 0 or (finite and math.isinf(limit)):
        raise InvalidInput(thing, required, repr(value)[:60])
    if limit != value:
        raise InvalidInput(thing, "a number that float64 holds exactly", repr(value)[:60])
    return limit


def count_value(thing: str, value: Any, most: int = MOST) -> int:
    """`value` as an integer from 1 to `most`: how much work is asked for."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
        raise InvalidInput(thing, f"an integer from 1 to {most:,}", repr(value)[:60])
    return int(value)


def drawn_size(thing: str, n: int, k: int, instead: str) -> None:
    """Refuse to draw a random matrix (n, k) that is too large; `instead` says what to do."""
    if n * k > MOST_DRAWN:
        raise InvalidInput(thing, f"at most 2**27 random entries; {instead}", f"{n} x {k}")


def real(thing: str, value: Any) -> np.ndarray:
    """`value` as finite float64 numbers of any shape, converted exactly or refused."""
    return _converted(thing, _array(thing, value), np.float64)


def numbers(thing: str, value: Any) -> np.ndarray:
    """Like :func:`real`; complex numbers stay complex, as complex128."""
    array = _array(thing, value)
    return _converted(thing, array, np.complex128 if array.dtype.kind == "c" else np.float64)


def on_host(value: Any) -> Any:
    """`value`, but of a tensor of PyTorch its numbers, also where it needs gradients or is on a device."""
    if not callable(getattr(value, "detach", None)):
        return value
    for step in ("detach", "cpu"):
        value = getattr(value, step, lambda same=value: same)()
    try:
        return np.asarray(value)
    except TypeError:  # a type that NumPy does not have, as bfloat16
        return np.asarray(value.double())


def _array(thing: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(on_host(value))
    except Exception as error:  # whatever __array__ raises, in one line
        raise InvalidInput(thing, "an array of real numbers", f"{type(error).__name__}: {error}") from None


def _converted(thing: str, array: np.ndarray, to: type[np.float64] | type[np.complex128]) -> np.ndarray:
    if array.dtype.kind in "iu" and array.size:
        if int(array.max()) > _LARGEST_INTEGER or int(array.min()) < -_LARGEST_INTEGER:
            raise InvalidInput(thing, "integers of magnitude at most 2**53", "a larger one")
    elif array.dtype.kind not in ("iufc" if to is np.complex128 else "iuf"):
        raise InvalidInput(thing, "an array of real numbers", f"dtype {array.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):  # a long double, a signaling nan: refused below
        converted: np.ndarray = array.astype(to)
    if not np.isfinite(converted).all():
        raise InvalidInput(thing, "finite numbers", "nan or inf")
    if array.dtype.itemsize > converted.dtype.itemsize and not (converted == array).all():
        raise InvalidInput(thing, f"numbers that {converted.dtype} holds exactly", f"dtype {array.dtype}")
    return converted


def positive(thing: str, value: float) -> float:
    """`value`, refused where it is no positive finite number."""
    if isinstance(value, bool | str) or not (math.isfinite(value) and value > 0):
        raise InvalidInput(thing, "a positive finite number", repr(value)[:60])
    return float(value)
