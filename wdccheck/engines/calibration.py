"""The scale of a condition: the alpha that makes epsilon(alpha)/alpha smallest (Fact 4)."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from wdccheck import result_files
from wdccheck.brackets import Bracket, decode_witness, encode_witness
from wdccheck.engines.ascent import Ascent
from wdccheck.engines.lines import NEARLY, Line, first_lines, lines, lowest, proved
from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.errors import CertificateMismatch, InvalidInput, VacuousWarning
from wdccheck.geometry.spheres import Points
from wdccheck.linalg import cost
from wdccheck.protocol.condition import Scaled, entries_of, theorems_of
from wdccheck.result_files import schema
from wdccheck.rounded_text import up
from wdccheck.running import parallel
from wdccheck.running.run import Run

__all__ = ["Calibration", "calibrate", "calibrated", "calibration", "kept_calibration"]

_SHARE = 0.2  # of the time of a bracket whose alpha is sought
_ROUNDS = 40
_TOLERANCE = 1e-3  # relative difference between the searched maximum and the cutting planes
_BLOCKS = 48  # of ascent, all searches together: some seconds, where nothing else limits them


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
        `lower` is, but for one part in a million, the value that every large alpha gives: 1/2 for the
        WDC (Fact 9), where alpha >= 2 ||W||^2 is large, 1/4 for the joint-WDC.
    proved_alpha : float
        Where the minimum is vacuous, an alpha that is proved to give it; otherwise `alpha`.
    lines : tuple of Line
        Those that prove `lower`, mostly two; none where it is 0. A file keeps their points only.
    """

    alpha: float
    lower: float
    vacuous: bool
    proved_alpha: float
    lines: tuple[Line, ...] = ()


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
    found = first_lines(condition, run, _ROUNDS)
    at, once = lowest(found, condition.vacuous), cost.evaluation(entries_of(condition))
    for number in range(_ROUNDS):
        if blocks <= 0 or not 0 < at.beta < math.inf or (at.vacuous and not smallest):
            break
        if run.expired() or cost.left_out("another line", 2 * once, run.deadline):
            break
        level = condition.vacuous if at.vacuous else at.value
        heights = [abs(at.beta * m.gram - m.expectation) for _, m in found]
        scaled, near = condition.with_alpha(1 / at.beta), found[int(np.argmax(heights))].point
        point, done = _higher(scaled, near, level * (1 + _TOLERANCE), run.with_(seed=run.block_seed(number)),
                              blocks)
        blocks -= done
        if point is None:
            break
        found += lines(scaled, [point])
        at = lowest(found, condition.vacuous)
    alpha = float(1 / at.beta) if 0 < at.beta < math.inf else condition.alpha
    lower, pair = proved(found)
    vacuous = lower >= condition.vacuous * (1 - NEARLY)
    return Calibration(alpha, lower, vacuous, _safe(condition, alpha, run) if vacuous else alpha,
                       () if pair is None else pair)


def _safe(condition: Scaled, alpha: float, run: Run) -> float:
    """An alpha where the cap is vacuous: a cap is max(something, vacuous * alpha) (Fact 9)."""
    theorems = theorems_of(condition.with_alpha(alpha))
    caps = [] if theorems is None else [cap.value for cap in theorems.caps(run.deadline)]
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
    sha256, letters = condition.describe()["sha256"], {x for block in condition.spheres for x in block}
    if path.exists():
        stored = result_files.read(path)
        schema.check_calibration(stored, str(path))
        witnesses = tuple(decode_witness(one) for one in stored["witnesses"])
        if stored["sha256"] != sha256 or any(set(one) != letters for one in witnesses):
            raise CertificateMismatch(str(path), f"an alpha for the weights {sha256[:8]}",
                                      f"one for {stored['sha256'][:8]}")
        scales = float(stored["alpha"]), float(stored["proved_alpha"])
        again = [line for scale in scales for line in lines(condition.with_alpha(scale), witnesses)]
        return Calibration(scales[0], float(stored["lower"]), stored["vacuous"], scales[1], tuple(again))
    chosen = calibration(condition, smallest=False, time_limit=limit, workers=workers, rng=rng)
    numbers = {name: value for name, value in vars(chosen).items() if name != "lines"}
    data = {"sha256": sha256, **numbers, "witnesses": [encode_witness(line.point) for line in chosen.lines]}
    result_files.saved(partial(result_files.write, path, data), "the work goes on")
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
