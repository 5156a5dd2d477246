"""The row of a condition with a scale: alpha is sought, bracketed at, and the minimum over alpha bounded."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wdccheck import brackets
from wdccheck.brackets import Bracket, Verdict
from wdccheck.engines import dominance
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.calibration import Calibration, calibrated, kept_calibration
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.least_ratio import LeastRatio, least_ratio, least_upper
from wdccheck.engines.lines import Line, first_lines, lines, lowest
from wdccheck.engines.loop import Rng, bracket, cut_short, seed_sequence
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import InvalidInput, WorkersLost
from wdccheck.kinds import named
from wdccheck.linalg import cost
from wdccheck.linalg.inputs import alpha_value
from wdccheck.protocol.condition import Condition, Scaled, entries_of
from wdccheck.protocol.limit import Limit
from wdccheck.reports.closeness import CLOSED, meet
from wdccheck.reports.row import Row
from wdccheck.rounded_text import up
from wdccheck.running.progress import Event, Progress
from wdccheck.running.run import Engine, Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["Task", "alpha_file", "goal_of", "scaled_row"]

_FEW = 0.05  # of the time of a row at a given alpha: for lines that bound the minimum over alpha
_MEASURED, _WITNESSES = 0.25, 5  # of that time at most, to measure so many witnesses again
_AGAIN = 6  # further values of alpha, where the bracket at one closes before the minimum does
_ASKED = 3  # of these that ask for the ratio first: what refutes it at one alpha may be far from the highest
_FAR = 64.0  # a next alpha that is further away comes of lines that are too few

_ENDS = (KeyboardInterrupt, MemoryError, WorkersLost)


def goal_of(scale: float, eps: float | None, ratio: float | None) -> float | None:
    """The epsilon with which a condition of this scale is compared, exactly; None where nothing is asked."""
    return None if eps is None and ratio is None else Limit.of(scale, eps, ratio).eps


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked of a row, and the means; as of ``certify_condition``."""

    gap: float | None
    eps: float | None
    ratio: float | None
    time_limit: float | None
    workers: int
    rng: Rng
    shown: Progress
    checkpoint: str | os.PathLike[str] | None
    shared: bool = False  # whether others share the alpha of the row: then a ratio is compared there

    def bracket(self, condition: Condition, scale: float, decided: bool = False) -> Bracket:
        """A bracket by the default engines; by closed formulas alone where the question is `decided`."""
        goal = goal_of(scale, self.eps, self.ratio)
        proof = BranchAndBound(rtol=CLOSED) if self.gap is None else BranchAndBound(self.gap, 0.0)
        limited = self.time_limit is not None
        engines: tuple[Engine, ...] = default_engines(condition, proof, goal, limited)
        limit = None if self.time_limit is None else (
            self.time_limit - min(_measuring(condition), _MEASURED * self.time_limit))
        return bracket(condition, *(engines[:1] if decided else engines), rng=self.rng, workers=self.workers,
                       time_limit=limit, target=goal, checkpoint=self.checkpoint, progress=self.shown)

    def brief(self, condition: Condition) -> bool:
        """Whether the time left does not suffice to measure a few witnesses again."""
        if self.time_limit is None:
            return False
        return bool(cost.left_out("", _measuring(condition), time.monotonic() + self.time_limit))

    def refuted_by(self, known: Bracket) -> bool:
        """Whether a bracket ended as epsilon/alpha exceeds `ratio` there, which the minimum need not."""
        if self.ratio is None or self.shared:
            return False
        return known.verdict(ratio=self.ratio) is Verdict.VIOLATED

    def after(self, begun: float) -> Task:
        """The same with the time that is left of what began then."""
        if self.time_limit is None:
            return self
        return replace(self, time_limit=max(self.time_limit - (time.monotonic() - begun), 0.01))


