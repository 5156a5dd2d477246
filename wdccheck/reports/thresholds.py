"""What each theorem needs of epsilon, and how far a bracket is from it (docs/theory.md, section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Threshold", "explicit", "gaussian_expansion", "margin", "pair_threshold", "thresholds"]

NOT_GIVEN = "constant not given in the paper"
EXPLICIT = {"WDC": "[HV] Lemma 8", "R2WDC": "[C] Lemma 5.3"}
"""The kinds of which a theorem asks a number, and the theorem."""
TOO_SHALLOW = "at least two layers are needed"


@dataclass(frozen=True)
class Threshold:
    """One theorem's requirement on a network.

    Attributes
    ----------
    theorem : str
        Source and number.
    kinds : tuple of str
        The conditions whose rows it speaks of: every layer of WDC and R2WDC, the one RRIC.
    needs : str
        The requirement, in words.
    value : float or None
        ``epsilon/alpha < value`` is needed; None where no number can be computed.
    reason : str
        Why there is no number; empty where there is one.
    """

    theorem: str
    kinds: tuple[str, ...]
    needs: str
    value: float | None = None
    reason: str = ""


def explicit(depth: int) -> float | None:
    """``1/(16 pi d^2)^2`` of [HV] Lemma 8 for d = `depth` layers; None for d < 2.

    Rounded down, so that an epsilon below it satisfies the lemma.

    Examples
    --------
    >>> from wdccheck.reports.thresholds import explicit
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
    """The theorems that speak of a network and its measurements, the explicit ones first.

    Parameters
    ----------
    depth : int
        Number of layers d. For d < 2 no theorem speaks of the network.

    Returns
    -------
    tuple of Threshold

    References
    ----------
    [HV] Thm. 4, Lemma 8; [C] Thm. 4.4, Lemma 5.3.

    Examples
    --------
    >>> from wdccheck.reports.thresholds import thresholds
    >>> [t.theorem for t in thresholds(2) if t.value is not None]
    ['[HV] Lemma 8', '[C] Lemma 5.3']
    """
    value = explicit(depth)
    reasons = ("", NOT_GIVEN) if value is not None else (TOO_SHALLOW, TOO_SHALLOW)
    return (
        Threshold(EXPLICIT["WDC"], ("WDC",), "eps < 1/(16 pi d^2)^2", value, reasons[0]),
        Threshold(EXPLICIT["R2WDC"], ("R2WDC",), "eps < 1/(16 pi d^2)^2", value, reasons[0]),
        Threshold("[HV] Theorem 4", ("WDC", "RRIC"), "K d^8 eps^(1/4) <= 1", None, reasons[1]),
        Threshold("[C] Theorem 4.4", ("R2WDC", "RRIC"), "eps < K/d^90", None, reasons[1]),
    )


def pair_threshold(depth: int, partner: int) -> Threshold:
    """What blind demodulation asks of two networks with d = `depth` and s = `partner` layers.

    One epsilon for inner layers at alpha = 1, last layers at alpha1 and alpha2, and their
    joint-WDC at alpha1 alpha2.

    References
    ----------
    [HJ] Thm. 3.

    Examples
    --------
    >>> from wdccheck.reports.thresholds import pair_threshold
    >>> pair_threshold(2, 1).reason
    'at least two layers are needed'
    """
    reason = NOT_GIVEN if min(depth, partner) >= 2 else TOO_SHALLOW
    return Threshold("[HJ] Theorem 3", ("WDC", "joint-WDC"),
                     "K (d^7 s^2 + d^2 s^7) eps^(1/4) < alpha1 alpha2", None, reason)


def margin(eps_over_alpha: float, threshold: float) -> float:
    """``eps_over_alpha / threshold``: above 1, the factor by which epsilon is too large.

    Examples
    --------
    >>> from wdccheck.reports.thresholds import margin
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
    >>> from wdccheck.reports.thresholds import gaussian_expansion
    >>> gaussian_expansion(0.01)
    (40000.0, 160000.0)
    """
    low, high = 2.0, 4.0
    return (low / threshold) ** 2, (high / threshold) ** 2
