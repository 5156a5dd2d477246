"""Bounds as text: a lower bound is printed rounded down, an upper bound rounded up."""

from __future__ import annotations

import math
import textwrap
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

__all__ = ["WIDTH", "between", "down", "item", "quotient", "shortest", "up", "wrapped"]

WIDTH = 100
"""Columns of a page of text."""


def down(value: float, digits: int = 5) -> str:
    """`value` with `digits` significant digits, never above it.

    Examples
    --------
    >>> from wdccheck.rounded_text import down, up
    >>> down(2 / 3), up(2 / 3)
    ('0.66666', '0.66667')
    """
    return _rounded(value, digits, ROUND_FLOOR)


def up(value: float, digits: int = 5) -> str:
    """`value` with `digits` significant digits, never below it."""
    return _rounded(value, digits, ROUND_CEILING)


def between(lower: float, name: str, upper: float) -> str:
    """``lower <= name <= upper``, rounded outward, with the digits that tell the two apart.

    Examples
    --------
    >>> from wdccheck.rounded_text import between
    >>> between(1 / 3, "eps", 2 / 3), between(1 / 3, "eps", 1 / 3 + 1e-8)
    ('0.33333 <= eps <= 0.66667', '0.333333333 <= eps <= 0.333333344')
    """
    if math.isinf(upper):
        return f"{down(lower)} <= {name} (no upper bound)"
    relative = (upper - lower) / upper if upper > 0 else 1.0
    digits = 5 if relative > 1e-4 else min(10, 1 + math.ceil(-math.log10(max(relative, 1e-10))))
    return f"{down(lower, digits)} <= {name} <= {up(upper, digits)}"


def shortest(value: float) -> str:
    """The shortest decimal that is read back as `value`: no digit of it is lost.

    Examples
    --------
    >>> from wdccheck.rounded_text import shortest
    >>> shortest(2.0), shortest(0.1), shortest(1e-30)
    ('2', '0.1', '1e-30')
    """
    return repr(float(value)).removesuffix(".0")


def item(label: str, text: str, width: int = 11) -> list[str]:
    """`text` beside a label of `width` columns, indented and wrapped to the width of a page."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"    {label:<{width}}",
                         subsequent_indent=" " * (4 + width), break_long_words=False, break_on_hyphens=False)


def wrapped(text: str) -> list[str]:
    """`text` on lines as wide as a page, all but the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)


def quotient(value: float, divisor: float, toward: float) -> float:
    """``value / divisor`` for value >= 0, divisor > 0, rounded toward 0 or toward inf.

    Examples
    --------
    >>> import math
    >>> from wdccheck.rounded_text import quotient
    >>> quotient(1.0, 3.0, 0.0) < quotient(1.0, 3.0, math.inf)
    True
    """
    if math.isinf(value):
        return value
    exact = Fraction(value) / Fraction(divisor)
    try:
        nearest = float(exact)
    except OverflowError:
        return math.inf if toward else math.nextafter(math.inf, 0)
    if toward:
        return nearest if nearest >= exact else math.nextafter(nearest, math.inf)
    return nearest if nearest <= exact else math.nextafter(nearest, 0.0)


def _rounded(value: float, digits: int, rounding: str) -> str:
    if math.isinf(value):
        return "inf"
    if value == 0:
        return "0"
    number = Context(prec=digits, rounding=rounding).create_decimal(Decimal(value))
    if -4 <= number.adjusted() < 7:
        if number == number.to_integral_value() and number.adjusted() >= digits - 1:
            return f"{number:.0f}"
        return f"{number:f}"
    return f"{number:.{digits - 1}e}".replace("e+", "e")
