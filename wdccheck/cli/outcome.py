"""How a command ends: the result as text or JSON, and the exit status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from wdccheck.rounded_text import shortest, wrapped
from wdccheck.version import made_by

if TYPE_CHECKING:
    from wdccheck.brackets import Verdict
    from wdccheck.reports.report import Report
    from wdccheck.reports.row import Row
    from wdccheck.weights.network import ReLUNetwork

__all__ = [
    "BUG", "DONE", "INTERRUPTED", "PIPE_CLOSED", "STATUS", "UNDECIDED", "UNSAVED", "UNUSABLE", "VIOLATED",
    "finish", "finish_report", "finish_row", "or_printed",
]

DONE, VIOLATED, UNUSABLE, UNDECIDED, BUG, UNSAVED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 70, 74, 130, 141
STATUS = """\b
Exit status:
  0    done; with --eps or --ratio: proved
  1    with --eps or --ratio: proved violated
  2    unusable input or arguments
  3    with --eps or --ratio: undecided
  70   an error of this program: please report it
  74   a file could not be written: the result is printed
  130  interrupted (143 by SIGTERM); the bounds so far are printed, and saved with --json, --out or
       --checkpoint"""


def finish(
    text: str, data: dict[str, Any], verdict: Verdict | None, path: str | None, interrupted: bool
) -> int:
    """Deliver a result as text or as JSON; the exit status, that of its verdict if there is one."""
    from wdccheck import result_files

    shown = result_files.text_of(data)
    if path == "-":
        click.echo(shown, nl=False)
    else:
        click.echo(text)
    if path is not None and path != "-":
        or_printed(partial(result_files.write, path, data), shown)
    if interrupted:
        return INTERRUPTED
    statuses = {"holds": DONE, "violated": VIOLATED, "undecided": UNDECIDED}
    return DONE if verdict is None else statuses[verdict.value]


def or_printed(save: Callable[[], None], text: str) -> None:
    """Write a result; where that fails, print it. A `NotSaved` tells, also the exit status."""
    from wdccheck import result_files

    if not result_files.saved(save, "it is printed instead"):
        click.echo(text, nl=False)


def finish_report(report: Report, ratio: float | None, path: str | None) -> int:
    """The same of a report; the verdict says what it compares."""
    from wdccheck.reports.answers import answer

    text, verdict = report.to_text(), None
    if ratio is not None:
        verdict = report.verdict(ratio)
        text += "\n\n" + "\n".join(wrapped(answer(report, ratio)))
    return finish(text, report.to_dict(), verdict, path, report.interrupted)


def finish_row(
    row: Row, eps: float | None, ratio: float | None, path: str | None, *nets: ReLUNetwork
) -> int:
    """The same of one condition; `nets` are those that were read for it."""
    from wdccheck.protocol.limit import Limit
    from wdccheck.reports.answers import asked

    origins = [net.origin for net in nets if net.origin is not None]
    notes = [line for one in origins for note in one.lines() for line in wrapped(note)]
    text, verdict = "\n".join([row.to_text(), *notes]), None
    if eps is not None:
        verdict = row.bracket.verdict(eps)
        place = "" if row.alpha is None else f" at alpha = {shortest(row.alpha)}"
        text += f"\n\n{Limit.of(row.alpha, eps)}{place}: {verdict.value}"
    elif ratio is not None:
        verdict = row.verdict(ratio)
        text += f"\n\n{asked([row], ratio)}: {verdict.value}"
    data = {**made_by(), "weights": [one.to_dict() for one in origins], **row.bracket.to_dict(),
            "least": None if row.least is None else row.least.to_dict(),
            **({} if row.isometry is None else {"isometry": row.isometry.to_dict()})}
    return finish(text, data, verdict, path, row.interrupted)
