"""One row of a report, and what all rows share: the time, the seed, where they are kept."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wdccheck import brackets
from wdccheck.brackets import Bracket
from wdccheck.certification.first_layer import first_layer
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.engines import dominance
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.calibration import Calibration, calibrated, kept_calibration
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.least_ratio import LeastRatio, least_ratio, least_upper
from wdccheck.engines.lines import Line, first_lines, lines
from wdccheck.engines.loop import Rng, bracket, cut_short, seed_sequence
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import InvalidInput, WorkersLost
from wdccheck.kinds import named
from wdccheck.linalg.inputs import alpha_value
from wdccheck.protocol.condition import Condition, Scaled
from wdccheck.protocol.limit import Limit
from wdccheck.reports.row import CLOSED, Row
from wdccheck.running import parallel
from wdccheck.running.progress import Event, Progress, Terminal, resolve
from wdccheck.running.run import Engine, Run, raised

__all__ = ["RowSettings", "Shown", "certify_condition", "check_alpha", "gathered"]

RESERVE = 0.03  # of the whole time: engines end a block of work that they have begun
_FEW = 0.05  # of the time of a row at a given alpha: for lines that bound the minimum over alpha

_ENDS = (KeyboardInterrupt, MemoryError, WorkersLost)

Shown = Progress | Callable[[Event], None] | bool | None


def gathered(rows: Iterable[Row]) -> tuple[tuple[Row, ...], bool]:
    """The rows up to the first that was interrupted, and whether one was; nothing at all raises."""
    found: list[Row] = []
    try:
        for row in rows:
            found.append(row)
            if row.bracket.interrupted:
                return tuple(found), True
    except KeyboardInterrupt:
        if not found:
            raise
        return tuple(found), True
    return tuple(found), False


@dataclass(frozen=True, eq=False)
class RowSettings:
    """What the rows of a report share."""

    gap: float | None
    ratio: float | None
    deadline: float
    workers: int
    seed: np.random.SeedSequence
    progress: Shown
    folder: Path | None

    @staticmethod
    def of(
        gap: float | None, ratio: float | None, time_limit: float | None, workers: int, rng: Rng,
        progress: Shown, checkpoint: str | os.PathLike[str] | None,
    ) -> RowSettings:
        """Arguments of ``certify``, checked; the clock starts."""
        _check_time(time_limit)
        _goal(1.0, None, ratio)
        deadline = math.inf if time_limit is None else time.monotonic() + (1 - RESERVE) * time_limit
        return RowSettings(gap, ratio, deadline, parallel.available(workers), seed_sequence(rng), progress,
                      None if checkpoint is None else _folder(checkpoint))

    def row(
        self, condition: Condition, alpha: float | str, jobs: int, *, of: str = "", above: Row | None = None,
    ) -> Row:
        """One row, with an equal share of the time left for `jobs` rows."""
        share = None if math.isinf(self.deadline) else max((self.deadline - time.monotonic()) / jobs, 0.01)
        about = Row(Bracket(condition.describe()), of=of)
        file = "-".join([about.kind.lower(), *(str(x) for x in (of, about.layer) if x)])
        title = about.name
        found = certify_condition(
            condition, alpha=alpha, gap=self.gap, ratio=self.ratio, time_limit=share,
            workers=self.workers, rng=self.seed, above=above,
            progress=Terminal(f"{title}: ") if self.progress is True else self.progress,
            checkpoint=None if self.folder is None else self.folder / f"{file}.json")
        return replace(found, of=of)


def certify_condition(
    condition: Condition, *, alpha: float | str = "best", gap: float | None = None,
    eps: float | None = None, ratio: float | None = None, time_limit: float | None = None, workers: int = 1,
    rng: Rng = 0, progress: Shown = None, checkpoint: str | os.PathLike[str] | None = None,
    above: Row | None = None,
) -> Row:
    """One row of a report; `checkpoint` is a file here.

    Parameters
    ----------
    condition : Condition
        Where it has a scale, `alpha` replaces it.
    eps, ratio : float, optional
        Stop once it is decided whether ``epsilon <= eps``, or ``epsilon/alpha <= ratio``; without a scale,
        both are epsilon's. At most one of them.
    above : Row, optional
        The row of the WDC of the layer, where the condition is its R2WDC (Fact 12).

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.certification.of_condition import certify_condition
    >>> certify_condition(wc.WDC(np.eye(2)), alpha=1.0, time_limit=5).ratio_lower <= 1
    True
    """
    check_alpha(alpha)
    _check_time(time_limit)
    _goal(1.0, eps, ratio)
    if isinstance(condition, R2WDC) and condition.layer == 1:
        row = certify_condition(
            WDC(condition.net.layers[0], layer=1), alpha=alpha, gap=gap, eps=eps, ratio=ratio,
            time_limit=time_limit, workers=workers, rng=rng, progress=progress, checkpoint=checkpoint)
        return first_layer(row, condition)
    shown, workers = resolve(progress), parallel.available(workers)
    if not isinstance(condition, Scaled):
        goal = _goal(1.0, eps, ratio)
        return Row(bracket(condition, *_engines(condition, gap, goal), rng=rng, workers=workers,
                           time_limit=time_limit, target=goal, checkpoint=checkpoint, progress=shown))
    try:
        condition, found, chosen, left = _scale(condition, alpha, time_limit, checkpoint, workers, rng, shown)
        goal = _goal(condition.alpha, eps, ratio)
        engines = _engines(condition, gap, goal)
    except _ENDS as error:
        shown.close()
        return _closed_formulas(condition, alpha, rng, above, error)
    if _decided(goal, ratio, condition, chosen, above):
        engines = engines[:1]
    known = bracket(condition, *engines, rng=rng, workers=workers, time_limit=left, target=goal,
                    checkpoint=checkpoint, progress=shown)
    return _scaled_row(condition, known, found, above, chosen)


def _scale(
    condition: Scaled, alpha: float | str, time_limit: float | None,
    checkpoint: str | os.PathLike[str] | None, workers: int, rng: Rng, shown: Progress,
) -> tuple[Scaled, Sequence[Line], Calibration | None, float | None]:
    """The condition at its alpha, lines, how alpha was found unless it was given, the time left."""
    if alpha != "best":
        condition = condition.with_alpha(alpha_value(alpha))
        begun = time.monotonic()
        limit = math.inf if time_limit is None else begun + _FEW * time_limit
        found = first_lines(condition, Run(seed_sequence(rng), deadline=limit), 0)
        left = None if time_limit is None else max(time_limit - (time.monotonic() - begun), 0.01)
        return condition, found, None, left
    shown.update(Event("calibration of alpha", 0.0, math.inf, 0, None, "rounds", 0.0))
    condition, chosen, left = calibrated(
        condition, time_limit, lambda scaled, limit: kept_calibration(
            scaled, _alpha_file(checkpoint), limit, workers, rng))
    return condition, lines(condition.with_alpha(chosen.alpha), chosen.witnesses), chosen, left


def _engines(condition: Condition, gap: float | None, target: float | None) -> tuple[Engine, ...]:
    proof = BranchAndBound(rtol=CLOSED) if gap is None else BranchAndBound(gap, 0.0)
    return default_engines(condition, proof, target)


def _decided(
    goal: float | None, ratio: float | None, condition: Scaled, chosen: Calibration | None, above: Row | None,
) -> bool:
    """Whether closed formulas, a calibration or the dominating row decide the question already."""
    if goal is None:
        return False
    if above is not None and dominance.upper_at(above.bracket, condition.alpha) <= goal:
        return True
    if chosen is None or ratio is None:  # the question is of this alpha
        return False
    others = condition.vacuous if above is None or above.least is None else above.least.upper
    return ratio >= min(others, condition.vacuous) or chosen.lower > ratio


def _scaled_row(
    condition: Scaled, known: Bracket, found: Sequence[Line], above: Row | None, chosen: Calibration | None
) -> Row:
    """The row of a bracket, with the bounds on the minimum over alpha and what dominates them."""
    over = None
    if above is not None:
        known = dominance.bounded(known, above.bracket)
        over = None if above.least is None else (above.name, above.least)
    try:
        least = least_ratio(condition, known, found, over)
        for point in least.witnesses:  # found at another alpha, they may be the highest at this one
            if (value := condition.lower_bound(point)) > known.lower:
                own = raised(Bracket(known.condition), condition, point, value, "a witness of the minimum")
                known = brackets.merge(known, own)
    except _ENDS as error:
        known, least = cut_short(known, error), LeastRatio(0.0, *least_upper(known, over))
    if chosen is None:
        return Row(known, least)
    row = Row(known, least, scope="best")
    if row.empty:
        return row
    critical = named(row.kind).critical
    proved = row.vacuous and row.ratio_upper <= critical
    return replace(row, note=f"for which {critical} is proved" if proved else "chosen to minimize eps/alpha")


def _alpha_file(checkpoint: str | os.PathLike[str] | None) -> Path | None:
    try:
        return None if checkpoint is None else Path(checkpoint).with_suffix(".alpha.json")
    except (TypeError, ValueError):
        raise InvalidInput("checkpoint", "the name of a file", repr(checkpoint)[:60]) from None


def _closed_formulas(
    condition: Scaled, alpha: float | str, rng: Rng, above: Row | None, error: BaseException
) -> Row:
    """The row that was cut short before its search: at the alpha given, or the one that a trace suggests."""
    scale, given = condition.natural_alpha if alpha == "best" else alpha_value(alpha), alpha != "best"
    if not (math.isfinite(scale) and scale > 0):
        scale = 1.0
    condition = condition.with_alpha(scale)
    row = _scaled_row(condition, bracket(condition, Spectral(), rng=rng), (), above, None)
    row = replace(row, bracket=cut_short(row.bracket, error, "before the search; closed formulas only"))
    return row if given else replace(row, note="the one that a trace suggests", scope="best")


def check_alpha(alpha: float | str) -> None:
    """Refuse what is neither "best" nor a scale."""
    if isinstance(alpha, str):
        if alpha != "best":
            raise InvalidInput("alpha", "a positive finite number or 'best'", repr(alpha)[:60])
    else:
        alpha_value(alpha)


def _check_time(time_limit: float | None) -> None:
    if time_limit is not None and not (isinstance(time_limit, int | float) and time_limit > 0):
        raise InvalidInput("time_limit", "a number of seconds > 0, or None", repr(time_limit)[:60])


def _goal(scale: float, eps: float | None, ratio: float | None) -> float | None:
    """The epsilon with which a condition of this scale is compared, exactly; None where nothing is asked."""
    return None if eps is None and ratio is None else Limit.of(scale, eps, ratio).eps


def _folder(folder: str | os.PathLike[str]) -> Path:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("checkpoint", "a folder", f"{folder}: {error.strerror}") from None
    return Path(folder)
