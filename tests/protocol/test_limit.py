"""What a verdict compares: eps or eps/alpha, without rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdccheck.errors import InvalidInput
from wdccheck.protocol.limit import Limit

POSITIVE = st.floats(2.0**-1060, 2.0**1000)


@given(POSITIVE, POSITIVE)
def test_no_float_lies_between_the_product_and_the_eps_compared(ratio, alpha):
    exact, eps = Fraction(ratio) * Fraction(alpha), Limit(ratio, alpha).eps
    assert eps <= exact < math.nextafter(eps, math.inf)


def test_the_ends_of_the_floats():
    assert Limit(1e300, 1e300).eps == math.nextafter(math.inf, 0.0)
    assert Limit(math.inf, 2.0).eps == Limit(math.inf).eps == math.inf
    assert Limit(0.0, 2.0).eps == 0.0


@pytest.mark.parametrize(("limit", "words"), [
    (Limit(0.5), "eps <= 0.5"), (Limit(1.0, 3.0), "eps/alpha <= 1 at alpha = 3"),
    (Limit(0.1, 1.0000000000000002), "eps/alpha <= 0.1 at alpha = 1.0000000000000002")])
def test_a_limit_says_what_is_compared_with_all_digits(limit, words):
    assert str(limit) == words


@pytest.mark.parametrize(("alpha", "eps", "ratio", "message"), [
    (1.0, 0.5, 0.5, "eps or ratio: exactly one of them required, found both"),
    (1.0, None, None, "eps or ratio: exactly one of them required, found neither"),
    (None, None, 0.5, "ratio: a condition with an alpha required, found one without: ask for eps=0.5"),
    (1.0, None, -1.0, "ratio"), (1.0, math.nan, None, "eps"), (1.0, None, True, "ratio"),
    (1.0, None, "0.5", "ratio")])
def test_what_is_no_question_is_refused(alpha, eps, ratio, message):
    with pytest.raises(InvalidInput, match=message):
        Limit.of(alpha, eps, ratio)


def test_a_narrow_scalar_is_taken_for_what_it_is():
    assert Limit.of(0.1, ratio=np.float32(0.1)) == Limit(float(np.float32(0.1)), 0.1)
