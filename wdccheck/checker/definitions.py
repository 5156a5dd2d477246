"""The letters of docs/theory.md, section 1, and what a check says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.checker.sparse import integers

__all__ = ["RELATIVE", "SLACK", "Check", "expectation", "letter_of", "open_rows", "scaled_up", "unit"]

RELATIVE = 1e-9
"""``lower <= deviation(witness) <= lower * (1 + RELATIVE)`` is what a result promises."""


SLACK = 1e-12
"""Accuracy of the deviation in float64, as a multiple of ``trace(A) + alpha``. V^T V errs by gamma(n)
trace, Q and the norm by a few k u: below it at worst for n + 8k < 9000, and for far larger layers as errors
usually add up. It is far below the digits that a bracket prints."""


@dataclass(frozen=True)
class Check:
    """One statement of a result, and whether it stood.

    Attributes
    ----------
    what : str
        The statement.
    passed : bool or None
        True: confirmed; False: refuted; None: it could not be checked.
    detail : str
        How it was checked, or why not.
    value : float or None
        The number found, if there is one.
    """

    what: str
    passed: bool | None
    detail: str
    value: float | None = None


def letter_of(witness: Mapping[str, Any], letter: str, k: int, zero: bool = False) -> np.ndarray | None:
    """The direction (k,) stored as `letter`; None if it is none. `zero`: a zero vector will do."""
    try:
        value = np.array([float.fromhex(x) for x in witness[letter]["hex"]])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return value if value.shape == (k,) and np.isfinite(value).all() and (zero or value.any()) else None


def scaled_up(value: float, exponent: int) -> float:
    """``value * 2**exponent``, or inf."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.inf


def open_rows(W: np.ndarray, x: np.ndarray) -> list[bool]:
    """``w_i . x > 0`` for every row, in exact arithmetic."""
    exact = integers(x)
    return [sum(a * b for a, b in zip(integers(w), exact, strict=True)) > 0 for w in W]


def unit(x: np.ndarray) -> np.ndarray:
    """x (k,) over its length, whatever that is; 0 stays 0."""
    largest = float(np.abs(x).max())
    if largest == 0:
        return x
    x = np.ldexp(x, -math.frexp(largest)[1])
    return x / math.sqrt(math.fsum(x * x))


def expectation(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """``(pi - theta)/(2 pi) I + sin(theta)/(2 pi) M`` for r, s (k,): (k, k)."""
    plus, minus = unit(r) + unit(s), unit(r) - unit(s)
    p, m = (math.sqrt(math.fsum(x * x)) for x in (plus, minus))
    rest = 2 * math.atan2(p, m)  # pi - theta, without the cancellation
    b, d = unit(plus), unit(minus)
    swap = np.outer(b, b) - np.outer(d, d)
    return (rest * np.eye(len(r)) + math.sin(rest) * swap) / (2 * math.pi)
