"""The scale of a condition: the alpha that makes epsilon(alpha)/alpha smallest (Fact 4)."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from wdccheck import result_files
from wdccheck.brackets import Bracket
from wdccheck.engines.ascent import Ascent
from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.errors import CertificateMismatch, InvalidInput, VacuousWarning
from wdccheck.geometry.spheres import Points
from wdccheck.linalg.inputs import alpha_value
from wdccheck.protocol.condition import Measured, Scaled, search_of, theorems_of
from wdccheck.rounded_text import up
from wdccheck.running import parallel
from wdccheck.running.run import Run

__all__ = ["Calibration", "calibrate", "calibrated", "calibration", "kept_calibration"]

_SHARE = 0.2  # of the time of a bracket whose alpha is sought
_ROUNDS = 40
_TOLERANCE = 1e-3  # relative difference between the searched maximum and the cutting planes
_SEEDS = 256
_BLOCKS = 48  # of ascent, all searches together: some seconds, where nothing else limits them
_VACUOUS = 1e-6  # a minimum this close counts as vacuous: no search tells it apart


@dataclass(frozen=True)
class Calibration:
    """The result of a calibration.

    Attributes
    ----------
    alpha : float
        The minimizer found; where the minimum is vacuous, the smallest minimizer found.
    lower : float
        A proved lower bound on the minimum over all alpha of epsilon(alpha)/alpha.
    vacuous : bool
        The minimum is the value that every large alpha gives: 1/2 for the WDC (large is
        alpha >= 2 ||W||^2, Fact 9), 1/4 for the joint-WDC.
    proved_alpha : float
        Where the minimum is vacuous, an alpha that is proved to give it; otherwise `alpha`.
    """

    alpha: float
    lower: float
    vacuous: bool
    proved_alpha: float


def calibrate(condition: Scaled) -> float:
    """The alpha that minimizes epsilon(alpha)/alpha, by cutting planes over witnesses.

    With beta = 1/alpha, epsilon/alpha is the supremum of ``|beta g - q|`` over witnesses with terms
    ``g = u^T A u``, ``q = u^T Q u``: convex in beta. Each round searches for a witness at the present
    beta and adds its line; the minimum of the maximum of the lines bounds the true minimum from
    below. It ends after at most 48 blocks of ascent: seconds, half a minute for wide layers.

    Parameters
    ----------
    condition : Condition
        One that has an alpha; its present value is only a starting point.

    Returns
    -------
    float
        If the minimum is vacuous (1/2 for the WDC), the smallest minimizer, with a :class:`VacuousWarning`.

    Raises
    ------
    InvalidInput
        The condition has no alpha.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = np.random.default_rng(0).standard_normal((200, 2)) / np.sqrt(200)
    >>> 0.8 < wc.calibrate(wc.WDC(W)) < 1.2
    True
    """
    result = calibration(condition)
    if result.vacuous:
        warnings.warn(
            f"{condition!r}: no alpha brings epsilon/alpha below {Fraction(condition.vacuous)} (to one part "
            "in a million), so the condition says nothing at any scale; the smallest alpha found that gives "
            "this value is returned",
            VacuousWarning, stacklevel=2,
        )
    return result.alpha


def calibration(
    condition: Scaled, *, smallest: bool = True, time_limit: float | None = None, workers: int = 1,
    rng: Rng = 0, blocks: int | None = None,
) -> Calibration:
    """Like :func:`calibrate`, with the proved lower bound on the minimum.

    Parameters
    ----------
    condition : Scaled
    smallest : bool
        Where the minimum is vacuous, go on to look for the smallest minimizer.
    time_limit : float, optional
        Wall seconds; the lines found until then are used.
    workers : int
    rng : int, SeedSequence or Generator
    blocks : int, optional
        Blocks of ascent, all searches together. None: 48, or as many as pay where a time limit is set.
    """
    if not isinstance(condition, Scaled):
        raise InvalidInput("condition", "a condition with a scale alpha", repr(condition)[:60])
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    left = float(blocks) if blocks is not None else math.inf if time_limit is not None else float(_BLOCKS)
    with parallel.one_blas_thread():
        return _cutting_planes(condition, smallest, Run(seed_sequence(rng), workers, deadline), left)


def _cutting_planes(condition: Scaled, smallest: bool, run: Run, blocks: float) -> Calibration:
    """Add the line of a higher witness at the present beta until there is none."""
    points, lines = _first_lines(condition, run)
    beta, value, vacuous = _lowest(lines, condition.vacuous)
    for number in range(_ROUNDS):
        if run.expired() or blocks <= 0 or not 0 < beta < math.inf or (vacuous and not smallest):
            break
        level = condition.vacuous if vacuous else value
        heights = [abs(beta * m.gram - m.expectation) for m in lines]
        scaled, near = condition.with_alpha(1 / beta), points[int(np.argmax(heights))]
        point, done = _higher(scaled, near, level * (1 + _TOLERANCE), run.with_(seed=run.block_seed(number)),
                              blocks)
        blocks -= done
        if point is None:
            break
        points.append(point)
        lines.append(scaled.measure(point))
        beta, value, vacuous = _lowest(lines, condition.vacuous)
    alpha = float(1 / beta) if 0 < beta < math.inf else condition.alpha
    return Calibration(alpha, _proved(lines), vacuous, _safe(condition, alpha) if vacuous else alpha)


def _safe(condition: Scaled, alpha: float) -> float:
    """An alpha where the cap is vacuous: a cap is max(something, vacuous * alpha) (Fact 9)."""
    theorems = theorems_of(condition.with_alpha(alpha))
    caps = [] if theorems is None else [cap.value for cap in theorems.caps()]
    return max(alpha, min(caps, default=0.0) / condition.vacuous)


def calibrated(
    condition: Scaled, time_limit: float | None, choose: Callable[[Scaled, float | None], Calibration]
) -> tuple[Scaled, Calibration, float | None]:
    """The condition at the alpha that `choose` finds in its share of the time, its result, the time left.

    That alpha is rounded to six digits, so that what is printed is what is used; up, so that the vacuous
    value stays proved.
    """
    begun = time.monotonic()
    chosen = choose(condition, None if time_limit is None else _SHARE * time_limit)
    left = None if time_limit is None else max(time_limit - (time.monotonic() - begun), 0.01)
    return condition.with_alpha(float(up(chosen.proved_alpha, 6))), chosen, left


def kept_calibration(
    condition: Scaled, path: Path | None, limit: float | None, workers: int, rng: Rng
) -> Calibration:
    """A calibration with any minimizer, kept in a file: a resumed call continues at its alpha.

    Raises
    ------
    CertificateMismatch
        The file is of other weights.
    """
    if path is None:
        return calibration(condition, smallest=False, time_limit=limit, workers=workers, rng=rng)
    sha256 = condition.describe()["sha256"]
    if path.exists():
        stored = result_files.read(path)
        if stored.get("sha256") != sha256:
            raise CertificateMismatch(str(path), f"an alpha for the weights {sha256[:8]}",
                                      f"one for {str(stored.get('sha256'))[:8]}")
        return Calibration(alpha_value(stored.get("alpha")),
                           result_files.decode_float(stored.get("lower"), f"{path}: lower"),
                           bool(stored.get("vacuous")), alpha_value(stored.get("proved_alpha")))
    chosen = calibration(condition, smallest=False, time_limit=limit, workers=workers, rng=rng)
    result_files.write(path, {"sha256": sha256, **asdict(chosen)})
    return chosen


def _higher(
    condition: Scaled, near: Points, level: float, run: Run, blocks: float
) -> tuple[Points | None, int]:
    """A point where epsilon/alpha exceeds `level`, None if ascent finds none; blocks of ascent."""
    known, done = Bracket(condition.describe(), lower=condition.lower_bound(near), witness=near), 0
    for search in (Ascent(starts=1), Ascent()):  # one round usually finds one; if not, search in full
        share = run.remaining() / 4
        own = run.with_(deadline=time.monotonic() + share) if math.isfinite(share) else run
        for found in search.improve(condition, known, own):
            done += 1
            if found.lower > level * condition.alpha and found.witness is not None:
                return found.witness, done
            if done >= blocks:
                return None, done
    return None, done


def _first_lines(condition: Scaled, run: Run) -> tuple[list[Points], list[Measured]]:
    """Points of theorems, and the highest of many seeds at alphas around the scale they give."""
    points: list[Points] = []
    lines: list[Measured] = []
    theorems = theorems_of(condition)
    for start in () if theorems is None else theorems.starts():
        points.append(start.point)
        lines.append(condition.measure(start.point))
        if run.expired():
            return points, lines
    scale = max((line.gram for line in lines), default=0.0)
    if not scale > 0:  # no theorem sees a row: seeds may
        scale = condition.natural_alpha
    if not (scale > 0 and math.isfinite(4 * scale)):
        return points, lines
    seeds = search_of(condition, "seeds").seeds(np.random.default_rng(run.block_seed(_ROUNDS)), _SEEDS)
    for factor in (0.25, 1.0, 4.0):
        if run.expired():
            break
        frozen = search_of(condition.with_alpha(scale * factor), "freeze").freeze(seeds)
        for sign in (1.0, -1.0):
            best = int(np.argmax(np.where(frozen.sign == sign, frozen.value, -np.inf)))
            points.append({letter: value[best] for letter, value in seeds.items()})
            lines.append(condition.measure(points[-1]))
    return points, lines


def _lowest(lines: list[Measured], most: float) -> tuple[float, float, bool]:
    """beta at the lowest point of the maximum of |beta g - q|, its value, and whether it is `most`.

    A rising line (beta g - q) and a falling one (q - beta g) meet there: all pairs are tried, which is
    the dual of the one-dimensional linear program. Where no line rises, the highest level line gives
    the value, and beta is inf.
    """
    g = np.array([m.gram for m in lines])
    q = np.array([m.expectation for m in lines])
    if not (g > 0).any():  # every line is level
        return math.inf, float(q.max(initial=0.0)), bool(q.max(initial=0.0) >= most * (1 - _VACUOUS))
    total = g[:, None] + g[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        heights = (q[None, :] * g[:, None] - q[:, None] * g[None, :]) / total
    heights = np.where(total > 0, heights, -np.inf)
    rising, falling = np.unravel_index(int(np.argmax(heights)), heights.shape)
    value = float(heights[rising, falling])
    if value >= most * (1 - _VACUOUS):
        positive = g > 0
        return float(np.min((most + q[positive]) / g[positive])), value, True
    return float((q[rising] + q[falling]) / (g[rising] + g[falling])), value, False


def _proved(lines: list[Measured]) -> float:
    """The value of the linear program with every error against it.

    For any weight w in [0, 1], max(beta g1 - q1, q2 - beta g2) >= w (beta g1 - q1) + (1 - w)
    (q2 - beta g2); with w = g2/(g1 + g2), g1 rounded down and g2 up, the coefficient of beta is
    not negative, so the value at beta = 0 bounds the maximum for every beta > 0.

    g1 and g2 err by u, their sum, the quotient and the product by u each: 9 u, 1e-15, make the weight large
    enough. The q are at most 1/2: sums, products and difference err by less than 4 u, and either
    expectation_error has 60 u to spare (its proof adds up to that much less). 1 - 1e-14 only keeps the
    last digits below.
    """
    g1 = np.array([max(m.gram - m.gram_error, 0.0) for m in lines])
    g2 = np.array([m.gram + m.gram_error for m in lines])
    q1 = np.array([m.expectation + m.expectation_error for m in lines])
    q2 = np.array([m.expectation - m.expectation_error for m in lines])
    total = g1[:, None] + g2[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(total > 0, g2[None, :] / total, 0.0) * (1 + 1e-15)
    values = (1 - weight) * q2[None, :] - weight * q1[:, None]
    return max(float(np.max(values, initial=0.0)) * (1 - 1e-14), 0.0)
