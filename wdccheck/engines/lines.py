"""Lines of witnesses: what one point says of epsilon(alpha)/alpha at every alpha (Fact 4).

With beta = 1/alpha, epsilon/alpha is the supremum over points of ``|beta g - q|`` with ``g = u^T A u`` and
``q = u^T Q u``: convex in beta. Of finitely many points the lowest value is a linear program in one
variable, and a lower bound on the minimum over all alpha.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from wdccheck.geometry.spheres import Points
from wdccheck.linalg import cost
from wdccheck.protocol.condition import Measured, Scaled, entries_of, search_of, theorems_of
from wdccheck.running.run import Run

__all__ = ["NEARLY", "Line", "Lowest", "first_lines", "lines", "lowest", "proved"]

NEARLY = 1e-6
"""A minimum that is proved to be the vacuous value but for this part of it counts as vacuous: no search
tells the two apart."""

_SEEDS = 256
_FEWEST = 8  # seeds that are worth drawing
_OPERATIONS = 150  # for each weight and seed


class Line(NamedTuple):
    """A point and its terms."""

    point: Points
    terms: Measured


class Lowest(NamedTuple):
    """beta where the maximum of lines is lowest, its value, and whether that is nearly the vacuous one."""

    beta: float
    value: float
    vacuous: bool


def lines(condition: Scaled, points: Iterable[Points]) -> list[Line]:
    """The lines of `points`, along the maximizers at the present alpha."""
    return [Line(point, condition.measure(point)) for point in points]


def first_lines(condition: Scaled, run: Run, block: int) -> list[Line]:
    """Points of theorems, and the highest of many seeds at alphas around the scale they give.

    `block` numbers the random numbers of `run` that the seeds are drawn from. With little time there are
    fewer of them, or none.
    """
    found: list[Line] = []
    theorems = theorems_of(condition)
    once = cost.evaluation(entries_of(condition))
    for start in () if theorems is None else theorems.starts():
        if (found and run.expired()) or cost.left_out("a line", once, run.deadline):
            return found
        found += lines(condition, [start.point])
    scale = max((line.terms.gram for line in found), default=0.0)
    if not scale > 0:  # no theorem sees a row: seeds may
        scale = condition.natural_alpha()
    if not (scale > 0 and math.isfinite(4 * scale)):
        return found
    whole = cost.products(_SEEDS * _OPERATIONS * entries_of(condition))
    left = max(run.remaining(), 0.0)
    count = _SEEDS if whole <= left else int(_SEEDS * left / whole)
    if count < _FEWEST:
        return found
    rng = np.random.default_rng(run.block_seed(block))
    seeds = search_of(condition, "seeds").seeds(rng, count, None, run.deadline)
    for factor in (0.25, 1.0, 4.0):
        if run.expired() or cost.left_out("a line", 2 * once, run.deadline):
            break
        frozen = search_of(condition.with_alpha(scale * factor), "freeze").freeze(seeds)
        for sign in (1.0, -1.0):
            best = int(np.argmax(np.where(frozen.sign == sign, frozen.value, -np.inf)))
            found += lines(condition, [{letter: value[best] for letter, value in seeds.items()}])
    return found


def lowest(found: Sequence[Line], most: float) -> Lowest:
    """Where the maximum of |beta g - q| is lowest, in floating point; `most` is the vacuous value.

    A rising line (beta g - q) and a falling one (q - beta g) meet there: all pairs are tried, which is
    the dual of the one-dimensional linear program. Where no line rises, the highest level line gives
    the value, and beta is inf.
    """
    g = np.array([line.terms.gram for line in found])
    q = np.array([line.terms.expectation for line in found])
    if not (g > 0).any():  # every line is level
        level = float(q.max(initial=0.0))
        return Lowest(math.inf, level, level >= most * (1 - NEARLY))
    total = g[:, None] + g[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        heights = (q[None, :] * g[:, None] - q[:, None] * g[None, :]) / total
    heights = np.where(total > 0, heights, -np.inf)
    rising, falling = np.unravel_index(int(np.argmax(heights)), heights.shape)
    value = float(heights[rising, falling])
    if value >= most * (1 - NEARLY):
        positive = g > 0
        return Lowest(_beta(most + q[positive], g[positive]), value, True)
    return Lowest(_beta(q[rising] + q[falling], g[rising] + g[falling]), value, False)


def _beta(height: np.ndarray, slope: np.ndarray) -> float:
    """The least quotient; inf where it is beyond floats."""
    with np.errstate(over="ignore"):
        return float(np.min(height / slope))


def proved(found: Sequence[Line]) -> tuple[float, tuple[Line, Line] | None]:
    """The value of the linear program with every error against it, and the two lines that give it.

    It is a lower bound on epsilon/alpha at every alpha; 0 without lines where nothing is proved.

    For any weight w in [0, 1], max(beta g1 - q1, q2 - beta g2) >= w (beta g1 - q1) + (1 - w)
    (q2 - beta g2); with w = g2/(g1 + g2), g1 rounded down and g2 up, the coefficient of beta is
    not negative, so the value at beta = 0 bounds the maximum for every beta > 0.

    g1 and g2 err by u, their sum, the quotient and the product by u each: 9 u, 1e-15, make the weight large
    enough. The q are at most 1/2: sums, products and difference err by less than 4 u, and either
    expectation_error has 60 u to spare (its proof adds up to that much less). 1 - 1e-14 only keeps the
    last digits below.
    """
    terms = [line.terms for line in found]
    g1 = np.array([max(m.gram - m.gram_error, 0.0) for m in terms])
    g2 = np.array([m.gram + m.gram_error for m in terms])
    q1 = np.array([m.expectation + m.expectation_error for m in terms])
    q2 = np.array([m.expectation - m.expectation_error for m in terms])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        total = g1[:, None] + g2[None, :]
        weight = np.minimum(np.where(total > 0, g2[None, :] / total, 0.0) * (1 + 1e-15), 1.0)
        values = (1 - weight) * q2[None, :] - weight * q1[:, None]
    values = np.where(np.isfinite(values), values, 0.0)  # a term that overflows proves nothing
    if not values.size or not values.max() > 0:
        return 0.0, None
    rising, falling = np.unravel_index(int(np.argmax(values)), values.shape)
    return float(values[rising, falling]) * (1 - 1e-14), (found[int(rising)], found[int(falling)])
