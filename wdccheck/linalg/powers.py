"""Arrays times powers of two, in as few passes as it takes: of a large matrix every copy is felt."""

from __future__ import annotations

import numpy as np

__all__ = ["divided", "largest", "times"]

_PRODUCT = 1000  # exponents up to which the power itself is a normal float
_BLOCK = 2**16  # entries that are compared at a time


def largest(array: np.ndarray) -> float:
    """The largest magnitude; 0 of nothing."""
    return max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))


def times(array: np.ndarray, exponent: int) -> np.ndarray:
    """``ldexp(array, exponent)``, by a product, which takes a tenth of the time; for 0 the array itself."""
    if exponent == 0:
        return array
    scaled: np.ndarray = (array * 2.0**exponent if abs(exponent) <= _PRODUCT else np.ldexp(array, exponent))
    return scaled


def divided(array: np.ndarray, exponent: int) -> np.ndarray | None:
    """array / 2**exponent, the array itself for 0; None where an entry would not stay what it is.

    For an exponent of the largest entry or above: what grows stays a normal float.
    """
    result = times(array, -exponent)
    if exponent <= 0:
        return result
    flat, scaled = array.reshape(-1), result.reshape(-1)
    same = (np.array_equal(times(scaled[i: i + _BLOCK], exponent), flat[i: i + _BLOCK])
            for i in range(0, flat.size, _BLOCK))
    return result if all(same) else None
