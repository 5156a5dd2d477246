"""What a verdict on a row or on a report compares, and what it is, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from wdccheck.brackets import Verdict
from wdccheck.protocol.limit import Limit
from wdccheck.reports.report import Report
from wdccheck.reports.row import Row

__all__ = ["answer", "asked"]


def asked(rows: Sequence[Row], ratio: float) -> str:
    """What the verdicts of rows compare with `ratio`.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.reports.answers import asked
    >>> print(asked(wc.certify([np.eye(2)], alpha=1.0, time_limit=5).rows, 0.5))
    eps/alpha <= 0.5 at the alpha of each row (RRIC: eps <= 0.5)
    """
    if len(rows) == 1:
        return rows[0].asks(ratio)
    plain = dict.fromkeys(row.kind for row in rows if row.alpha is None)
    others = f" ({', '.join(plain)}: {Limit(ratio)})" if plain else ""
    words = Limit(ratio, 1.0).words
    if any(row.scope == "best" for row in rows):
        return f"min {words} over all alpha, row by row{others}"
    return f"{words} at the alpha of each row{others}"


def answer(report: Report, ratio: float) -> str:
    """The verdict on a report: what was compared, and which rows make it fail or leave it open."""
    by = {verdict: [row.name for row in report.rows if row.verdict(ratio) is verdict] for verdict in Verdict}
    why = [f"{word}{', '.join(by[verdict])}" for verdict, word in (
        (Verdict.VIOLATED, "by "), (Verdict.UNDECIDED, "undecided: ")) if by[verdict]]
    if missing := report.total - len(report.rows):
        why.append(f"{missing} rows were not begun")
    details = f" ({'; '.join(why)})" if why else ""
    return f"{asked(report.rows, ratio)}: {report.verdict(ratio).value}{details}"
