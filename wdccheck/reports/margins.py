"""What each theorem asks, and how far the rows of a report are from it, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wdccheck.kinds import named
from wdccheck.reports import thresholds
from wdccheck.reports.row import Row
from wdccheck.reports.thresholds import Threshold
from wdccheck.rounded_text import between, down, item, up

__all__ = ["asks", "theorems"]


def theorems(rows: Sequence[Row], depths: Sequence[int]) -> list[str]:
    """The same as lines of text."""
    return [line for label, text in asks(rows, depths) for line in item(label, text, 18)]


def asks(rows: Sequence[Row], depths: Sequence[int]) -> list[tuple[str, str]]:
    """Per theorem: the rows it uses, what it needs of them, the margin if it can be computed.

    Parameters
    ----------
    rows : sequence of Row
    depths : sequence of int
        Number of layers of the network, or of the two of a pair.
    """
    if len(depths) == 2:
        return _pair(rows, thresholds.pair_threshold(*depths), len(rows) == sum(depths) + 1)
    found = thresholds.thresholds(depths[0])
    if depths[0] < 2:
        return [("every theorem", found[0].reason)]
    return [*((t.theorem, _sentence(rows, t, depths[0])) for t in found), *_gaussian(rows, found[0])]


def _sentence(rows: Sequence[Row], needed: Threshold, depth: int) -> str:
    what = " and ".join(f"{kind} of every layer" if named(kind).per_layer else kind for kind in needed.kinds)
    if needed.value is None:
        return f"{what}, {needed.needs}: {needed.reason}"
    begun = f"{what}, eps/alpha < {down(needed.value, 3)}"
    own = [row for row in rows if row.kind in needed.kinds]
    if own and _highest(own) >= needed.value:
        # the quotient and this product err by 2^-53 each: (1 + 2^-53)^2 (1 - 2^-52) < 1
        factor = thresholds.margin(_highest(own), needed.value) * (1 - 2**-52)
        where = "whatever alpha is" if all(row.least for row in own) else "at the alpha of its row"
        return f"{begun}: at least {down(factor, 3)} times too large, {where}"
    whole = len(own) == depth and all(row.headline[2] < needed.value for row in own)
    return f"{begun}: {'satisfied' if whole else 'undecided'}"


def _highest(rows: Sequence[Row]) -> float:
    """The largest lower bound of rows of a network, each at its best alpha."""
    return max(row.headline[0] for row in rows)


def _gaussian(rows: Sequence[Row], needed: Threshold) -> list[tuple[str, str]]:
    layers = [row for row in rows if row.kind in needed.kinds]
    own = [row for row in layers if row.shape[1] > 1]  # the law was found for these
    if not own or needed.value is None or _highest(own) < needed.value:
        return []
    low, high = thresholds.gaussian_expansion(needed.value)
    here = ", ".join(f"{row.shape[0] / row.shape[1]:.3g}" for row in own)
    here += " (layers with k > 1)" if len(own) < len(layers) else ""
    return [("estimate", f"for that WDC, Gaussian layers would need n/k of about {down(low, 2)} to "
                         f"{up(high, 2)}; here it is {here}")]


def _pair(rows: Sequence[Row], needed: Threshold, whole: bool) -> list[tuple[str, str]]:
    """The one epsilon that every row shares; the theorem scales no row by its alpha."""
    lower = max((row.bracket.lower for row in rows), default=0.0)
    upper = max(row.bracket.upper for row in rows) if whole else math.inf
    text = f"every row with one eps, here {between(lower, 'eps', upper)}; {needed.needs}: {needed.reason}"
    found = [(needed.theorem, text)]
    if any(row.alpha is not None and row.alpha > 1 for row in rows):
        found.append(("", "an alpha above 1, as here, is beyond the theorem: scale that last layer down "
                          "(Fact 3)"))
    return found
