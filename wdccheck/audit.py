"""`verify`: a saved result is checked again, its witness by other code, its proof by a fresh run."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck import arrays, certificate, checker, thresholds
from wdccheck.brackets import Bracket, Work
from wdccheck.checker import Check
from wdccheck.conditions.wdc import WDC
from wdccheck.errors import InvalidInput
from wdccheck.lower.ascent import Ascent
from wdccheck.lower.monte_carlo import MonteCarlo
from wdccheck.network import ReLUNetwork
from wdccheck.progress import Event, Progress
from wdccheck.rows import Row
from wdccheck.solve import bracket
from wdccheck.spectral import Spectral
from wdccheck.upper.branch_and_bound import BranchAndBound

__all__ = ["Check", "engine_from_repr", "verify"]

_ENGINES = {engine.__name__: engine for engine in (MonteCarlo, Ascent, Spectral, BranchAndBound)}
_REPRODUCED = 1e-9  # another BLAS may move a closed formula by its rounding


def verify(
    path: str | os.PathLike[str], *, weights: Any = None, rerun: bool = True, workers: int = 1,
    progress: Progress | Callable[[Event], None] | bool | None = None,
) -> tuple[Check, ...]:
    """Check the file of a bracket or of a report.

    Parameters
    ----------
    path : path
        What :meth:`Bracket.save` or :meth:`Report.save` wrote.
    weights : ReLUNetwork, matrix or list of matrices, optional
        The layers; needed where the file is of a layer too large to be stored in it.
    rerun : bool
        Also prove the upper bounds again, by a fresh run of the recorded engines with the
        recorded seed and work. Without it they are left unchecked, and no check says otherwise.
    workers : int
        Processes of the fresh runs; -1 for every core.
    progress : bool, callable or Progress, optional
        Of the fresh runs.

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
    source, data = str(Path(path)), certificate.read(path)
    matrices = _matrices(weights)
    checks: list[Check] = []
    for name, entry, row in _entries(data, source):
        known = Bracket.from_dict(entry, f"{source}: {name}" if name else source)
        if known.condition["kind"] == "WDC":
            arrays.alpha_value(known.alpha)
        W = _find(matrices, str(known.condition["sha256"]))
        found = [checker.reevaluate(known.to_dict(), W)]
        if rerun and found[0].passed is not False:
            found.append(_recompute(known, W, workers, progress))
        if row is not None:
            found.append(_summary(known, row, data))
        checks += [replace(check, what=f"{name}: {check.what}" if name else check.what) for check in found]
    return tuple(checks)


def engine_from_repr(text: str) -> Any:
    """The engine whose repr is `text`: a known name with literal keyword arguments, never evaluated.

    Raises
    ------
    InvalidInput
        Anything else.

    Examples
    --------
    >>> from wdccheck.audit import engine_from_repr
    >>> engine_from_repr("MonteCarlo(samples=10)")
    MonteCarlo(samples=10)
    """
    refused = InvalidInput("engine", "the repr of " + ", ".join(sorted(_ENGINES)), repr(text)[:80])
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args):
            raise refused
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        return _ENGINES[call.func.id](**arguments)
    except (SyntaxError, ValueError, TypeError, KeyError, MemoryError, RecursionError):
        raise refused from None


def _entries(
    data: Mapping[str, Any], source: str
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Name, bracket and summary of every result in the file; a single bracket has no summary."""
    if "rows" not in data:
        return [("", data, None)]
    try:
        return [(f"layer {int(row['layer'])}", row["bracket"], row) for row in data["rows"]]
    except (TypeError, KeyError, ValueError):
        raise InvalidInput(source, "rows as written by certify", "malformed ones") from None


def _summary(known: Bracket, row: Mapping[str, Any], data: Mapping[str, Any]) -> Check:
    """Whether the numbers of a row are those of its bracket."""
    try:
        threshold = thresholds.explicit(len(data["network"]["dims"]) - 1)
        derived = Row(known).to_dict(threshold)
    except (TypeError, KeyError, ValueError):
        return Check("summary", False, "the report is malformed")
    wrong = [key for key, value in derived.items()
             if key not in ("ratio_lower_any_alpha", "vacuous") and row.get(key) != value]
    return Check("summary", not wrong, f"not those of the bracket: {', '.join(wrong)}" if wrong else
                 "derived from the bracket again")


def _matrices(weights: Any) -> list[np.ndarray] | None:
    if weights is None:
        return None
    if isinstance(weights, ReLUNetwork):
        return list(weights.layers)
    if isinstance(weights, list | tuple):
        if not weights:
            raise InvalidInput("weights", "at least one matrix", "none")
        return [arrays.weights(f"weights[{i}]", W) for i, W in enumerate(weights)]
    return [arrays.weights("weights", weights)]


def _find(matrices: list[np.ndarray] | None, sha256: str) -> np.ndarray | None:
    """The given layer that the result is of; any other one if none is, for the checker to refuse."""
    if matrices is None:
        return None
    return next((W for W in matrices if checker.sha256_of(W) == sha256), matrices[0])


def _recompute(
    known: Bracket, W: np.ndarray | None, workers: int,
    progress: Progress | Callable[[Event], None] | bool | None,
) -> Check:
    what = "upper bound"
    if not np.isfinite(known.upper):
        return Check(what, True, "none is claimed")
    if (kind := known.condition["kind"]) != "WDC":
        return Check(what, None, f"nothing here recomputes one of the {kind}")
    W = checker.stored_weights(known.to_dict()) if W is None else W
    if W is None:
        return Check(what, None, "it could not be recomputed without the weights")
    engines = [_with_budget(work) for work in known.engines]
    if not engines:
        return Check(what, None, "no engines are recorded")
    condition = WDC(W, arrays.alpha_value(known.alpha), layer=1)  # a layer: no advice on its shape
    claimed = known.upper * (1 + _REPRODUCED)
    fresh = bracket(condition, *engines, rng=known.engines[0].seed, workers=workers, target=claimed,
                    progress=progress)
    detail = (f"a fresh run of {', '.join(map(repr, engines))} proves {float(fresh.upper)!r}, "
              f"recorded {known.upper!r}")
    if fresh.lower > known.upper:
        detail += f"; it found a deviation of {fresh.lower!r}"
    return Check(what, bool(fresh.upper <= claimed), detail, float(fresh.upper))


def _with_budget(work: Work) -> Any:
    """The engine with the work it did as its budget.

    Regions are visited in another order when the bound to prove is known beforehand, hence twice
    the nodes and some.
    """
    engine = engine_from_repr(work.engine)
    if work.work < 1 or work.unit not in {f.name for f in fields(engine)}:
        return engine
    return replace(engine, **{work.unit: 2 * work.work + 10_000 if work.unit == "nodes" else work.work})
