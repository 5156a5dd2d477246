"""How one cell of a study is computed and kept."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wdccheck import result_files
from wdccheck.brackets import Bracket
from wdccheck.engines.ascent import Ascent
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.calibration import calibrated, calibration
from wdccheck.engines.loop import bracket, recalled
from wdccheck.engines.monte_carlo import MonteCarlo
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import InvalidInput
from wdccheck.linalg.inputs import count_value
from wdccheck.protocol.condition import Scaled
from wdccheck.running.run import Engine
from wdccheck.studies.designs import Cell
from wdccheck.version import VERSION, made_by

__all__ = ["COLUMNS", "Plan", "failed", "measured"]

COLUMNS = (
    "condition", "distribution", "k", "n", "depth", "hidden", "m", "l", "alpha", "calibrated", "repetition",
    "seed", "lower", "upper", "lower_by", "upper_by", "lower_reason", "upper_reason", "work", "seconds",
    "version", "error",
)
"""The columns of a study, one row per cell."""
INTEGERS = ("k", "n", "depth", "hidden", "m", "l", "repetition", "seed")
"""Those of integers."""
_STARTS = 1000  # nodes of a budget for each start of the ascent, and for each block that seeks alpha
_BLOCKS = 8  # at least, which is one round of the ascent


@dataclass(frozen=True)
class Plan:
    """What the cells of a sweep share."""

    engines: tuple[Engine, ...]
    time_limit: float | None
    root: int
    folder: Path | None
    blocks: int | None = None

    @staticmethod
    def of(gap: float, rtol: float, budget: int | None, time_limit: float | None, rng: int,
           out: str | os.PathLike[str] | None) -> Plan:
        """Arguments of a sweep, checked."""
        if budget is not None:
            budget = count_value("budget", budget)
        if time_limit is not None and not (isinstance(time_limit, int | float) and 0 < time_limit < math.inf):
            raise InvalidInput("time_limit", "a number of seconds > 0", repr(time_limit)[:60])
        if isinstance(rng, bool) or not isinstance(rng, int) or rng < 0:
            raise InvalidInput("rng", "an integer >= 0", repr(rng)[:60])
        proof = BranchAndBound(gap=gap, rtol=rtol, nodes=budget)
        climb = Ascent() if budget is None else Ascent(starts=max(1, budget // _STARTS))
        return Plan((Spectral(), MonteCarlo(), climb, proof), time_limit, rng,
                    None if out is None else Path(out),
                    None if budget is None else max(_BLOCKS, budget // _STARTS))

    def open(self, cells: Sequence[Cell]) -> None:
        """Make the folder, or see that it holds this very design."""
        if self.folder is None:
            return
        file = self.folder / "design.json"
        design = {"seed": self.root, "engines": [repr(engine) for engine in self.engines],
                  "time_limit": self.time_limit, "cells": [cell.name for cell in cells]}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = {x.name for x in self.folder.iterdir() if not x.name.startswith(".")}
            if file.name not in names:
                if names:
                    raise InvalidInput("out", "a new folder, or one of an earlier sweep",
                                       f"{self.folder} with {min(names)} and no {file.name}")
                result_files.write(file, design, new=True)  # of two sweeps at once, one design stays
            (self.folder / "cells").mkdir(exist_ok=True)
        except OSError as error:
            raise InvalidInput("out", "a folder", f"{self.folder}: {error.strerror}") from None
        kept = result_files.read(file)
        for key, value in design.items():
            if kept.get(key) != value:
                raise InvalidInput(str(file), f"the design of this sweep ({key}: {_differs(value, kept)})",
                                   f"{key}: {_differs(kept.get(key), design)}")

    def path(self, cell: Cell) -> Path | None:
        """Where the cell is kept."""
        return None if self.folder is None else self.folder / "cells" / f"{cell.name}.json"

    def finished(self, cell: Cell) -> Mapping[str, Any] | None:
        """The row of a cell that has been computed before; one that failed is tried again."""
        path = self.path(cell)
        if path is None or not path.exists():
            return None
        data = result_files.read(path)
        row = data.get("row")
        wanted = _begun(cell, cell.seed(self.root))
        if not isinstance(row, dict) or set(row) != set(COLUMNS) or any(
                row[name] != value for name, value in wanted.items() if name != "alpha"):
            raise InvalidInput(str(path), f"the row of {cell.name}", "something else")
        if row["error"]:
            return None
        condition = cell.build(row["seed"])
        if cell.alpha == "best" and isinstance(condition, Scaled):
            condition = condition.with_alpha(row["alpha"])
        return {**row, **_outcome(recalled(condition, path))}


def measured(plan: Plan, cell: Cell) -> Mapping[str, Any] | None:
    """Compute a cell and keep it; None if it was interrupted."""
    begun, seed, path = time.monotonic(), cell.seed(plan.root), plan.path(cell)
    row = {**dict.fromkeys(COLUMNS), **_begun(cell, seed), "version": VERSION}
    known = None
    try:
        known = _bracketed(plan, cell, seed)
    except KeyboardInterrupt:
        return None
    except Exception as error:  # whatever it is, the other cells have nothing to do with it
        row["error"] = f"{type(error).__name__}: {error}"
    if known is not None:
        if known.interrupted:
            return None
        row.update(_outcome(known))
    row["seconds"] = round(time.monotonic() - begun, 3)
    if path is not None:
        upper = row["upper"]
        kept = {**row, "upper": None if upper is None else result_files.encode_float(upper)}
        data = {**made_by(), **({} if known is None else known.to_dict()), "row": kept}
        result_files.saved(partial(result_files.write, path, data), "the row stays in the table")
    return row


def failed(plan: Plan, cell: Cell, error: Exception) -> Mapping[str, Any]:
    """The row of a cell that was not computed."""
    return {**dict.fromkeys(COLUMNS), **_begun(cell, cell.seed(plan.root)), "version": VERSION,
            "error": f"{type(error).__name__}: {error}"}


def _begun(cell: Cell, seed: int) -> dict[str, Any]:
    """The columns of a cell that are known before it is computed; alpha as the design has it."""
    return {**asdict(cell), "calibrated": cell.alpha == "best", "seed": seed}


def _bracketed(plan: Plan, cell: Cell, seed: int) -> Bracket:
    condition, left = cell.build(seed), plan.time_limit
    if cell.alpha == "best" and isinstance(condition, Scaled):
        condition, _, left = calibrated(condition, left, lambda scaled, limit: calibration(
            scaled, smallest=False, time_limit=limit, rng=seed, blocks=plan.blocks))
    return bracket(condition, *plan.engines, rng=seed, time_limit=left)


def _outcome(known: Bracket) -> dict[str, Any]:
    """The columns of a bracket; the upper bound of a cell that failed is None, not infinite."""
    reasons = {f"{side}_reason": stop.reason.value for side, stop in known.stopped.items()}
    by = {f"{side}_by": re.sub(r"\b(\w+)\([^()]*=[^()]*\)$", r"\1", text)  # an engine without its parameters
          for side, text in (("lower", known.lower_by), ("upper", known.upper_by))}
    done = "; ".join(f"{work.engine.split('(')[0]} {work.work} {work.unit}" for work in known.engines)
    return {"alpha": known.alpha, "lower": known.lower, "upper": known.upper, **by, **reasons, "work": done}


def _differs(value: Any, other: Mapping[str, Any]) -> str:
    """`value`; of the names of cells, how many there are and one that the other design lacks."""
    if not isinstance(value, list) or "(" in str(value):
        return str(value)[:200]
    theirs = set(map(str, other.get("cells") or ()))
    mine = [name for name in value if name not in theirs]
    return f"{len(value)} cells" + (f", {mine[0]} among them" if mine else "")
