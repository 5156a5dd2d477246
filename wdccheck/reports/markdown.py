"""A report as Markdown, and the content that this page shares with the one in HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wdccheck.reports.meaning import facts
from wdccheck.reports.row import Row
from wdccheck.rounded_text import shortest

__all__ = ["SOURCES", "Content", "page", "typeset"]

SOURCES = (
    "sources", "[HV] Hand and Voroninski, IEEE Trans. Inf. Theory 66(1), 2020; [HJ] Hand and Joshi, NeurIPS "
    "2019; [C] Cocola, NeurIPS 2022. A Fact is one of docs/theory.md.")


@dataclass(frozen=True, eq=False)
class Content:
    """What a page says, apart from its form.

    Attributes
    ----------
    head : sequence of str
        The networks, the measurements, what is proved.
    rows : sequence of Row
    theorems : sequence of (str, str)
        Which theorem, and what it asks of the rows.
    depth : int or None
        Number of layers; None for a pair.
    provenance : mapping of str to str
        Nothing in it depends on the time or the machine.
    interrupted : str
        What is missing; empty for a complete report.
    """

    head: Sequence[str]
    rows: Sequence[Row]
    theorems: Sequence[tuple[str, str]]
    depth: int | None
    provenance: Mapping[str, str]
    interrupted: str = ""


def typeset(text: str) -> str:
    """Our own sentences with the letters of the papers.

    Examples
    --------
    >>> from wdccheck.reports.markdown import typeset
    >>> typeset("0.1 <= eps/alpha: two steps")
    '0.1 ≤ ε/α: two steps'
    """
    for word, letter in ((r"\beps\b", "ε"), (r"\balpha\b", "α"), ("<=", "≤"), (">=", "≥")):
        text = re.sub(word, letter, text)
    return text


def page(content: Content) -> str:
    """The whole report; see :meth:`~wdccheck.Report.to_markdown`."""
    blocks = ["# wdccheck report", *map(_plain, content.head)]
    if content.interrupted:
        blocks.append(f"**{_plain(content.interrupted)}**")
    lines = ["| condition | size | bounds | at one α | |", "|---|---|---|---|---|"]
    lines += [_row(row) for row in content.rows]
    blocks += ["\n".join(lines), "## What the theorems ask", _list([*content.theorems, SOURCES])]
    for row in content.rows:
        blocks += [f"## {_plain(row.name)}, {_plain(row.size)}", _list(facts(row, content.depth))]
    blocks += ["## Provenance", "\n".join(f"- **{name}**: {_code(value)}"
                                          for name, value in content.provenance.items())]
    return "\n\n".join(blocks) + "\n"


def _row(row: Row) -> str:
    at = "" if row.alpha is None else f"α = {shortest(row.alpha)}: {typeset(row.at_alpha)}"
    bounds, state = typeset(row.bounds), typeset(row.state)
    return f"| {_plain(row.name)} | {_plain(row.size)} | {bounds} | {at} | {state} |"


def _list(items: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{_plain(label)}**: {_plain(text)}" if label else f"- {_plain(text)}"
                     for label, text in items)


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", typeset(text))


def _code(text: str) -> str:
    """A span of code around any text on one line."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{' '.join(text.splitlines())}{pad}{fence}"
