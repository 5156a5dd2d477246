"""Figures of epsilon against width: bounds, a fitted slope, the laws of theory, trained layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wdccheck.kinds import named
from wdccheck.plots.series import (
    LAYERS,
    LONE,
    MEASURED,
    Row,
    Series,
    Table,
    chosen,
    draw_band,
    epsilon,
    fitted,
    legend,
    named_groups,
)
from wdccheck.plots.style import axes, colors, markers, plain_ticks
from wdccheck.reports.row import Row as Bracketed

__all__ = ["expansion", "trained", "width"]

_FIT_FROM = 10.0  # n/k from which on the slope is fitted: below, Fact 6 and not the law decides


def width(study: Table, ax: Any = None, *, guides: bool = True) -> Any:
    """Epsilon against n on logarithmic axes, one band per k, with the fitted slopes.

    Lines and whiskers: median and 10 % and 90 % quantiles of the lower bounds over repetitions; band:
    up to the median upper bound; dashed: an upper bound more than half as large again. The guides
    are c sqrt(k/n) and c' sqrt(k log k / n), each with one constant for all k, drawn for the smallest
    and the largest (with one k the two are one line, and k = 1 has no second); "(lower)": the slope is
    one of lower bounds, as the upper ones are far off. A condition of measurements follows neither law:
    it has no slope and no guides.

    Parameters
    ----------
    study : Study or path
        A study of the WDC or R2WDC, or of measurements, or the file of one.
    ax : matplotlib.axes.Axes, optional
    guides : bool
        Whether to draw the two laws.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.width(wc.sweep(k=1, n=[20, 40, 80], budget=100))
    >>> ax.get_xscale()
    'log'
    """
    rows = chosen(study, *LAYERS, *MEASURED)
    layers = [row for row in rows if row["condition"] in LAYERS]
    groups, names = named_groups(layers or rows, lambda row: float(row["n"]), "n")
    ax = axes(ax)
    for series, name, color, marker in _styled(groups, names):
        draw_band(ax, series, color, marker, name + (_slope(series) if layers else ""))
    if guides and layers:
        _guides(ax, groups)
    ax.set(xscale="log", yscale="log", xlabel="width n", ylabel=r"$\varepsilon$" if layers else epsilon(rows))
    plain_ticks(ax)
    legend(ax, groups)
    return ax


def expansion(study: Table, ax: Any = None) -> Any:
    """epsilon sqrt(n/k) against n/k: level where a constant expansion decides (Fact 16).

    Parameters
    ----------
    study : Study or path
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.expansion(wc.sweep(k=1, n=[20, 40, 80], budget=100))
    >>> ax.get_xlabel()
    'expansion n/k'
    """
    rows = chosen(study, *LAYERS)
    ax, (groups, names) = axes(ax), named_groups(rows, _ratio, "n", scale=lambda row: math.sqrt(_ratio(row)))
    for series, name, color, marker in _styled(groups, names):
        draw_band(ax, series, color, marker, name)
    top = max(float(np.max(np.where(series.closed, series.upper[1], series.lower[2]))) for series in groups)
    ax.set(xscale="log", xlabel="expansion n/k", ylabel=r"$\varepsilon\,\sqrt{n/k}$", ylim=(0, 1.15 * top))
    plain_ticks(ax)
    legend(ax, groups)
    return ax


def trained(study: Table, rows: Sequence[Bracketed], ax: Any = None) -> Any:
    """epsilon/alpha of given layers beside that of random ones, against n/k.

    Parameters
    ----------
    study : Study or path
        A study of random layers; with ``alpha="best"`` where those of `rows` are chosen so.
    rows : sequence of Row
        For instance the rows of a report; those of the WDC are drawn.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> report = wc.certify([np.eye(2)], alpha=1.0, time_limit=1)
    >>> ax = wc.plots.trained(wc.sweep(k=1, n=[4, 8], budget=100), report.rows)
    >>> ax.get_xlabel()
    'expansion n/k'
    """
    random = chosen(study, *LONE)
    ax, (groups, names) = axes(ax), named_groups(random, _ratio, "n", scale=lambda row: 1 / row["alpha"])
    for series, name, color, marker in _styled(groups, names):
        draw_band(ax, series, color, marker, f"random, {name}")
    layers = [row for row in rows if named(row.kind).slug in LONE]
    for row, marker in zip(layers, "*Xhp8" * len(layers), strict=False):
        n, k = row.shape
        low, _, high = row.headline
        ax.errorbar(n / k, low, yerr=[[0.0], [high - low]], color="black", marker=marker, markersize=7,
                    markeredgecolor="white", markeredgewidth=0.5, linestyle="none", capsize=3, zorder=5,
                    label=f"trained {row.place}, {n} × {k}")
    ax.set(xscale="log", yscale="log", xlabel="expansion n/k", ylabel=r"$\varepsilon/\alpha$")
    plain_ticks(ax)
    legend(ax, groups)
    return ax


def _styled(groups: list[Series], names: list[str]) -> list[tuple[Series, str, Any, str]]:
    return list(zip(groups, names, colors(len(groups)), markers(len(groups)), strict=True))


def _guides(ax: Any, groups: list[Series]) -> None:
    """Both laws over the range of each group, their constants the median over what was found.

    With one k both are the same line; k = 1, where log k = 0, has no second one.
    """
    shown = list(zip(groups, colors(len(groups)), strict=True))
    _guide(ax, shown, r"\sqrt{k/n}", ":", lambda k: k)
    shown = [(series, color) for series, color in shown if series.key[0] > 1]
    if len({series.key[0] for series, _ in shown}) > 1:
        _guide(ax, shown, r"\sqrt{k\,\log k\,/n}", "-.", lambda k: k * math.log(k))


def _guide(
    ax: Any, shown: list[tuple[Series, Any]], text: str, line: str, of: Callable[[float], float]
) -> None:
    laws = [np.sqrt(of(series.key[0]) / series.x) for series, _ in shown]
    ratios = [series.lower[1] / law for (series, _), law in zip(shown, laws, strict=True)]
    far = [ratio[series.x >= _FIT_FROM * series.key[0]]
           for (series, _), ratio in zip(shown, ratios, strict=True)]
    c = float(np.median(np.concatenate(far if any(map(len, far)) else ratios)))
    ends = list(zip(shown, laws, strict=True))
    for (series, color), law in ends[:1] + ends[1:][-1:]:  # all would hide what they guide
        ax.plot(series.x, c * law, color=color, linewidth=0.7, linestyle=line, zorder=1)
    ax.plot([], [], color="0.3", linewidth=0.7, linestyle=line, label=rf"${c:.2f}\,{text}$")


def _ratio(row: Row) -> float:
    return float(row["n"]) / float(row["k"])


def _slope(series: Series) -> str:
    """The fitted slope and its 95 % confidence interval, in words that say what was fitted."""
    start = _FIT_FROM * series.key[0]
    line = fitted(series, start)
    if line is None:
        return ""
    of = "" if series.closed[series.x >= start].all() else " (lower)"
    return f", slope {line[0]:.2f} ± {line[1]:.2f}{of}".replace("-", "−")
