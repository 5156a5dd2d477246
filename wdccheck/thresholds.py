"""What each theorem needs of epsilon, and how far a bracket is from it (docs/theory.md, section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Threshold", "explicit", "gaussian_expansion", "margin", "thresholds"]

NOT_GIVEN = "constant not given in the paper"


@dataclass(frozen=True)
class Threshold:
    """One theorem's requirement on a network.

    Attributes
    ----------
    theorem : str
        Source and number.
    needs : str
        The requirement, in words.
    value : float or None
        ``epsilon/alpha < value`` is needed; None where no number can be computed.
    reason : str
        Why there is no number; empty where there is one.
    """

    theorem: str
    needs: str
    value: float | None = None
    reason: str = ""


def explicit(depth: int) -> float | None:
    """``1/(16 pi d^2)^2`` of [HV] Lemma 8 for d = `depth` layers; None for d < 2.

    Rounded down, so that an epsilon below it satisfies the lemma.

    Examples
    --------
    >>> from wdccheck.thresholds import explicit
    >>> print(f"{explicit(2):.3g}")
    2.47e-05
    >>> explicit(1) is None
    True
    """
    if depth < 2:
        return None
    # pi, its product and its square are each within one unit in the last place: 8 of them suffice
    return (16 * math.pi * depth**2) ** -2 * (1 - 2.0**-50)


def thresholds(depth: int) -> tuple[Threshold, ...]:
    """The theorems that speak of the conditions, the explicit one first.

    Parameters
    ----------
    depth : int
        Number of layers d.

    Returns
    -------
    tuple of Threshold

    References
    ----------
    [HV] Thm. 4, Lemma 8; [C] Thm. 4.4, Lemma 5.3; [HJ] Thm. 3.

    Examples
    --------
    >>> from wdccheck.thresholds import thresholds
    >>> [t.theorem for t in thresholds(2) if t.value is not None]
    ['[HV] Lemma 8']
    """
    value = explicit(depth)
    return (
        Threshold("[HV] Lemma 8", "WDC of every layer with eps < 1/(16 pi d^2)^2, d >= 2", value,
                  "" if value is not None else "it needs at least two layers"),
        Threshold("[HV] Theorem 4", "WDC and RRIC with K d^8 eps^(1/4) <= 1, d >= 2", None, NOT_GIVEN),
        Threshold("[C] Theorem 4.4", "R2WDC and RRIC with eps < K/d^90, d >= 2", None, NOT_GIVEN),
        Threshold("[HJ] Theorem 3", "WDC and joint-WDC with K (d^7 s^2 + d^2 s^7) eps^(1/4) < alpha1 alpha2",
                  None, NOT_GIVEN),
    )


def margin(eps_over_alpha: float, threshold: float) -> float:
    """``eps_over_alpha / threshold``: above 1, the factor by which epsilon is too large.

    Examples
    --------
    >>> from wdccheck.thresholds import margin
    >>> margin(0.5, 0.125)
    4.0
    """
    return eps_over_alpha / threshold


def gaussian_expansion(threshold: float) -> tuple[float, float]:
    """The range of n/k that a Gaussian layer would need for ``epsilon < threshold``.

    An estimate and not a bound: epsilon was found near ``c sqrt(k/n)`` with c from 2 to 4
    in searches (Fact 16), and that law is continued far beyond the sizes that were tried.

    Examples
    --------
    >>> from wdccheck.thresholds import gaussian_expansion
    >>> gaussian_expansion(0.01)
    (40000.0, 160000.0)
    """
    low, high = 2.0, 4.0
    return (low / threshold) ** 2, (high / threshold) ** 2