def scaled_row(condition: Scaled, alpha: float | str, task: Task, above: Row | None) -> Row:
    """The row at `alpha`, or at the best one found.

    Where alpha is sought, the witness of the bracket there is one more line (Fact 4): while the bracket at
    one alpha closes and the minimum over alpha is still open, the lowest point of all lines is the next.
    """
    begun = time.monotonic()
    try:
        condition, found, chosen = _scale(condition, alpha, task)
        decided = _decided(condition, task, chosen, above)
        known = task.after(begun).bracket(condition, condition.alpha, decided)
    except _ENDS as error:
        task.shown.close()
        return _closed_formulas(condition, alpha, task.rng, above, error)
    refuted = task.refuted_by(known)
    brief = task.after(begun).brief(condition)
    row, found = _better(None, condition, known, found, above, chosen, brief)
    for number in range(_AGAIN if chosen is not None else 0):
        left = replace(task.after(begun), checkpoint=None)  # the file is of the first alpha
        again = _next(condition, row, found, left, refuted)
        if again is None:
            break
        if again.alpha == condition.alpha or number >= _ASKED:
            left = replace(left, ratio=None)
        try:
            condition, known = again, left.bracket(again, again.alpha)
        except _ENDS as error:
            return replace(row, bracket=cut_short(row.bracket, error))
        row, found = _better(row, condition, known, found, above, chosen, task.after(begun).brief(condition))
        refuted = left.refuted_by(known)
        if known.cut_short:  # also where the row keeps the bracket before it
            return replace(row, bracket=replace(row.bracket, stopped=known.stopped))
    return _answered(row, task)


def _measuring(condition: Condition) -> float:
    """Seconds for the witnesses that bound the minimum over alpha; none where there is no alpha."""
    return _WITNESSES * cost.evaluation(entries_of(condition)) if isinstance(condition, Scaled) else 0.0


def _answered(row: Row, task: Task) -> Row:
    """The row with the reason why its search is over where that is the ratio that was asked for."""
    if task.ratio is None:
        return row
    over = row.scope == "best" and not task.shared
    verdict = row.verdict(task.ratio) if over else row.bracket.verdict(ratio=task.ratio)
    if verdict is Verdict.UNDECIDED:
        return row
    asked = row.asks(task.ratio) if over else str(Limit(task.ratio, row.alpha))
    answer = Stop(Reason.TARGET, f"whether {asked} is decided")
    stopped = {side: answer if stop.reason in (Reason.CAP_ONLY, Reason.TARGET) else stop
               for side, stop in row.bracket.stopped.items()}
    return replace(row, bracket=replace(row.bracket, stopped=stopped))


def _next(
    condition: Scaled, row: Row, found: Sequence[Line], task: Task, refuted: bool
) -> Scaled | None:
    """The condition where all lines are lowest; None where that is no news, or the row is done.

    Where the last bracket ended as it had `refuted` a ratio at its alpha, which says nothing of the minimum
    that is compared, it need not be closed, and the same condition comes again where its lines are lowest.
    """
    over = task.time_limit is not None and task.time_limit < 1
    if over or task.eps is not None or row.settled or row.bracket.cut_short:
        return None
    if task.ratio is not None:
        compared = row.bracket.verdict(ratio=task.ratio) if task.shared else row.verdict(task.ratio)
        if compared is not Verdict.UNDECIDED:
            return None
    if not refuted and not meet(row.ratio_lower, row.ratio_upper):
        return None
    at = lowest(found, condition.vacuous)
    if at.vacuous or not (0 < at.beta < math.inf and 0 < 1 / at.beta < math.inf):
        return None
    alpha = float(up(1 / at.beta, 6))
    near = condition.alpha / _FAR <= alpha <= condition.alpha * _FAR
    if alpha == condition.alpha or not near:
        return condition if refuted else None
    return condition.with_alpha(alpha)


