"""Intervals of rational numbers: what is computed with them lies between their ends, whatever is rounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["PI", "Interval", "angle", "root"]

_BITS = 128  # an end with more digits is rounded outward to so many
_HALVINGS = 8  # of an angle, before its series is summed


@dataclass(frozen=True)
class Interval:
    """A number that is at least `low` and at most `high`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from wdccheck.checker.intervals import Interval, root
    >>> Interval.of(2) * Interval.of(Fraction(1, 3))
    Interval(low=Fraction(2, 3), high=Fraction(2, 3))
    >>> root(Fraction(9, 4)).low, root(Fraction(2)).low < root(Fraction(2)).high
    (Fraction(3, 2), True)
    """

    low: Fraction
    high: Fraction

    @staticmethod
    def of(value: Fraction | int) -> Interval:
        """A number that is known."""
        return Interval(Fraction(value), Fraction(value))

    def __add__(self, other: Interval) -> Interval:
        return _outward(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return _outward(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return _outward(min(ends), max(ends))

    def __truediv__(self, other: Interval) -> Interval:
        """The quotient; `other` is above 0."""
        ends = [a / b for a in (self.low, self.high) for b in (other.low, other.high)]
        return _outward(min(ends), max(ends))

    def __abs__(self) -> Interval:
        low = max(self.low, -self.high, Fraction(0))
        return Interval(low, max(self.high, -self.low))


def root(value: Fraction) -> Interval:
    """The square root of a number >= 0: exact where its digits are few."""
    p, q = value.numerator, value.denominator
    shift = max(0, _BITS - (p.bit_length() - q.bit_length()) // 2)
    scaled, rest = divmod(p << 2 * shift, q)
    below = math.isqrt(scaled)
    exact = rest == 0 and below * below == scaled
    return Interval(Fraction(below, 1 << shift), Fraction(below + (not exact), 1 << shift))


def angle(y: Fraction, x: Fraction) -> Interval:
    """The angle of (x, sqrt(y)) from the first axis, for y > 0: between 0 and pi."""
    if x < 0:
        return PI - angle(y, -x)
    tangent, one = root(y) / (Interval.of(x) + root(x * x + y)), Interval.of(1)  # of half the angle
    for _ in range(_HALVINGS):
        squares = tangent * tangent
        length = Interval(root(1 + squares.low).low, root(1 + squares.high).high)
        tangent = tangent / (one + length)
    low, high = _arctan(tangent.low).low, _arctan(tangent.high).high
    return Interval(low, high) * Interval.of(2 << _HALVINGS)


def _arctan(t: Fraction) -> Interval:
    """For 0 <= t <= 2**-_HALVINGS: an alternating series lies between two of its sums."""
    term, total, squares = Interval.of(t), Interval.of(t), Interval.of(t * t)
    for i in range(1, _BITS // (2 * _HALVINGS) + 2):
        term = term * squares
        part = term / Interval.of(2 * i + 1)
        before, total = total, total - part if i % 2 else total + part
    return Interval(min(before.low, total.low), max(before.high, total.high))


def _outward(low: Fraction, high: Fraction) -> Interval:
    return Interval(_rounded(low, math.floor), _rounded(high, math.ceil))


def _rounded(value: Fraction, toward: Callable[[Fraction], int]) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS:
        return value
    shift = _BITS - (value.numerator.bit_length() - value.denominator.bit_length())
    scale = Fraction(2) ** shift
    return Fraction(toward(value * scale)) / scale


_DIGITS = 31415926535897932384626433832795028841971693993751058209749445923
PI = Interval(Fraction(_DIGITS, 10**64), Fraction(_DIGITS + 1, 10**64))
"""pi, to 64 digits."""
