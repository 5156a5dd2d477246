"""The tail of a sample: a generalized Pareto distribution with an end, fitted to its largest values.

Beyond a threshold, values of any of the usual distributions with a finite end e are close to
P(Y > y) = (1 - y/w)^(1/a) for the excesses Y, w = e minus the threshold (Pickands 1975, Balkema and
de Haan 1974); a = -shape, a w = scale. In w alone the likelihood has its maximum over a at
a = s(w) = -mean log(1 - y/w) (Grimshaw 1993), so that a grid over w finds it. A confidence interval of
a quantile or of the end is its range over all (w, a) whose likelihood ratio is not significant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

__all__ = ["Fit", "fit_tail", "misfit"]

_GRID = np.linspace(math.log(1e-6), math.log(1e4), 400)  # of log(w / largest excess - 1)
_REPLICATES = 199
_LEVEL = 0.05  # of the goodness of fit
_IRREGULAR = 0.5  # a beyond it: the maximum of the likelihood is not normal, even of large samples


@dataclass(frozen=True)
class Fit:
    """A fitted tail, and how well it fits.

    Attributes
    ----------
    threshold : float
        The tail is what lies above it.
    exceedances : int
        Size of the tail.
    shape, scale : float
        Parameters of the generalized Pareto distribution of the excesses, as in ``scipy.stats.genpareto``;
        shape < 0, since a deviation has an end.
    p_value : float
        The p-value of the Anderson-Darling statistic, by parametric bootstrap.
    halved : float
        The same estimate from the upper half of the exceedances.
    """

    threshold: float
    exceedances: int
    shape: float
    scale: float
    p_value: float
    halved: float


def fit_tail(
    values: np.ndarray, m: int, probability: float, confidence: float, rng: np.random.Generator
) -> tuple[float, float, float, Fit]:
    """Quantile (the end, at probability 1) with its interval, from the `m` largest of sorted `values`."""
    threshold, excess = float(values[-m - 1]), values[-m:] - values[-m - 1]
    if len(np.unique(excess)) < m / 2:
        nan = math.nan
        return nan, nan, nan, Fit(threshold, m, nan, nan, nan, nan)
    w, a = _maximum(excess)
    rarity = (1 - probability) * len(values) / m
    value = threshold + w * (1 - rarity**a)
    low, high = _interval(excess, rarity, confidence)
    half = values[-(m // 2):] - values[-(m // 2) - 1]
    w_half, a_half = _maximum(half)
    halved = float(values[-(m // 2) - 1]) + w_half * (1 - (rarity * m / (m // 2)) ** a_half)
    drawn = (np.sort(w * (1 - rng.random(m) ** a)) for _ in range(_REPLICATES))
    larger = sum(_anderson_darling(y, *_maximum(y)) >= _anderson_darling(excess, w, a) for y in drawn)
    p_value = (1 + larger) / (1 + _REPLICATES)
    return value, threshold + low, threshold + high, Fit(threshold, m, -a, a * w, p_value, halved)


def misfit(value: float, low: float, high: float, fit: Fit) -> tuple[str, ...]:
    """The reasons not to trust a fit; none where there is no objection."""
    if math.isnan(value):
        return (f"most of the {fit.exceedances} largest deviations are equal, so there is no tail to fit",)
    objections = {
        f"the tail is no generalized Pareto distribution (Anderson-Darling p = {fit.p_value:.3g} < {_LEVEL})":
            fit.p_value < _LEVEL,
        f"shape {fit.shape:.3g} < {-_IRREGULAR}, where the likelihood gives no interval":
            fit.shape < -_IRREGULAR,
        "the sample does not tell where the tail ends": math.isinf(high),
        f"the upper half of the tail alone gives {fit.halved:.6g}, outside the interval "
        f"[{low:.6g}, {high:.6g}]": not low <= fit.halved <= high,
    }
    return tuple(text for text, objection in objections.items() if objection)


def _profile(excess: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best a for each w, and the log-likelihood there, per excess."""
    s = -np.log1p(-excess / w[:, None]).mean(axis=1)
    return s, -np.log(s * w) + s - 1


def _maximum(excess: np.ndarray) -> tuple[float, float]:
    """w and a of the largest likelihood on the grid, and on a finer one around it; a < 1."""
    largest, grid = float(excess.max()), _GRID
    for _ in range(2):
        w = largest * (1 + np.exp(grid))
        s, likelihood = _profile(excess, w)
        best = int(np.argmax(np.where(s < 1, likelihood, -np.inf)))  # beyond 1 it is unbounded
        step = grid[1] - grid[0]
        grid = np.linspace(grid[best] - step, grid[best] + step, 41)
    return float(w[best]), float(s[best])


def _interval(excess: np.ndarray, rarity: float, confidence: float) -> tuple[float, float]:
    """The range of the quantile where the likelihood ratio is below its chi-square quantile.

    A neighbor more on the grid of w at either side; at its upper end the tail may have no end.
    """
    m, largest = len(excess), float(excess.max())
    w = largest * (1 + np.exp(_GRID))
    s, best = _profile(excess, w)
    a = s[:, None] * np.exp(np.linspace(-6, 6, 121) / math.sqrt(m))
    likelihood = -np.log(a * w[:, None]) - (1 / a - 1) * s[:, None]
    inside = likelihood >= best[s < 1].max() - chdtri(1, 1 - confidence) / (2 * m)
    inside[1:] |= inside[:-1]
    inside[:-1] |= inside[1:]
    quantile = np.where(inside, w[:, None] * (1 - rarity**a), np.nan)
    low = largest if rarity == 0 and inside[0].any() else float(np.nanmin(quantile))
    return low, math.inf if rarity == 0 and inside[-1].any() else float(np.nanmax(quantile))


def _anderson_darling(excess: np.ndarray, w: float, a: float) -> float:
    """The statistic of sorted excesses against the fitted distribution."""
    above = np.log1p(-excess / w) / a
    below = np.log(-np.expm1(np.minimum(above, -1e-300)))
    m = len(excess)
    return float(-m - np.mean((2 * np.arange(m) + 1) * (below + above[::-1])))
