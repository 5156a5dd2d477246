"""What estimates are tried on: a condition, and a distribution whose end is known."""

from __future__ import annotations

import wdccheck as wc
from examples.matrices import gaussian

W = gaussian(30, 4)
CONDITION = wc.WDC(W)


def power(rng, n):
    """The end is 1, the shape -1/6."""
    return 1 - rng.random(n) ** (1 / 6)
