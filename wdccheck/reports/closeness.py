"""When two bounds of a ratio are as near as a closed row has them."""

from __future__ import annotations

import math

__all__ = ["CLOSED", "meet"]

CLOSED = 0.002
"""A row counts as closed at this gap relative to its upper bound, unless another gap is asked for."""

_NIL = 1e-9  # of a ratio, which compares with 1/4 to 1: no smaller gap is told from none


def meet(lower: float, upper: float, gap: float = CLOSED) -> bool:
    """Whether two bounds of a ratio are so near; without an upper bound they are not.

    Examples
    --------
    >>> from wdccheck.reports.closeness import meet
    >>> meet(0.4991, 0.5), meet(0.49, 0.5), meet(0.0, 1e-12)
    (True, False, True)
    """
    return math.isfinite(upper) and upper - lower <= max(gap * upper, _NIL)
