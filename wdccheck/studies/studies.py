"""`sweep` brackets every cell of a design; a `Study` is the table of what was found."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wdccheck import result_files
from wdccheck.certification.of_condition import Shown
from wdccheck.errors import InvalidInput, WorkersLost
from wdccheck.kinds import KINDS
from wdccheck.reports.pandas_frame import frame
from wdccheck.running import parallel
from wdccheck.running.progress import Bar, Event, resolve
from wdccheck.studies.designs import Cell, product
from wdccheck.studies.plan import COLUMNS, INTEGERS, Plan, failed, measured

__all__ = ["COLUMNS", "Study", "sweep"]


@dataclass(frozen=True, eq=False)
class Study:
    """The table of a sweep, tidy: one mapping from ``COLUMNS`` to values per cell.

    `lower` and `upper` are proved bounds of epsilon (not of epsilon/alpha), None in a cell that
    failed, whose `error` says why. Of a study that was `interrupted`, the rows are those finished by then.

    Examples
    --------
    >>> import wdccheck as wc
    >>> study = wc.sweep(k=1, n=[4, 8], budget=100)
    >>> [row["n"] for row in study.rows]
    [4, 8]
    """

    rows: tuple[Mapping[str, Any], ...]
    interrupted: bool = False

    @property
    def failed(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of cells that failed."""
        return tuple(row for row in self.rows if row["error"])

    def to_csv(self) -> str:
        """The table as CSV; floats read back exactly, None is empty."""
        stream = io.StringIO()
        table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows({name: row[name] for name in COLUMNS} for row in self.rows)
        return stream.getvalue()

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame.

        Raises
        ------
        InvalidInput
            pandas is not installed.
        """
        return frame(self.rows, COLUMNS).convert_dtypes()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table, as Parquet if the name ends so and as CSV otherwise, atomically."""
        target = Path(path)
        if target.suffix == ".parquet":
            data = io.BytesIO()
            self.to_frame().to_parquet(data)
            result_files.write_bytes(target, data.getvalue())
        else:
            result_files.write_bytes(target, self.to_csv().encode())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Study:
        """Read a table that :meth:`save` has written as CSV.

        Raises
        ------
        InvalidInput
            Not such a file.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            table = csv.DictReader(io.StringIO(text), strict=True)
            if not set(COLUMNS) <= set(table.fieldnames or ()):
                missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
                raise InvalidInput(str(path), f"the columns {', '.join(missing)}", "a table without them")
            rows = tuple({name: _decoded(name, row[name]) for name in COLUMNS} for row in table)
        except OSError as error:
            raise InvalidInput(str(path), "a readable file", error.strerror or "none") from None
        except (ValueError, TypeError, csv.Error) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(str(path), "a table as written by a sweep", str(error)[:100]) from None
        for row in rows:
            lower, upper = row["lower"], row["upper"]
            if (lower is None) != (upper is None) or not 0 <= (lower or 0.0) <= (upper or 0.0):
                raise InvalidInput(str(path), "0 <= lower <= upper in every row, or neither",
                                   f"{lower!r} and {upper!r}")
        return Study(rows)


def sweep(
    condition: str | Iterable[str] = KINDS[0].slug, *, distribution: str | Iterable[str] = "gaussian",
    k: int | Iterable[int] = 3, n: int | Iterable[int] | None = None,
    expansion: float | Iterable[float] | None = None, depth: int | Iterable[int] = 1,
    hidden: int | Iterable[int] | None = None, m: int | Iterable[int] | None = None,
    l: int | Iterable[int] | None = None, alpha: float | str | Iterable[float | str] = 1.0,  # noqa: E741
    repeat: int = 1, gap: float = 0.0, rtol: float = 0.02, budget: int | None = None,
    time_limit: float | None = None, rng: int = 0, workers: int = 1,
    out: str | os.PathLike[str] | None = None, progress: Shown = None,
) -> Study:
    """Bracket a condition of random weights over a product of lists.

    Parameters
    ----------
    condition : str or list of str
        Of ``wdc``, ``r2wdc``, ``rric``, ``joint-wdc``.
    distribution : str or list of str
        Of ``gaussian``, ``sphere``, ``rademacher``, ``truncated``, ``sparse``, ``orthogonal``: see
        :func:`wdccheck.studies.ensembles.draw`; alpha = 1 is the natural constant of each.
    k : int or list of int
        Latent dimension; of the joint-WDC the columns of both matrices.
    n : int or list of int
        Outputs of the last layer.
    expansion : float or list of float
        n/k, instead of `n`.
    depth : int or list of int
        Layers; WDC and R2WDC are those of the last.
    hidden : int or list of int, optional
        Outputs of each layer before the last; by default they grow by the same factor from k to n.
    m : int or list of int
        Rows of Gaussian measurements, for ``rric``.
    l : int or list of int
        Rows of both matrices, for ``joint-wdc``.
    alpha : float, "best" or list of these
        "best" minimizes epsilon/alpha, cell by cell.
    repeat : int
        Repetitions of every cell, each with other weights.
    gap, rtol : float
        A cell is closed at ``upper - lower <= max(gap, rtol * upper)``.
    budget : int, optional
        Work of a cell: nodes of branch and bound, and one start of the ascent for every thousand; the
        same number of blocks of ascent (at least 8) choose alpha, where it is "best". The results are
        then the same on any machine of one kind.
    time_limit : float, optional
        Seconds of a cell. Neither: the engines' own budgets, about a minute.
    rng : int
        Seed of the study. A cell's own seed is a function of it and of the cell's values: more cells
        change no other.
    workers : int
        Processes, each with a cell; -1 for every core.
    out : path of a folder, optional
        Keeps a file per finished cell (a result that ``wc.load`` reads), ``results.csv`` and, with
        pandas and pyarrow, ``results.parquet``. A later call of the same design computes what is missing.
    progress : bool, callable or Progress, optional
        True: a bar on stderr.

    Returns
    -------
    Study
        In the order of the design. A cell that fails, or whose workers are lost for good, has an `error`; the
        others go on. Ctrl-C ends it early, with the cells that are finished.

    Raises
    ------
    InvalidInput
        An argument is unusable, or `out` holds something else than this design.

    Examples
    --------
    >>> import wdccheck as wc
    >>> study = wc.sweep(k=[1, 2], n=[10, 20], budget=1000)
    >>> all(row["lower"] <= row["upper"] for row in study.rows)
    True
    """
    cells = product(condition, distribution=distribution, k=k, n=n, expansion=expansion, depth=depth,
                    hidden=hidden, m=m, l=l, alpha=alpha, repeat=repeat)
    plan = Plan.of(gap, rtol, budget, time_limit, rng, out)
    workers = parallel.available(workers)
    plan.open(cells)
    rows = {cell: row for cell in cells if (row := plan.finished(cell)) is not None}
    # whole repetitions one after the other, each in an order that makes the time left a fair guess
    todo = sorted((cell for cell in cells if cell not in rows),
                  key=lambda cell: (cell.repetition, cell.seed(plan.root), cell.name))
    shown = Bar("sweep") if progress is True else resolve(progress)
    started, interrupted = time.monotonic(), False
    try:
        shown.update(_event(len(rows), len(cells), started))
        for cell, row in zip(todo, _computed(plan, todo, workers), strict=False):
            rows[cell] = row
            shown.update(_event(len(rows), len(cells), started))
    except KeyboardInterrupt:
        interrupted = True
    except WorkersLost as error:
        rows |= {cell: failed(plan, cell, error) for cell in cells if cell not in rows}
    finally:
        shown.close()
    study = Study(tuple(rows[cell] for cell in cells if cell in rows), interrupted)
    if plan.folder is not None and not interrupted:
        both = find_spec("pandas") and find_spec("pyarrow")
        for name in ("results.csv", "results.parquet") if both else ("results.csv",):
            result_files.saved(partial(study.save, plan.folder / name), "the table is returned")
    return study


def _computed(plan: Plan, cells: Sequence[Cell], workers: int) -> Iterator[Mapping[str, Any]]:
    with parallel.one_blas_thread():
        for row in parallel.ordered_map(partial(measured, plan), cells, workers):
            if row is None:
                raise KeyboardInterrupt
            yield row


def _decoded(name: str, text: str) -> Any:
    """A value of the column `name` as the sweep had it."""
    if text == "":
        return None
    if name in INTEGERS:
        return int(text)
    if name in ("lower", "upper", "seconds") or (name == "alpha" and text != "best"):
        return float(text)
    return text == "True" if name == "calibrated" else text


def _event(done: int, total: int, started: float) -> Event:
    return Event("sweep", 0.0, math.inf, done, total, "cells", time.monotonic() - started)
