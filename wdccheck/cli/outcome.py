"""How a command ends: the result as text or JSON, and the exit status."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wdccheck.errors import InvalidInput
from wdccheck.rounded_text import wrapped
from wdccheck.version import made_by

if TYPE_CHECKING:
    from wdccheck.reports.report import Report
    from wdccheck.reports.row import Row
    from wdccheck.weights.network import ReLUNetwork

__all__ = [
    "BUG", "DONE", "INTERRUPTED", "PIPE_CLOSED", "STATUS", "UNDECIDED", "UNUSABLE", "VIOLATED", "finish",
    "finish_row", "folder", "writable",
]

DONE, VIOLATED, UNUSABLE, UNDECIDED, BUG, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 70, 130, 141
STATUS = """\b
Exit status:
  0    done; with --eps: proved
  1    with --eps: proved violated
  2    unusable input or arguments
  3    with --eps: undecided
  70   an error of this program: please report it
  130  interrupted; the bounds so far are printed, and saved with --json, --out or --checkpoint"""


def finish(
    result: Report | Row, data: dict[str, Any], eps: float | None, path: str | None, interrupted: bool,
    notes: Sequence[str] = (),
) -> int:
    """Deliver a result, with `notes` on what it is of, and return its exit status."""
    from wdccheck import result_files

    status, text = DONE, "\n".join([result.to_text(), *(line for note in notes for line in wrapped(note))])
    if eps is not None:
        verdict = result.verdict(eps).value
        status = {"holds": DONE, "violated": VIOLATED, "undecided": UNDECIDED}[verdict]
        text += f"\n\n{result.ratio_name} <= {eps!r}: {verdict}{_rows_that_are(result, verdict, eps)}"
    if path == "-":
        text = json.dumps({"schema": result_files.SCHEMA, **data}, indent=1, allow_nan=False)
    elif path is not None:
        result_files.write(path, data)
    click.echo(text)
    return INTERRUPTED if interrupted else status


def _rows_that_are(result: Report | Row, verdict: str, eps: float) -> str:
    """Which rows of a report make it fail, or stay open."""
    rows: tuple[Row, ...] = getattr(result, "rows", ())
    names = [row.name for row in rows if row.verdict(eps).value == verdict]
    return f" ({', '.join(names)})" if names and verdict != "holds" else ""


def finish_row(row: Row, eps: float | None, path: str | None, *nets: ReLUNetwork) -> int:
    """The same for one condition; `nets` are those that were read for it."""
    origins = [net.origin for net in nets if net.origin is not None]
    provenance = {**made_by(), "weights": [one.to_dict() for one in origins]}
    notes = [line for one in origins for line in one.lines()]
    interrupted = row.bracket.interrupted
    return finish(row, {**provenance, **row.bracket.to_dict()}, eps, path, interrupted, notes)


def writable(path: str | None) -> None:
    """Refuse a file that cannot be written before minutes are spent on its content."""
    if path is None or path == "-":
        return
    target = Path(path)
    if target.is_dir() or not (target.parent.is_dir() and os.access(target.parent, os.W_OK)):
        raise InvalidInput("--json", "a file in a writable folder, or -", path)


def folder(path: str | None) -> None:
    """Make the folder of a report, or refuse it before minutes are spent on the report."""
    if path is None:
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput("--out", "a folder", f"{path}: {reason}") from None
    for name in ("report.html", "report.json", "report.md"):
        if (Path(path) / name).is_dir() or not os.access(path, os.W_OK | os.X_OK):
            raise InvalidInput("--out", f"a folder in which {name} can be written", path)
