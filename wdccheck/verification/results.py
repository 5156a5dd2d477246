"""`verify`: a saved result is checked again, its witness by other code, its proof by a fresh run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck import checker, kinds, result_files
from wdccheck.brackets import Bracket, Work
from wdccheck.checker import Check
from wdccheck.conditions.built import build
from wdccheck.engines.loop import bracket
from wdccheck.engines.recorded import engine_from_repr
from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs
from wdccheck.linalg.matrices import from_parts
from wdccheck.protocol.condition import Condition
from wdccheck.reports.row import Row
from wdccheck.running.progress import Event, Progress
from wdccheck.verification.reports import Entry, Given, carried, stored_matrices, summary, whole

__all__ = ["Check", "verify"]

_REPRODUCED = 1e-9  # another BLAS may move a closed formula by its rounding


def verify(
    path: str | os.PathLike[str], *, weights: Any = None, measurements: Any = None, rerun: bool = True,
    workers: int = 1, progress: Progress | Callable[[Event], None] | bool | None = None,
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
        Also prove the upper bounds again, by a fresh run of the recorded engines with the
        recorded seed and work. Without it they are left unchecked, and no check says otherwise.
    workers : int
        Processes of the fresh runs; -1 for every core.
    progress : bool, callable or Progress, optional
        The display of the fresh runs.

    Returns
    -------
    tuple of Check
        ``passed`` is True, False (refuted, or not to be reproduced) or None (it could not be
        checked). The bound over every alpha that a report adds is not checked.

    Raises
    ------
    InvalidInput
        The file is no result.

    Examples
    --------
    >>> import os, tempfile, numpy as np, wdccheck as wc
    >>> path = os.path.join(tempfile.mkdtemp(), "eye.json")
    >>> wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).save(path)
    >>> [check.passed for check in wc.verify(path)]
    [True, True]
    """
    source, data = str(Path(path)), result_files.read(path)
    given = Given.of(weights, measurements, data)
    checks: list[Check] = []
    entries: list[Entry] = []
    for name, found, row in _entries(data, source):
        known = Bracket.from_dict(found, f"{source}: {name}" if name else source)
        if kinds.known(known.condition["kind"]) and kinds.named(known.condition["kind"]).scaled:
            inputs.alpha_value(known.alpha)
        entry = Entry(given.supplied(known), row or {})
        own = [checker.reevaluate(entry.known.to_dict())]
        if rerun and own[0].passed is not False:
            proof = carried(entry, entries) or _recompute(entry.known, workers, progress)
            entry, own = replace(entry, proof=proof), [*own, proof]
        if row is not None:
            own.append(summary(known, row, data))
        entries.append(entry)
        checks += [replace(check, what=f"{name}: {check.what}" if name else check.what) for check in own]
    return tuple(checks if "rows" not in data else [*checks, whole(entries, data, given)])


def _entries(
    data: Mapping[str, Any], source: str
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Name, bracket and summary of every result in the file; a single bracket has no summary."""
    if "rows" not in data:
        return [("", data, None)]
    try:
        return [(Row(Bracket(row["bracket"]["condition"]), of=str(row["of"])).name, row["bracket"], row)
                for row in data["rows"]]
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InvalidInput(source, "rows as written by certify", "malformed ones") from None


def _recompute(
    known: Bracket, workers: int, progress: Progress | Callable[[Event], None] | bool | None,
) -> Check:
    what = "upper bound"
    if not np.isfinite(known.upper):
        return Check(what, True, "none is claimed")
    condition = _condition(known)
    if condition is None:
        return Check(what, None, "it could not be recomputed without the weights")
    engines = [_with_budget(work) for work in known.engines]
    if not engines:
        return Check(what, None, "no engines are recorded")
    claimed = known.upper * (1 + _REPRODUCED)
    fresh = bracket(condition, *engines, rng=known.engines[0].seed, workers=workers, target=claimed,
                    progress=progress)
    detail = (f"a fresh run of {', '.join(map(repr, engines))} proves {float(fresh.upper)!r}, "
              f"recorded {known.upper!r}")
    if fresh.lower > known.upper:
        detail += f"; it found a deviation of {fresh.lower!r}"
    elif fresh.cut_short and fresh.upper > claimed:
        return Check(what, None, f"{detail}; that run was cut short")
    return Check(what, bool(fresh.upper <= claimed), detail, float(fresh.upper))


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
    return replace(engine, **{work.unit: 2 * work.work + 10_000 if work.unit == "nodes" else work.work})
