"""`verify`: a saved result is checked again, its witness by other code, its proof by a fresh run."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck import arrays, certificate, checker, thresholds
from wdccheck.brackets import Bracket, Work
from wdccheck.checker import Check
from wdccheck.conditions.condition import Condition
from wdccheck.conditions.joint_wdc import JointWDC
from wdccheck.conditions.r2wdc import R2WDC
from wdccheck.conditions.rric import RRIC
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
    layers: list[tuple[Bracket, np.ndarray | None]] = []
    for name, entry, row in _entries(data, source):
        known = Bracket.from_dict(entry, f"{source}: {name}" if name else source)
        if known.condition["kind"] in ("WDC", "joint-WDC"):
            arrays.alpha_value(known.alpha)
        W = _find(matrices, str(known.condition["sha256"]))
        found = [checker.reevaluate(known.to_dict(), W)]
        if rerun and found[0].passed is not False:
            found.append(_recompute(known, W, workers, progress))
        if row is not None:
            found.append(_summary(known, row, data))
            layers.append((known, checker.stored_weights(known.to_dict()) if W is None else W))
        checks += [replace(check, what=f"{name}: {check.what}" if name else check.what) for check in found]
    return tuple(checks if "rows" not in data else [*checks, _whole(layers, data)])


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


def _whole(layers: list[tuple[Bracket, np.ndarray | None]], data: Mapping[str, Any]) -> Check:
    """Whether the rows are the layers of the network that the report names, none left out."""
    try:
        dims, sha256, interrupted = data["network"]["dims"], data["network"]["sha256"], data["interrupted"]
        shapes = [[n, k] for k, n in pairwise(dims)]
        threshold = thresholds.explicit(len(shapes))
        wrong = [] if data["threshold"] == threshold else [f"threshold is {threshold!r}"]
    except (TypeError, KeyError):
        return Check("network", False, "the report is malformed")
    found = [list(known.condition["shape"] if W is None else W.shape) for known, W in layers]
    if not found or found != shapes[:len(found)] or (interrupted is not True and len(found) < len(shapes)):
        wrong.append(f"rows of shapes {found} are not the layers of dims {dims}")
    if [known.condition.get("layer") for known, _ in layers] != list(range(1, len(layers) + 1)):
        wrong.append("layers are not numbered from 1")
    given = [W for _, W in layers if W is not None]
    if len(given) == len(shapes) and arrays.hash_arrays(given) != sha256:
        wrong.append("the sha256 of the weights is not the one recorded")
    return Check("network", not wrong, "; ".join(wrong) or f"{len(found)} of {len(shapes)} layers, in order")


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
    condition = _condition(known, W)
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
    return Check(what, bool(fresh.upper <= claimed), detail, float(fresh.upper))


def _condition(known: Bracket, W: np.ndarray | None) -> Condition | None:
    """What was bounded; None where its weights are not at hand."""
    kind, data = known.condition["kind"], known.to_dict()
    if kind in ("R2WDC", "RRIC"):
        stored = [checker.stored_matrix(entry) for entry in known.condition.get("network") or ()]
        layers = [layer for layer in stored if layer is not None]
        if not layers or len(layers) < len(stored):
            return None
        if kind == "R2WDC":
            return R2WDC(ReLUNetwork(tuple(layers)), len(layers), arrays.alpha_value(known.alpha))
        A = checker.stored_matrix(known.condition.get("measurements"))
        return None if A is None else RRIC(A, ReLUNetwork(tuple(layers)))
    alpha = arrays.alpha_value(known.alpha)
    if kind == "joint-WDC":
        pair = checker.stored_pair(data)
        return None if pair is None else JointWDC(*pair, alpha)
    W = checker.stored_weights(data) if W is None else W
    if W is None or kind != "WDC":
        return None
    return WDC(W, alpha, layer=1)  # a layer: no advice on its shape


def _with_budget(work: Work) -> Any:
    """The engine with the work it did as its budget.

    Regions are visited in another order when the bound to prove is known beforehand, hence twice
    the nodes and some.
    """
    engine = engine_from_repr(work.engine)
    if work.work < 1 or work.unit not in {f.name for f in fields(engine)}:
        return engine
    return replace(engine, **{work.unit: 2 * work.work + 10_000 if work.unit == "nodes" else work.work})
