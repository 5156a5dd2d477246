"""`verify`: a saved result is checked again, its witness by other code, its proof by a fresh run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from wdccheck import checker, kinds, result_files
from wdccheck.brackets import Bracket, Work
from wdccheck.checker import Check, Outcome
from wdccheck.conditions.built import build
from wdccheck.engines.loop import LOST, bracket
from wdccheck.engines.recorded import engine_from_repr
from wdccheck.linalg import inputs
from wdccheck.linalg.matrices import from_parts
from wdccheck.protocol.condition import Condition
from wdccheck.reports.isometry import Isometry
from wdccheck.reports.row import Row
from wdccheck.result_files import schema
from wdccheck.running.progress import Event, Progress
from wdccheck.verification.derived import carried, least_bounds
from wdccheck.verification.reports import Entry, Given, stored_matrices, summary, unchecked, whole

__all__ = ["Check", "Outcome", "verify"]

_KEPT = ("kind", "alpha", "shape", "sha256", "options")  # what the weights and alpha say of a condition


def verify(
    path: str | os.PathLike[str], *, weights: Any = None, measurements: Any = None, rerun: bool = True,
    workers: int = 1, time_limit: float | None = None,
    progress: Progress | Callable[[Event], None] | bool | None = None,
) -> tuple[Check, ...]:
    """Check the file of a bracket or of a report.

    Parameters
    ----------
    path : path
        What :meth:`Bracket.save` or :meth:`Report.save` wrote.
    weights : ReLUNetwork, matrix, list of matrices, or list of ReLUNetwork, optional
        The layers, or the networks of a pair; needed where they are too large to be stored in the file.
    measurements : array_like of shape (m, n), optional
        A, where it is too large to be stored. One that a report drew is drawn again. The witness of a
        sparse A or of a LinearOperator cannot be checked independently.
    rerun : bool
        Also prove the upper bounds again: a fresh run of the recorded engines, with the recorded seed
        and work, has to prove the very number that is recorded. Without it they are "recorded".
    workers : int
        Processes of the fresh runs; -1 for every core.
    time_limit : float, optional
        Seconds, shared by the fresh runs. What they do not prove in this time is "not proved".
    progress : bool, callable or Progress, optional
        The display of the fresh runs.

    Returns
    -------
    tuple of Check
        `outcome` is "proved", "refuted", "not proved" or "recorded". An upper bound is refuted only by a
        larger deviation. The last check lists what is not looked at; it does not count.

    Raises
    ------
    InvalidInput
        The file is no result, or an argument is unusable.

    Examples
    --------
    >>> import os, tempfile, numpy as np, wdccheck as wc
    >>> path = os.path.join(tempfile.mkdtemp(), "eye.json")
    >>> wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).save(path)
    >>> [(check.what, str(check.outcome)) for check in wc.verify(path) if check.counts]
    [('lower bound', 'proved'), ('upper bound', 'proved')]
    """
    source, data = str(Path(path)), result_files.read(path)
    if "rows" in data:
        schema.check_report(data, source)
    given = Given.of(weights, measurements, data)
    found = _entries(data)
    again = _Again(rerun, workers, _deadline(time_limit), progress)
    checks: list[Check] = []
    entries: list[Entry] = []
    for i, (name, stored, row) in enumerate(found):
        known = Bracket.from_dict(stored, f"{source}: {name}" if name else source)
        if kinds.known(known.condition["kind"]) and kinds.named(known.condition["kind"]).scaled:
            inputs.alpha_value(known.alpha)
        entry = Entry(given.supplied(known), row or {}, (data if row is None else row).get("least"))
        lower, upper, again = _bounds(entry, entries, again, len(found) - i)
        entry = replace(entry, proof=upper)
        least = least_bounds(entry, lower, entries)
        entries.append(replace(entry, least_proved=bool(least) and least[1].outcome is Outcome.PROVED))
        own = [lower, upper, *least, *_other_condition(entry.known, lower)]
        own += [] if row is None else [summary(row, data)]
        beside, again = _beside(data if row is None else row, given, again, len(found) - i, source)
        own += beside
        checks += [replace(check, what=f"{name}: {check.what}" if name else check.what) for check in own]
    return (*checks, *([whole(entries, data, given)] if "rows" in data else []), unchecked(data))


def _beside(
    holder: Mapping[str, Any], given: Given, again: _Again, left: int, source: str
) -> tuple[list[Check], _Again]:
    """The isometry constants beside a result: both bounds of both, and that their numbers are these."""
    checks: list[Check] = []
    for side, stored in holder.get("isometry", {}).items():
        known = given.supplied(Bracket.from_dict(stored["bracket"], f"{source}: isometry, {side}"))
        lower, upper, again = _bounds(Entry(known, {}), [], again, left)
        own = [lower, upper, *_other_condition(known, lower)]
        checks += [replace(check, what=f"isometry, {side}: {check.what}") for check in own]
    if checks:
        same = Isometry.from_dict(holder["isometry"]).to_dict() == holder["isometry"]
        checks.append(Check("isometry", Outcome.PROVED if same else Outcome.REFUTED,
                            "derived from the brackets again" if same else "not that of the brackets"))
    return checks, again


@dataclass(frozen=True)
class _Again:
    """Whether and how upper bounds are proved again; `over` says why no more are."""

    wanted: bool
    workers: int
    deadline: float
    progress: Progress | Callable[[Event], None] | bool | None
    over: str = ""


def _deadline(time_limit: float | None) -> float:
    if time_limit is None:
        return math.inf
    return time.monotonic() + inputs.positive("time_limit", time_limit)


def _bounds(
    entry: Entry, before: list[Entry], again: _Again, left: int
) -> tuple[Check, Check, _Again]:
    """Both bounds of one bracket, and whether more runs may follow; an interruption refutes nothing."""
    lower, upper = (Check(f"{side} bound", Outcome.NOT_PROVED, again.over or "interrupted")
                    for side in ("lower", "upper"))
    if again.over == _INTERRUPTED:
        return lower, upper, again
    try:
        lower = checker.reevaluate(entry.known.to_dict())
        upper = _upper(entry, lower, before, again, left)
    except KeyboardInterrupt:
        again = replace(again, over=_INTERRUPTED)
    except MemoryError:
        upper = replace(upper, detail="out of memory")
    return lower, upper, again


_INTERRUPTED = "interrupted"


def _upper(entry: Entry, lower: Check, before: list[Entry], again: _Again, left: int) -> Check:
    """The upper bound: against the witness of the file, from a row that dominates, or by a fresh run."""
    what, known = "upper bound", entry.known
    if not math.isfinite(known.upper):
        return Check(what, Outcome.PROVED, "none is claimed")
    if lower.value is not None and lower.value > known.upper:
        return Check(what, Outcome.REFUTED, f"the deviation at the witness is at least {lower.value!r}, "
                     f"recorded {known.upper!r}", lower.value)
    if not again.wanted:
        return Check(what, Outcome.RECORDED, f"{known.upper!r}; no fresh run was asked for")
    if lower.outcome is Outcome.REFUTED:
        return Check(what, Outcome.NOT_PROVED, "no fresh run, as the lower bound is refuted")
    above = carried(entry, before)
    return _recompute(known, again, left) if above is None else above


def _other_condition(known: Bracket, lower: Check) -> list[Check]:
    """Whether what a file says of its condition is what the weights say; nothing where it is."""
    condition = None if lower.outcome is Outcome.REFUTED else _condition(known)
    wrong = [] if condition is None else _contradictions(known, condition)
    detail = f"not those of the weights: {', '.join(wrong)}"
    return [Check("condition", Outcome.REFUTED, detail)] if wrong else []


def _contradictions(known: Bracket, condition: Condition) -> list[str]:
    """What a file says of `condition`, made from its weights, that is not so."""
    described, letters = condition.describe(), {x for block in condition.spheres for x in block}
    wrong = [key for key in _KEPT if known.condition.get(key, ...) != described[key]]
    return wrong + ["letters of the witness"] * (known.witness is not None and set(known.witness) != letters)


def _entries(data: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Name, bracket and summary of every result in the file; a single bracket has no summary."""
    if "rows" not in data:
        return [("", data, None)]
    return [(Row(Bracket(row["bracket"]["condition"]), of=row["of"]).name, row["bracket"], row)
            for row in data["rows"]]


