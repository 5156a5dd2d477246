"""A report as one HTML page: no script, no other file, the same bytes for the same report."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wdccheck.kinds import named
from wdccheck.reports import drawings
from wdccheck.reports.markdown import SOURCES, Content, typeset
from wdccheck.reports.meaning import asked, facts
from wdccheck.reports.row import Row
from wdccheck.reports.witness import Scene, scene
from wdccheck.rounded_text import down

__all__ = ["page"]

_STYLE = drawings.STYLE + """\
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:62rem;background:var(--page);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.5rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
p{margin:.4rem 0}
.note,figcaption{color:var(--soft);font-size:.875rem}
figure{margin:1rem 0;max-width:38rem}
.witness{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem 2rem}
.witness figure{margin:0 0 1rem;max-width:30rem}
dl{display:grid;grid-template-columns:11rem 1fr;gap:.35rem 1rem;margin:.5rem 0}
dt{color:var(--soft)}
dd{margin:0}
code{font:.875em ui-monospace,monospace}
@media (max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}}
"""

_READING = """\
Each line is one condition. What the axis names lies between the dot, a lower bound that stored witnesses \
prove, and the bar, an upper bound with a proof; small is good. An arrow: no bound on that side."""


def page(content: Content, layers: Mapping[str, Sequence[np.ndarray]]) -> str:
    """The whole page; see :meth:`~wdccheck.Report.to_html`.

    Parameters
    ----------
    content : Content
    layers : mapping of str to sequence of ndarray of shape (n_i, n_{i-1})
        What :func:`~wdccheck.reports.witness.scene` draws; may be empty.
    """
    body = ["<h1>wdccheck report</h1>", *(f"<p>{_say(line)}</p>" for line in content.head)]
    if content.interrupted:
        body.append(f"<p><strong>{_say(content.interrupted)}</strong></p>")
    body += [f"<p class=note>{_READING}</p>", _figure(_panel(content), "")]
    body += ["<h2>What the theorems ask</h2>", _terms([*content.theorems, SOURCES])]
    for row in content.rows:
        body += [f"<h2>{_say(row.name)}, {_say(row.size)}</h2>", _terms(facts(row, content.depth)),
                 *_witness(row, layers)]
    body += ["<h2>Provenance</h2>", _pairs((name, f"<code>{html.escape(value)}</code>")
                                           for name, value in content.provenance.items())]
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>wdccheck report</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
            + "\n".join(body) + "\n</body>\n</html>\n")


def _panel(content: Content) -> str:
    """The brackets of all rows, with what the explicit threshold asks."""
    bars = [drawings.Bar(row.name, row.headline[0], row.headline[2], typeset(row.bounds))
            for row in content.rows]
    asks = {asked(row, content.depth) for row in content.rows} - {None}
    marks = [(value, f"Lemma 8 and Lemma 5.3 ask for less than {down(value, 3)}")
             for value in asks if value is not None]
    plain = dict.fromkeys(row.kind for row in content.rows if row.alpha is None)
    least = {row.headline[1] for row in content.rows if row.alpha is not None}
    name = " and ".join(sorted(map(typeset, least))) or "ε"
    return drawings.error_bars(bars, marks, name + (f" ({', '.join(plain)}: ε)" if plain and least else ""))


def _witness(row: Row, layers: Mapping[str, Sequence[np.ndarray]]) -> list[str]:
    """The drawings of one row, or why there are none."""
    shown = scene(row, layers)
    if isinstance(shown, str):
        return [f"<p class=note>The witness is not drawn: {_say(shown)}.</p>"]
    figures = [_figure(drawings.gates(shown.pairs), f"The {shown.whose} that are open (w·x > 0) in each "
                       "direction of the witness, in their order; short: not in the other one.")]
    if shown.spectrum is None:
        figures.append(f"<p class=note>The spectrum is not drawn: {_say(shown.missing)}.</p>")
    else:
        figures.append(_figure(drawings.spectrum(shown.spectrum, row.ratio_lower, row.name), _spectral(row)))
    places = [_figure(drawings.directions(shown.rows, pair), _where(shown, pair.names, pair.angle))
              for pair in shown.pairs if shown.rows.shape[1] > 1]
    return ["<div class=witness>", "<div>", *figures, "</div>", *places, "</div>"]


def _where(shown: Scene, names: tuple[str, str], angle: float) -> str:
    first, second = names
    lie = ("The plane: dashed walls divide the rows that a direction opens from those it does not"
           if shown.rows.shape[1] == 2 else "Each of them at its cosines with the two directions")
    return (f"Where {first} and {second}, {angle:.4g}° apart, lie relative to the {shown.whose}. {lie}. "
            "Dots are open in both, crosses in one, dashes in none.")


def _spectral(row: Row) -> str:
    kind = named(row.kind)
    reached = ("what the witness reaches with the differences u, v that the range allows" if kind.over_range
               else "what the witness reaches, the lower bound")
    return f"Eigenvalues of {kind.matrix}, at the witness. Dashed: ± {reached}."


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}" + (f"<figcaption>{html.escape(caption)}</figcaption>" if caption else "") + \
        "</figure>"


def _terms(items: Sequence[tuple[str, str]]) -> str:
    return _pairs((label, _say(text)) for label, text in items)


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    """Labels beside content that is HTML already."""
    return "<dl>" + "".join(f"<dt>{_say(label)}</dt><dd>{value}</dd>\n" for label, value in items) + "</dl>"


def _say(text: str) -> str:
    return html.escape(typeset(text))