def _scale(
    condition: Scaled, alpha: float | str, task: Task
) -> tuple[Scaled, Sequence[Line], Calibration | None]:
    """The condition at its alpha, lines, and how alpha was found unless it was given."""
    if alpha != "best":
        condition = condition.with_alpha(alpha_value(alpha))
        limit = math.inf if task.time_limit is None else time.monotonic() + _FEW * task.time_limit
        return condition, first_lines(condition, Run(seed_sequence(task.rng), deadline=limit), 0), None
    task.shown.update(Event("calibration of alpha", 0.0, math.inf, 0, None, "rounds", 0.0))
    condition, chosen, _ = calibrated(
        condition, task.time_limit, lambda scaled, limit: kept_calibration(
            scaled, alpha_file(task.checkpoint), limit, task.workers, task.rng))
    return condition, chosen.lines, chosen


def _decided(condition: Scaled, task: Task, chosen: Calibration | None, above: Row | None) -> bool:
    """Whether closed formulas, a calibration or the dominating row decide the question already."""
    goal = goal_of(condition.alpha, task.eps, task.ratio)
    if goal is None:
        return False
    if above is not None and dominance.upper_at(above.bracket, condition.alpha) <= goal:
        return True
    if chosen is None or task.ratio is None:  # the question is of this alpha
        return False
    if task.shared:
        return chosen.lower > task.ratio
    others = condition.vacuous if above is None or above.least is None else above.least.upper
    return task.ratio >= min(others, condition.vacuous) or chosen.lower > task.ratio


def _better(
    before: Row | None, condition: Scaled, known: Bracket, found: Sequence[Line], above: Row | None,
    chosen: Calibration | None, brief: bool = False,
) -> tuple[Row, Sequence[Line]]:
    """The row of a bracket, or the one before it if that is lower, with all that bounds the minimum.

    `brief`: by lines that are measured already.
    """
    others = [] if before is None or before.least is None else [(before.least.upper, before.least.upper_by)]
    if above is not None:
        known = dominance.bounded(known, above.bracket)
        if above.least is not None:
            others.append((above.least.upper, f"{above.name}, at the same alpha (Fact 12)"))
    try:
        if known.witness is not None and not brief:
            found = [*found, *lines(condition, [known.witness])]
        least = least_ratio(condition, known, found, others, brief)
        # found at another alpha, they may be the highest at this one
        for point in () if brief else least.witnesses:
            if (value := condition.lower_bound(point)) > known.lower:
                own = raised(Bracket(known.condition), condition, point, value, "a witness of the minimum")
                known = brackets.merge(known, own)
    except _ENDS as error:
        known, least = cut_short(known, error), LeastRatio(0.0, *least_upper(known, others))
    if chosen is None:
        return Row(known, least), found
    if before is not None and before.ratio_upper <= Row(known).ratio_upper:
        return replace(before, least=least), found
    row = Row(known, least, scope="best")
    if row.empty:
        return row, found
    critical = named(row.kind).critical
    proved = row.vacuous and row.ratio_upper <= critical
    if proved:
        note = f"for which {critical} is proved"
    elif row.ratio_lower > least.upper:
        note = "tried for the minimum, which is proved to be elsewhere"
    else:
        note = "chosen to minimize eps/alpha" if chosen.lines else "no better one was found"
    return replace(row, note=note), found


def _closed_formulas(
    condition: Scaled, alpha: float | str, rng: Rng, above: Row | None, error: BaseException
) -> Row:
    """The row that was cut short before its search: at the alpha given, or the one that a trace suggests."""
    scale = condition.natural_alpha() if alpha == "best" else alpha_value(alpha)
    condition = condition.with_alpha(scale if math.isfinite(scale) and scale > 0 else 1.0)
    row, _ = _better(None, condition, bracket(condition, Spectral(), rng=rng), (), above, None)
    row = replace(row, bracket=cut_short(row.bracket, error, "before the search; closed formulas only"))
    return replace(row, note="the one that a trace suggests", scope="best") if alpha == "best" else row


def alpha_file(checkpoint: str | os.PathLike[str] | None) -> Path | None:
    """The file of what is known about alpha, beside a checkpoint."""
    try:
        return None if checkpoint is None else Path(checkpoint).with_suffix(".alpha.json")
    except (TypeError, ValueError):
        raise InvalidInput("checkpoint", "the name of a file", repr(checkpoint)[:60]) from None
