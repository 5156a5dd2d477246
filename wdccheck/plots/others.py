"""Figures against other things than width: a contractive layer, m, l, alpha."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.kinds import with_slug
from wdccheck.plots.series import (
    LAYERS,
    LONE,
    MEASURED,
    PAIRED,
    Row,
    Series,
    Table,
    chosen,
    draw_band,
    epsilon,
    legend,
    named_groups,
)
from wdccheck.plots.style import axes, colors, markers, plain_ticks

__all__ = ["alphas", "contraction", "joint", "measurements"]


def contraction(study: Table, ax: Any = None) -> Any:
    """R2WDC beside WDC of a last layer that ceases to be contractive as n grows.

    Parameters
    ----------
    study : Study or path
        A sweep of ``["wdc", "r2wdc"]`` with depth >= 2 and one `hidden`.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> study = wc.sweep(["wdc", "r2wdc"], k=1, n=[2, 6], depth=2, hidden=3, budget=100)
    >>> ax = wc.plots.contraction(study)
    >>> ax.get_xlabel()
    'outputs n of the layer'
    """
    rows, ax = chosen(study, *LAYERS), axes(ax)
    groups = _bands(rows, ax, "n")
    inputs = {row["hidden"] for row in rows} - {None}
    start = 0.8 * min(float(series.x[0]) for series in groups)
    if len(inputs) == 1:
        (hidden,) = inputs
        ax.axvspan(start, max(hidden, start), color="0.92", linewidth=0, zorder=0,
                   label=f"fewer outputs than the {hidden} inputs")
        ax.axvline(2 * hidden, color="0.45", linewidth=0.6, linestyle=":",
                   label=f"twice as many: {with_slug(LONE[0]).name} ≥ α/2 to the left")
    ax.set(xscale="log", yscale="log", xlabel="outputs n of the layer", ylabel=r"$\varepsilon$")
    ax.set_xlim(left=start)
    return _finished(ax, groups)


def measurements(study: Table, ax: Any = None) -> Any:
    """RRIC against the number m of measurements.

    Parameters
    ----------
    study : Study or path
        A sweep of ``rric``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.measurements(wc.sweep("rric", k=1, n=4, m=[2, 8], budget=100))
    >>> ax.get_xlabel()
    'measurements m'
    """
    ax = axes(ax)
    rows = chosen(study, *MEASURED)
    groups = _bands(rows, ax, "m")
    ax.set(xscale="log", yscale="log", xlabel="measurements m", ylabel=epsilon(rows))
    return _finished(ax, groups)


def joint(study: Table, ax: Any = None) -> Any:
    """Joint-WDC against the number l of rows of both matrices.

    Parameters
    ----------
    study : Study or path
        A sweep of ``joint-wdc``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.joint(wc.sweep("joint-wdc", k=1, l=[4, 16], budget=100))
    >>> ax.get_xlabel()
    'rows ℓ of both matrices'
    """
    ax = axes(ax)
    rows = chosen(study, *PAIRED)
    groups = _bands(rows, ax, "l")
    ax.set(xscale="log", yscale="log", xlabel="rows ℓ of both matrices", ylabel=epsilon(rows))
    return _finished(ax, groups)


def alphas(study: Table, ax: Any = None) -> Any:
    """epsilon(alpha)/alpha against alpha, and where the search for the best alpha ended.

    Parameters
    ----------
    study : Study or path
        A sweep over a list of alpha; "best" among them marks the chosen one.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInput
        No row has an alpha that was given.

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.alphas(wc.sweep(k=1, n=4, alpha=[0.5, 1.0, "best"], budget=100))
    >>> ax.get_xlabel()
    'scale α'
    """
    rows = [row for row in chosen(study) if row["alpha"] is not None]
    given = [row for row in rows if not row["calibrated"]]
    if not given:
        raise InvalidInput("study", "a list of alphas", "none but 'best'")
    ax = axes(ax)
    groups = _bands(given, ax, "alpha", lambda row: 1 / row["alpha"])
    best = [row for row in rows if row["calibrated"]]
    if best:
        x, low, high = np.array([[row["alpha"], row["lower"], row["upper"]] for row in best]).T
        low, high = low / x, np.where(np.isfinite(high), high, low) / x
        ax.errorbar(x, low, yerr=[0 * low, high - low], color="black", marker="*", markersize=7,
                    markeredgecolor="white", markeredgewidth=0.5, linestyle="none", capsize=2, zorder=5,
                    label="best α found")
    ax.set(xscale="log", xlabel="scale α", ylabel=r"$\varepsilon(\alpha)/\alpha$")
    ax.set_ylim(bottom=0)
    return _finished(ax, groups)


def _bands(
    rows: list[Row], ax: Any, column: str, scale: Callable[[Row], float] = lambda row: 1.0
) -> list[Series]:
    """Draw all groups against a column."""
    groups, names = named_groups(rows, lambda row: float(row[column]), column, scale=scale)
    styles = zip(groups, names, colors(len(groups)), markers(len(groups)), strict=True)
    for i, (series, name, color, marker) in enumerate(styles):
        draw_band(ax, series, color, marker, name, ("-", "--", ":", "-.")[i % 4])
    return groups


def _finished(ax: Any, groups: list[Series]) -> Any:
    plain_ticks(ax)
    legend(ax, groups)
    return ax
