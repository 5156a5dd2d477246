"""Probabilities, quantiles and extremes of the deviation over uniform random directions."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv

from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.errors import InvalidInput, PoorFit
from wdccheck.estimates.drawing import deviations
from wdccheck.estimates.tails import Fit, fit_tail, misfit
from wdccheck.linalg import inputs
from wdccheck.protocol.condition import Condition
from wdccheck.rounded_text import down, up
from wdccheck.running.run import Run
from wdccheck.seeds import Seed, seed_of

__all__ = ["Estimate", "exceedance", "extreme", "quantile"]

_MOST = 10**7  # samples: all deviations are kept
_TAIL = 50  # fewer exceedances tell nothing


@dataclass(frozen=True, repr=False)
class Estimate:
    """A number estimated from random directions, with its confidence interval: no bound on epsilon.

    Attributes
    ----------
    of : str
        What is estimated.
    value : float
        The estimate.
    low, high : float
        The confidence interval.
    confidence : float
        A fresh sample gives an interval that holds the true number at least this often (of
        :func:`extreme`: about, and if the model holds).
    samples : int
        Random directions drawn.
    condition, directions : str
        What was sampled, and over which distribution.
    seed : int or SeedSequence
        The `rng` that gives the random numbers again.
    fit : Fit or None
        The tail, of :func:`extreme`.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> found = wc.estimates.quantile(wc.WDC(np.eye(2)), 0.5, samples=1000)
    >>> isinstance(found, wc.estimates.Estimate) and found.low <= found.value <= found.high
    True
    """

    of: str
    value: float
    low: float
    high: float
    confidence: float
    samples: int
    condition: str
    directions: str
    seed: Seed
    fit: Fit | None = None

    def __str__(self) -> str:
        tail = "" if self.fit is None else (
            f"; generalized Pareto fit of the {self.fit.exceedances} largest, shape {self.fit.shape:.3g}, "
            f"p = {self.fit.p_value:.3g}")
        return (f"estimate, not a bound: {self.of} of {self.condition} over {self.directions}: "
                f"{self.value:.5g}, {100 * self.confidence:g} % confidence interval "
                f"[{down(self.low)}, {up(self.high)}]; {self.samples} samples{tail}")

    def __repr__(self) -> str:
        return f"<{self}>"


def quantile(
    condition: Condition, probability: float, *, samples: int = 10_000, confidence: float = 0.95,
    rng: Rng = 0, workers: int = 1, time_limit: float | None = None,
) -> Estimate:
    """Estimate a quantile of the deviation over uniform random directions, by order statistics.

    The number of samples below the true quantile is binomial, whatever the distribution is, hence
    the interval is exact: its confidence is at least the one asked for.

    Parameters
    ----------
    condition : Condition
        For instance ``WDC(W)``.
    probability : float
        Between 0 and 1: which quantile.
    samples : int
        Random directions to draw.
    confidence : float
        Between 0 and 1.
    rng : int, SeedSequence or Generator
        The same seed gives the same estimate for any number of workers, unless the time is up.
    workers : int
        Processes; -1 for every core.
    time_limit : float, optional
        Seconds; what is drawn until then is the sample. Refused where one direction takes longer by estimate:
        nothing is drawn then, and nothing is known.

    Returns
    -------
    Estimate

    Raises
    ------
    InvalidInput
        An argument is unusable, or the samples are too few for an interval; it says how many it takes.

    References
    ----------
    David and Nagaraja, *Order Statistics*, 3rd ed., Section 7.1.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = np.random.default_rng(0).standard_normal((40, 2)) / np.sqrt(40)
    >>> found = wc.estimates.quantile(wc.WDC(W), 0.99)
    >>> found.low <= found.value <= found.high
    True
    """
    p, confidence = _inside("probability", probability), _inside("confidence", confidence)
    _check_interval(p, confidence, _samples(samples), samples)
    values, seed = deviations(condition, _samples(samples), rng, workers, time_limit)
    n = len(values)
    first, last = _check_interval(p, confidence, n, samples)
    value, low, high = (float(values[i - 1]) for i in (math.ceil(n * p), first, last))
    return _estimate(condition, f"{p:.12g} quantile of the deviation", value, low, high, confidence, n, seed)


def _check_interval(p: float, confidence: float, n: int, asked: int) -> tuple[int, int]:
    """The order statistics, counted from 1, between which the quantile is; refused where n are too few."""
    tail = (1 - confidence) / 2
    # P(fewer than `first` samples are at most the quantile) and P(at least `last` are below it) <= tail
    first = bisect_left(range(n), tail, key=lambda i: float(betainc(n - i, i + 1, 1 - p)))
    last = bisect_left(range(n), True, key=lambda i: bool(betainc(i + 1, n - i, p) <= tail)) + 1
    if first < 1 or last > n:
        needed = math.ceil(math.log(tail) / math.log(max(p, 1 - p)))
        raise InvalidInput("samples", f"at least {needed} for an interval of this quantile",
                           _count(n, asked))
    return first, last


def exceedance(
    condition: Condition, level: float, *, samples: int = 10_000, confidence: float = 0.95, rng: Rng = 0,
    workers: int = 1, time_limit: float | None = None,
) -> Estimate:
    """Estimate the probability that uniform random directions have a deviation above `level`.

    Parameters
    ----------
    level : float
        On the scale of epsilon.
    condition, samples, confidence, rng, workers, time_limit
        As of :func:`quantile`.

    Returns
    -------
    Estimate
        With the exact interval of Clopper and Pearson: its confidence is at least the one asked
        for. That no sample exceeds a level does not prove that none does.

    Raises
    ------
    InvalidInput
        An argument is unusable.

    References
    ----------
    Clopper and Pearson, *Biometrika* 26, 1934.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = np.random.default_rng(0).standard_normal((40, 2)) / np.sqrt(40)
    >>> found = wc.estimates.exceedance(wc.WDC(W), 0.9)
    >>> found.value, found.high < 0.001
    (0.0, True)
    """
    confidence, n = _inside("confidence", confidence), _samples(samples)
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not level >= 0:
        raise InvalidInput("level", "a number >= 0", repr(level)[:60])
    values, seed = deviations(condition, n, rng, workers, time_limit)
    n = len(values)
    above = int(np.count_nonzero(values > level))
    tail = (1 - confidence) / 2
    low = float(betaincinv(above, n - above + 1, tail)) if above else 0.0
    high = float(betaincinv(above + 1, n - above, 1 - tail)) if above < n else 1.0
    return _estimate(condition, f"probability of a deviation above {float(level)!r}", above / n, low, high,
                     confidence, n, seed)


def extreme(
    condition: Condition, probability: float = 1.0, *, samples: int = 20_000, fraction: float = 0.02,
    confidence: float = 0.95, rng: Rng = 0, workers: int = 1, time_limit: float | None = None,
) -> Estimate:
    """Extrapolate the deviation beyond a sample: a far quantile, or where its distribution ends.

    A generalized Pareto distribution is fitted to the largest deviations. The end is that of the
    tail that the sample sees: directions too rare to be drawn may have larger deviations, and a
    proved lower bound may well exceed the estimate.

    Parameters
    ----------
    probability : float
        A quantile beyond ``1 - fraction``; 1: the end of the distribution.
    fraction : float
        The part of the sample that counts as its tail.
    condition, samples, confidence, rng, workers, time_limit
        As of :func:`quantile`.

    Returns
    -------
    Estimate
        The interval comes from the likelihood ratio: its confidence holds approximately, and only
        as far as the model does, for a far quantile better than for the end (docs/estimates.md).

    Raises
    ------
    PoorFit
        The model does not fit, or the sample does not determine the number; the refused
        estimate is on the error.
    InvalidInput
        An argument is unusable.

    References
    ----------
    Coles, *An Introduction to Statistical Modeling of Extreme Values*, Chapter 4.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = np.random.default_rng(0).standard_normal((100, 6)) / 10
    >>> found = wc.estimates.extreme(wc.WDC(W), 1 - 1e-5)
    >>> found.low <= found.value <= found.high, found.fit.shape < 0
    (True, True)
    """
    confidence, p = _inside("confidence", confidence), 1.0
    if probability != 1:
        p = _inside("probability", probability)
    _check_tail(p, fraction, _samples(samples), samples)
    values, seed = deviations(condition, _samples(samples), rng, workers, time_limit)
    n = len(values)
    m = _check_tail(p, fraction, n, samples)
    resampling = np.random.default_rng(Run(seed_sequence(seed)).block_seed(n))
    value, low, high, fit = fit_tail(values, m, p, confidence, resampling)
    name = "end of the distribution" if p == 1 else f"{p:.12g} quantile"
    found = _estimate(condition, f"{name} of the deviation", value, low, high, confidence, n, seed, fit)
    if reasons := misfit(value, low, high, fit):
        raise PoorFit(found, reasons)
    return found


def _check_tail(p: float, fraction: float, n: int, asked: int) -> int:
    """How many of n samples are the tail; refused where they are too few, or p is not beyond them."""
    m = int(n * _inside("fraction", fraction))
    if m < _TAIL or m >= n:
        raise InvalidInput("samples", f"at least {math.ceil(_TAIL / fraction)} with fraction = {fraction!r}",
                           _count(n, asked))
    if p <= 1 - m / n:
        raise InvalidInput("probability", f"above {1 - m / n:.6g}; for a smaller one use quantile", repr(p))
    return m


def _count(n: int, asked: int) -> str:
    return str(n) if n == asked else f"{n} of {asked} within the time limit"


def _estimate(
    condition: Condition, of: str, value: float, low: float, high: float, confidence: float, samples: int,
    seed: np.random.SeedSequence, fit: Fit | None = None,
) -> Estimate:
    letters = ", ".join(f"({', '.join(b)})" if len(b) > 1 else b[0] for b in condition.spheres)
    return Estimate(of, value, low, high, confidence, samples, repr(condition),
                    f"independent uniform directions {letters}", seed_of(seed), fit)


def _inside(thing: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise InvalidInput(thing, "a number between 0 and 1", repr(value)[:60])
    return float(value)


def _samples(value: int) -> int:
    return inputs.count_value("samples", value, _MOST)
