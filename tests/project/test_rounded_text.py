"""Printed numbers are rounded outward."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from wdccheck.rounded_text import between, down, quotient, up

POSITIVE = st.floats(min_value=5e-324, allow_infinity=False)


@given(POSITIVE, st.integers(2, 8))
def test_printed_digits_are_rounded_outward(x, digits):
    low, high = Decimal(down(x, digits)), Decimal(up(x, digits))
    assert low <= Decimal(x) <= high
    assert high - low <= Decimal(x) * Decimal(10) ** (1 - digits) * 2


@given(POSITIVE, POSITIVE)
def test_quotients_are_rounded_outward(a, b):
    low, high = quotient(a, b, 0.0), quotient(a, b, math.inf)
    exact = Fraction(a) / Fraction(b)
    assert math.isfinite(low) and Fraction(low) <= exact
    assert math.isinf(high) or exact <= Fraction(high)


def test_printed_numbers():
    assert (down(0.0), up(math.inf), down(1e-200, 3), up(1e300, 2)) == ("0", "inf", "9.99e-201", "1.1e300")
    assert (down(24100.0, 3), down(123456.7), up(123456.7)) == ("24100", "123450", "123460")
    assert between(0.1, "eps", math.inf) == "0.10000 <= eps (no upper bound)"
