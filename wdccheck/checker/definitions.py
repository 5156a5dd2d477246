"""The letters of docs/theory.md, section 1, and what a check says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from wdccheck.checker.sparse import integers

__all__ = ["Check", "Outcome", "expectation", "letter_of", "open_rows", "unit"]


class Outcome(StrEnum):
    """What a check ends in: proved here and now, refuted, neither, or not looked at."""

    PROVED = "proved"
    REFUTED = "refuted"
    NOT_PROVED = "not proved"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Check:
    """One statement of a result, and what became of it.

    Attributes
    ----------
    what : str
        The statement.
    outcome : Outcome
        ``"proved"``: here and now; ``"refuted"``: the opposite is proved, or the file contradicts itself;
        ``"not proved"``: neither; ``"recorded"``: not looked at.
    detail : str
        How it was checked, or why not.
    value : float or None
        The number found, if there is one; of a lower bound, a float that the deviation is not below.
    counts : bool
        Whether it bears on the bounds: the exit status of ``wdccheck verify`` looks at no other.
    """

    what: str
    outcome: Outcome
    detail: str
    value: float | None = None
    counts: bool = True


def letter_of(witness: Mapping[str, Any], letter: str, k: int, zero: bool = False) -> np.ndarray | None:
    """The direction (k,) stored as `letter`; None if it is none. `zero`: a zero vector will do."""
    try:
        value = np.array([float.fromhex(x) for x in witness[letter]["hex"]])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return value if value.shape == (k,) and np.isfinite(value).all() and (zero or value.any()) else None


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
