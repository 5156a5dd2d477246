"""Drawings as SVG: brackets as error bars, the gates, the directions among the rows, a spectrum.

Plain functions from numbers to text. Classes take their colors from the page (`STYLE`); shapes tell
apart what colors do, so a grey print keeps the meaning.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.reports.witness import Pair
from wdccheck.rounded_text import down

__all__ = ["STYLE", "Bar", "directions", "error_bars", "gates", "spectrum"]

STYLE = """\
:root{--ink:#1b1f24;--page:#fff;--soft:#59636e;--line:#c8ced6;--low:#0072b2;--high:#b34700;--faint:#7d8894}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--page:#14171b;--soft:#a6b0bb;--line:#3d454e;\
--low:#56b4e9;--high:#f0a040;--faint:#8a95a1}}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font:11px system-ui,sans-serif;paint-order:stroke;stroke:var(--page);\
stroke-width:3px}
svg .soft{fill:var(--soft)}
svg .axis{stroke:var(--line);fill:none}
svg .asked{stroke:var(--ink);stroke-dasharray:4 3;fill:none}
svg .span{stroke:var(--soft);stroke-width:3}
svg .low{fill:var(--low);stroke:none}
svg .high{stroke:var(--high);stroke-width:3;fill:none}
svg .open{stroke:var(--low);fill:none}
svg .half{stroke:var(--high);fill:none}
svg .shut{stroke:var(--faint);fill:none}
svg .first{stroke:var(--low);stroke-width:2;fill:none}
svg .second{stroke:var(--high);stroke-width:2;stroke-dasharray:6 3;fill:none}
"""

WIDTH = 400
_EDGE = 10


@dataclass(frozen=True)
class Bar:
    """One bracket: what it is of, its two ends, and both as text."""

    name: str
    lower: float
    upper: float
    text: str


def error_bars(bars: Sequence[Bar], marks: Sequence[tuple[float, str]], axis: str) -> str:
    """Brackets under one another on a logarithmic axis.

    Parameters
    ----------
    bars : sequence of Bar
        A lower end of 0 and an upper end of infinity become arrows.
    marks : sequence of (float, str)
        Dashed verticals at positive values, and what they are.
    axis : str
        What is drawn.

    Examples
    --------
    >>> from wdccheck.reports.drawings import Bar, error_bars
    >>> error_bars([Bar("layer 1", 0.3, 0.4, "0.3 to 0.4")], [(0.5, "1/2")], "eps")[:4]
    '<svg'
    """
    ends = [x for bar in bars for x in (bar.lower, bar.upper) if 1e-300 < x < math.inf]
    ends += [x for x, _ in marks] or [1.0]
    first, last = math.floor(math.log10(min(ends)) - 0.15), math.ceil(math.log10(max(ends)) + 0.15)
    across = (WIDTH - 2 * _EDGE) / (last - first)

    def at(x: float) -> float:
        return _EDGE + across * min(max(math.log10(max(x, 1e-307)) - first, 0.0), last - first)

    top = 14 * len(marks) + 8
    bottom = top + 36 * len(bars) + 4
    parts = _decades(first, last, across, top, bottom)
    parts.append(_text(WIDTH / 2, bottom + 32, axis, "soft", "middle"))
    for i, (x, name) in enumerate(marks):
        parts += [f'<path class="asked" d="M{at(x):.1f} {14 * i + 14}V{bottom}"/>',
                  _text(at(x) + (4 if at(x) < WIDTH / 2 else -4), 14 * i + 12, name, "",
                        "start" if at(x) < WIDTH / 2 else "end")]
    for i, bar in enumerate(bars):
        parts += _bar(bar, at, top + 36 * i)
    described = "; ".join(f"{bar.name}: {bar.text}" for bar in bars)
    return _svg(bottom + 40, parts, f"{axis}: {described}")


def _bar(bar: Bar, at: Callable[[float], float], y: float) -> list[str]:
    left, right, line = at(bar.lower), at(bar.upper), y + 26
    found = [_text(_EDGE, y + 14, bar.name), _text(WIDTH - _EDGE, y + 14, bar.text, "soft", "end"),
             f'<path class="span" d="M{left:.1f} {line}H{right:.1f}"/>',
             f'<path class="high" d="M{right:.1f} {line - 7}v14"/>' if math.isfinite(bar.upper)
             else f'<path class="high" d="M{right - 7:.1f} {line - 5}l7 5l-7 5"/>']
    found.append(f'<circle class="low" cx="{left:.1f}" cy="{line}" r="4.5"/>' if bar.lower > 0
                 else f'<path class="high" d="M{left + 7:.1f} {line - 5}l-7 5l7 5"/>')
    return found


def _decades(first: int, last: int, across: float, top: float, bottom: float) -> list[str]:
    parts, step = [], max(1, math.ceil((last - first) / 8))
    for i in range(0, last - first + 1, step):
        x = _EDGE + across * i
        anchor = "start" if i == 0 else "end" if first + i == last else "middle"
        exponent = first + i
        label = f"{10.0**exponent:g}" if -3 <= exponent <= 3 else f"1e{exponent}"
        parts += [f'<path class="axis" d="M{x:.1f} {top}V{bottom}"/>',
                  _text(x, bottom + 14, label, "soft", anchor)]
    return parts


def gates(pairs: Sequence[Pair]) -> str:
    """A strip per direction: a bar for every row that is open, short where it is open in that one only."""
    parts, y = [], 0.0
    for pair in pairs:
        both = np.asarray(pair.gates.all(axis=0))
        wide = (WIDTH - 130) / max(both.size, 1)
        for name, gate in zip(pair.names, pair.gates, strict=True):
            parts += [_text(0, y + 13, name), f'<path class="axis" d="M60 {y + 16:g}H{WIDTH - 70}"/>',
                      _text(WIDTH, y + 13, f"{int(gate.sum())} of {len(gate)}", "soft", "end")]
            for class_, which, high in (("half", gate & ~both, 6), ("open", both, 12)):
                bars = "".join(f"M{60 + wide * (i + 0.5):.2f} {y + 15 - high:g}v{high}"
                               for i in np.flatnonzero(which))
                parts.append(f'<path class="{class_}" stroke-width="{max(0.8 * wide, 0.3):.2f}" d="{bars}"/>')
            y += 20
        parts.append(_text(WIDTH, y + 13, f"{int(both.sum())} in both", "soft", "end"))
        y += 26
    return _svg(y, parts, "rows open in each direction")


def directions(rows: np.ndarray, pair: Pair) -> str:
    """Where two directions lie relative to the rows: a plane for k = 2, cosines otherwise.

    In the plane of cosines the corner at the top right holds the rows that are open in both.
    """
    return _plane(rows, pair) if rows.shape[1] == 2 else _cosines(rows, pair)


def _plane(rows: np.ndarray, pair: Pair) -> str:
    """Rows (n, 2) as dots, the two directions as lines, and the half-planes that they open."""
    middle, reach = WIDTH / 2, WIDTH / 2 - 26
    scaled = rows / (np.abs(rows).max(initial=0) or 1.0)
    scaled /= np.linalg.norm(scaled, axis=1).max(initial=0) or 1.0
    points = middle + reach * scaled * [1, -1]
    parts = [f'<circle class="axis" cx="{middle:g}" cy="{middle:g}" r="{reach:g}"/>', *_dots(points, pair)]
    near = float(pair.directions[0] @ pair.directions[1]) > 0.98  # one label has to do
    names = (", ".join(pair.names), "") if near else pair.names
    for name, (x, y), class_ in zip(names, pair.directions, ("first", "second"), strict=True):
        tip, wall = (middle + reach * x, middle - reach * y), (reach * y, reach * x)
        parts += [f'<path class="{class_}" d="M{middle:g} {middle:g}L{tip[0]:.1f} {tip[1]:.1f}"/>',
                  f'<path class="axis" stroke-dasharray="2 3" d="M{middle - wall[0]:.1f} '
                  f'{middle - wall[1]:.1f}L{middle + wall[0]:.1f} {middle + wall[1]:.1f}"/>',
                  _text(middle + (reach + 14) * x, middle - (reach + 14) * y + 4, name, "", "middle")]
    return _svg(WIDTH, parts, f"rows, {pair.names[0]} and {pair.names[1]} in the plane")


def _cosines(rows: np.ndarray, pair: Pair) -> str:
    """Each row (n, k) at its cosines with the two directions."""
    lengths = np.abs(rows).max(axis=1, keepdims=True)
    scaled = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    cosines = np.divide(scaled, norms, out=np.zeros_like(rows), where=norms > 0) @ pair.directions.T
    largest = float(np.abs(cosines).max(initial=0))
    far = min((x for x in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02) if x >= largest), default=1.0)
    low, high = 38, WIDTH - 14
    middle, reach = (low + high) / 2, (high - low) / 2
    y = middle - 20
    points = [middle, y] + reach / far * cosines * [1, -1]
    parts = [f'<path class="axis" d="M{low} {y - reach:g}h{2 * reach:g}v{2 * reach:g}h-{2 * reach:g}z'
             f'M{middle:g} {y - reach:g}v{2 * reach:g}M{low} {y:g}h{2 * reach:g}"/>', *_dots(points, pair),
             *(_text(middle + v * reach, y + reach + 14, f"{v * far:g}", "soft", anchor)
               for v, anchor in ((-1, "start"), (0, "middle"), (1, "end"))),
             *(_text(low - 4, y + 4 - reach * v, f"{v * far:g}", "soft", "end") for v in (-1, 0, 1)),
             _text(middle, y + reach + 30, f"cosine of a row with {pair.names[0]}", "soft", "middle"),
             _text(low + 4, y - reach + 14, f"with {pair.names[1]}", "soft"),
             _text(high - 4, y - reach + 14, "open in both", "soft", "end")]
    return _svg(WIDTH, parts, f"cosines of the rows with {pair.names[0]} and {pair.names[1]}")


def _dots(points: np.ndarray, pair: Pair) -> list[str]:
    """Dots for rows open in both directions, crosses for one, small dashes for none."""
    count = pair.gates.sum(axis=0)
    marks = ((0, "shut", "m-2 0h4", 1.5), (1, "half", "m-2.5 -2.5l5 5m0 -5l-5 5", 1.4),
             (2, "open", "h0", 7))
    return [f'<path class="{name}" stroke-linecap="{"round" if number == 2 else "butt"}" '
            f'stroke-width="{width}" d="' + "".join(
                f"M{x:.1f} {y:.1f}{shape}" for x, y in points[count == number]) + '"/>'
            for number, name, shape, width in marks]


def spectrum(values: np.ndarray, reached: float, name: str) -> str:
    """Eigenvalues as ticks on a line, with dashes at plus and minus what the witness reaches.

    What is reached is a lower bound, and printed rounded down.
    """
    low, high = (float(f([*values, -reached, reached])) for f in (min, max))
    reach = max(high - low, 1e-300)

    def at(x: float) -> float:
        return 16 + (WIDTH - 32) * ((x - low) / reach)

    ticks = "".join(f"M{at(float(x)):.2f} 20v22" for x in values)
    parts = [f'<path class="axis" d="M{_EDGE} 42H{WIDTH - _EDGE}"/>',
             f'<path class="open" stroke-width="1.6" d="{ticks}"/>']
    for x in sorted({-reached, 0.0, reached}):
        label = ("-" if x < 0 else "") + down(abs(x), 4)
        parts += [f'<path class="asked" d="M{at(x):.2f} 12V48"/>' if x else
                  f'<path class="axis" d="M{at(x):.2f} 42v6"/>',
                  _text(at(x), 62, label, "soft", "start" if at(x) < 40 else
                        "end" if at(x) > WIDTH - 40 else "middle")]
    return _svg(68, parts, f"eigenvalues of {name}")


def _text(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{class_}"' if class_ else "")
            + (f' text-anchor="{anchor}"' if anchor != "start" else "") + f">{html.escape(text)}</text>")


def _svg(height: float, parts: Sequence[str], label: str) -> str:
    return (f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{html.escape(label)}">'
            + "".join(parts) + "</svg>")
