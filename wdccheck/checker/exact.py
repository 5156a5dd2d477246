"""What is exact in a deviation: floats are rational numbers, so products, gates and images of codes are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from wdccheck.checker.definitions import Check, Outcome
from wdccheck.checker.intervals import PI, Interval, angle, root

__all__ = [
    "compared", "dot", "expectation", "integers", "lengths", "products", "scaled_integers",
    "without_witness",
]

Vector = Sequence[int]


def scaled_integers(array: np.ndarray) -> tuple[np.ndarray, int]:
    """`array` times a power of two that makes every entry an integer, and that power."""
    ratios = [float(x).as_integer_ratio() for x in array.ravel()]
    common = max((q for _, q in ratios), default=1)
    result = np.empty(array.size, dtype=object)
    result[:] = [p * (common // q) for p, q in ratios]
    return result.reshape(array.shape), common


def integers(array: np.ndarray) -> np.ndarray:
    """`array` times some power of two, in integers."""
    return scaled_integers(array)[0]


def dot(x: Vector | np.ndarray, y: Vector | np.ndarray) -> int:
    """x . y of integers."""
    return sum(a * b for a, b in zip(x, y, strict=True))


def lengths(x: Vector | np.ndarray, y: Vector | np.ndarray) -> Interval:
    """|x| |y|."""
    return root(Fraction(dot(x, x) * dot(y, y)))


def products(W: np.ndarray, vectors: Sequence[np.ndarray]) -> Iterator[tuple[Fraction, ...]]:
    """Row by row: w . x for every x of `vectors`, in integers."""
    for row in W:
        exact, scale = scaled_integers(row)
        yield tuple(Fraction(dot(exact, x), scale) for x in vectors)


def expectation(r: np.ndarray, s: np.ndarray) -> Callable[[np.ndarray, np.ndarray], Interval]:
    """u^T Q_{r,s} v of integers u, v: ``((pi - theta) u.v + sin(theta) u^T M v)/(2 pi)``.

    With the units r' = r/|r|, s' = s/|s| and c = r'.s' = cos(theta), the swap M of r' and s' has
    ``sin(theta)^2 u^T M v = (u.r')(v.s') + (u.s')(v.r') - c ((u.r')(v.r') + (u.s')(v.s'))``, and
    ``sin(theta) |r| |s|`` is the root of the determinant ``|r|^2 |s|^2 - (r.s)^2``, an integer.
    """
    rr, ss, rs = dot(r, r), dot(s, s), dot(r, s)
    determinant = Fraction(rr * ss - rs * rs)
    if determinant == 0:  # theta is 0 or pi, where sin(theta) = 0
        half = Fraction(int(rs > 0), 2)
        return lambda u, v: Interval.of(half * dot(u, v))
    rest, sine, whole = angle(determinant, Fraction(-rs)), root(determinant), PI + PI  # rest: pi - theta

    def form(u: np.ndarray, v: np.ndarray) -> Interval:
        ur, us, vr, vs = dot(u, r), dot(u, s), dot(v, r), dot(v, s)
        swap = ur * vs + us * vr - rs * (Fraction(ur * vr, rr) + Fraction(us * vs, ss))
        return (rest * Interval.of(dot(u, v)) + Interval.of(swap) / sine) / whole

    return form


def compared(what: str, value: Interval, recorded: float) -> Check:
    """What an interval that holds the deviation at the witness says of the recorded lower bound."""
    found = below(value.low)
    text = f"deviation at the witness {found!r}, recorded {recorded!r}"
    if value.low >= Fraction(recorded):
        return Check(what, Outcome.PROVED, text, found)
    if value.high < Fraction(recorded):
        return Check(what, Outcome.REFUTED, text, found)
    return Check(what, Outcome.NOT_PROVED, f"{text}, which lies within the error of the evaluation", found)


def without_witness(what: str, recorded: float) -> Check:
    """No witness shows that the deviation is at least 0, and no other number."""
    if recorded == 0:
        return Check(what, Outcome.PROVED, "no witness, and every deviation is at least 0", 0.0)
    return Check(what, Outcome.REFUTED, "no witness, yet lower > 0")


def below(value: Fraction) -> float:
    """The largest float that is not above `value`; the largest of all where it is beyond them."""
    try:
        found = float(value)
    except OverflowError:
        return math.copysign(math.nextafter(math.inf, 0), value)
    return found if Fraction(found) <= value else math.nextafter(found, -math.inf)