def _recompute(known: Bracket, again: _Again, left: int) -> Check:
    """A fresh run that has to prove the recorded number; `left`: how many runs share the time."""
    what = "upper bound"
    condition = _condition(known)
    if condition is None:
        return Check(what, Outcome.NOT_PROVED, "it cannot be proved without the weights")
    if _contradictions(known, condition):
        return Check(what, Outcome.NOT_PROVED, "no fresh run, as the file contradicts itself")
    engines = [_with_budget(work) for work in known.engines]
    if not engines:
        return Check(what, Outcome.NOT_PROVED, "no engines are recorded")
    seconds = (again.deadline - time.monotonic()) / left
    if seconds <= 0:
        return Check(what, Outcome.NOT_PROVED, "the time was up")
    fresh = bracket(condition, *engines, rng=known.engines[0].seed, workers=again.workers,
                    target=known.upper, time_limit=None if math.isinf(seconds) else seconds,
                    progress=again.progress)
    by = f"a fresh run of {', '.join(map(repr, engines))}"
    if fresh.lower > known.upper:
        return Check(what, Outcome.REFUTED, f"{by} finds a deviation of {fresh.lower!r}, "
                     f"recorded {known.upper!r}", fresh.upper)
    if fresh.upper <= known.upper:
        return Check(what, Outcome.PROVED, f"{by} proves {fresh.upper!r}, recorded {known.upper!r}",
                     fresh.upper)
    if fresh.interrupted and not fresh.stopped["upper"].detail.startswith(LOST):
        raise KeyboardInterrupt
    return Check(what, Outcome.NOT_PROVED, f"{by} proves {fresh.upper!r} only, recorded {known.upper!r}; "
                 f"it ended by {fresh.stopped.get('upper', 'its end')}", fresh.upper)


def _condition(known: Bracket) -> Condition | None:
    """What was bounded; None where its weights are not at hand."""
    name, data = str(known.condition["kind"]), known.to_dict()
    if not kinds.known(name):
        return None
    kind, matrices = kinds.named(name), stored_matrices(known)
    if kind.needs == ("layer",) and (sparse := checker.stored_sparse(data)) is not None:
        matrices = [from_parts(sparse.shape, sparse.data, sparse.indices, sparse.indptr)]
    A = checker.stored_measurements(known.condition.get("measurements")) if kind.measured else None
    if not matrices or (kind.measured and A is None):
        return None
    alpha = inputs.alpha_value(known.alpha) if kind.scaled else 1.0
    return build(name, matrices, alpha=alpha, measurements=A, layer=1)  # a layer: no advice on its shape


def _with_budget(work: Work) -> Any:
    """The engine with the work it did as its budget.

    Regions are visited in another order when the bound to prove is known beforehand, hence twice
    the nodes and some.
    """
    engine = engine_from_repr(work.engine)
    if work.work < 1 or work.unit not in {f.name for f in fields(engine)}:
        return engine
    again = min(2 * work.work + 10_000, max(work.work, inputs.MOST)) if work.unit == "nodes" else work.work
    return replace(engine, **{work.unit: again})  # which refuses what no run can have done
