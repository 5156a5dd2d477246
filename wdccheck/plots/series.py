"""From the rows of a study to what is drawn: groups, and quantiles over their repetitions."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.kinds import KINDS, with_slug
from wdccheck.studies.studies import Study

__all__ = [
    "LAYERS", "LONE", "MEASURED", "PAIRED", "QUANTILES", "Row", "Series", "Table", "chosen", "draw_band",
    "epsilon", "fitted", "legend", "named_groups",
]

Table = Study | str | os.PathLike[str]
Row = Mapping[str, Any]

LAYERS = tuple(kind.slug for kind in KINDS if kind.per_layer)
LONE = tuple(kind.slug for kind in KINDS if kind.needs == ("layer",))
MEASURED = tuple(kind.slug for kind in KINDS if kind.measured)
PAIRED = tuple(kind.slug for kind in KINDS if kind.paired)

QUANTILES = (0.1, 0.5, 0.9)
"""Quantiles over the repetitions: the ends of the whiskers, and the line."""
_NAMES = {
    "k": "k = {}", "condition": "{}", "distribution": "{}", "n": "n = {}", "depth": "depth {}",
    "hidden": "hidden {}", "m": "m = {}", "l": "ℓ = {}", "alpha": "α = {:g}"}
_NONE = 1e300  # stands for an upper bound that there is not
_CLOSED = 1.5  # a band is drawn where the median upper bound is within this factor of the lower


@dataclass(frozen=True, eq=False)
class Series:
    """One group of a figure: quantiles of both bounds at each x, arrays of shape (3, N).

    `rows` holds the repetitions themselves, as x, lower and upper.
    """

    key: tuple[Any, ...]
    x: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rows: np.ndarray

    @property
    def closed(self) -> np.ndarray:
        """Where the upper bound is more than a distant cap."""
        return self.upper[1] <= _CLOSED * self.lower[1]


def chosen(table: Table, *conditions: str) -> list[Row]:
    """The rows of these conditions that have bounds.

    Raises
    ------
    InvalidInput
        There are none.
    """
    study = table if isinstance(table, Study) else Study.load(table)
    rows = [row for row in study.rows
            if row["lower"] is not None and (not conditions or row["condition"] in conditions)]
    if not rows:
        raise InvalidInput("study", f"rows of {' or '.join(conditions) or 'any condition'}", "none")
    return rows


def named_groups(
    rows: Sequence[Row], x: Callable[[Row], float], *columns: str,
    scale: Callable[[Row], float] = lambda row: 1.0,
) -> tuple[list[Series], list[str]]:
    """Groups by k and whatever else differs in the study, and their names.

    `columns` are those that `x` stands for, `scale` is a factor of both bounds.
    """
    dropped = {"k", *columns} | ({"alpha"} if any(row["calibrated"] for row in rows) else set())
    by = ["k", *(name for name in _NAMES if name not in dropped and len({row[name] for row in rows}) > 1)]
    groups: dict[tuple[Any, ...], list[tuple[float, float, float]]] = {}
    for row in rows:
        point = (x(row), row["lower"] * scale(row), row["upper"] * scale(row))
        groups.setdefault(tuple(row[name] for name in by), []).append(point)
    found = [_series(key, np.array(points)) for key, points in sorted(groups.items(), key=_order)]
    return found, [_name(by, series.key) for series in found]


def _name(by: Sequence[str], key: Sequence[Any]) -> str:
    words = (_NAMES[column].format(value.upper() if column == "condition" else value)
             for column, value in zip(by, key, strict=True) if value is not None)
    return ", ".join(words)


def _order(item: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
    return tuple((value is not None, value if value is not None else 0) for value in item[0])


def _series(key: tuple[Any, ...], points: np.ndarray) -> Series:
    x = np.unique(points[:, 0])
    points[:, 2] = np.minimum(points[:, 2], _NONE)  # infinity has no quantiles
    bounds = [np.array([np.quantile(points[points[:, 0] == value, side], QUANTILES)
                        for value in x]).T for side in (1, 2)]
    return Series(key, x, bounds[0], bounds[1], points)


def draw_band(ax: Any, series: Series, color: Any, marker: str, label: str, line: str = "-") -> None:
    """Medians of both bounds, a band between them where they are close, whiskers over repetitions.

    An upper bound that is far away is drawn by itself, dashed.
    """
    low, middle, high = series.lower
    spread = [middle - low, high - middle]
    ax.errorbar(series.x, middle, yerr=spread, color=color, marker=marker, linestyle=line, label=label,
                elinewidth=0.7, capsize=1.5, linewidth=1.0, markersize=3.5, zorder=3)
    top, near = series.upper[1], series.closed
    finite = top < _NONE / 2
    ax.fill_between(series.x, middle, np.where(finite, top, middle), where=near, color=color, alpha=0.3,
                    linewidth=0)
    ax.plot(series.x, np.where(near & finite, top, np.nan), color=color, linewidth=0.6, linestyle=line)
    if (~near & finite).any():
        far = np.pad(~near, 1)
        beside = far[:-2] | far[1:-1] | far[2:]  # the dashes start where the band ends
        ax.plot(series.x, np.where(beside & finite, top, np.nan), color=color, linewidth=0.7, marker=marker,
                markevery=np.flatnonzero(~near & finite).tolist(), markerfacecolor="white", markersize=3,
                linestyle=(0, (4, 2)), zorder=2)


def epsilon(rows: Sequence[Row]) -> str:
    """The label of an axis of epsilon: which conditions it is of."""
    kinds = dict.fromkeys(with_slug(row["condition"]).name for row in rows)
    return rf"{', '.join(kinds)} $\varepsilon$"


def legend(ax: Any, groups: Sequence[Series]) -> None:
    """A legend beside the axes, where it hides nothing: the groups, then all else, then what signs mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dashed = Line2D([], [], color="0.3", linewidth=0.7, linestyle=(0, (4, 2)), marker="o", markersize=3,
                    markerfacecolor="white")
    signs = [(True, Line2D([], [], color="0.3", linewidth=1.0), "lower bound (median)"),
             (any(series.closed.any() for series in groups),
              Patch(facecolor="0.8", edgecolor="0.3", linewidth=0.6), "up to the upper bound"),
             (any((~series.closed).any() for series in groups), dashed, "upper bound farther off"),
             (any(len(series.rows) > len(series.x) for series in groups),
              Line2D([], [], color="0.3", linewidth=0, marker="|", markersize=8), "10–90 % of repetitions")]
    drawn = list(zip(*ax.get_legend_handles_labels(), strict=True))
    drawn.sort(key=lambda item: isinstance(item[0], Line2D | Patch))
    drawn += [(handle, text) for wanted, handle, text in signs if wanted]
    ax.legend([handle for handle, _ in drawn], [text for _, text in drawn], loc="upper left",
              bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, fontsize=6.5, frameon=False, handlelength=2.4)


def fitted(series: Series, start: float) -> tuple[float, float, float] | None:
    """Slope of log(lower bound) against log(x), half its 95 % confidence interval, and the intercept.

    Over all repetitions with x >= `start`; None for fewer than three x. An estimate, not a bound.
    """
    from scipy.stats import linregress
    from scipy.stats import t as student

    kept = series.rows[(series.rows[:, 0] >= start) & (series.rows[:, 1] > 0)]
    if len(np.unique(kept[:, 0])) < 3:
        return None
    line = linregress(np.log(kept[:, 0]), np.log(kept[:, 1]))
    half = float(student.ppf(0.975, len(kept) - 2)) * float(line.stderr)
    return float(line.slope), half, math.exp(float(line.intercept))
