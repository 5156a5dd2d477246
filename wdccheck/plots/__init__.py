"""Figures of a study: each takes axes or makes them, and returns them. matplotlib is needed.

Examples
--------
>>> import wdccheck as wc
>>> ax = wc.plots.width(wc.sweep(k=1, n=[4, 8], budget=100))
>>> ax.get_xscale()
'log'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wdccheck.kinds import with_slug
from wdccheck.plots.laws import expansion, trained, width
from wdccheck.plots.others import alphas, contraction, joint, measurements
from wdccheck.plots.series import Table, chosen
from wdccheck.plots.style import SUFFIXES, check, figure, save

__all__ = [
    "SUFFIXES", "alphas", "check", "contraction", "draw", "expansion", "figure", "joint", "measurements",
    "save", "trained", "width",
]


def draw(study: Table, kind: str | None = None, ax: Any = None) -> Any:
    """The figure of that name, or the one that shows what varies in the study.

    Parameters
    ----------
    study : Study or path
    kind : str, optional
        ``width``, ``expansion``, ``contraction``, ``measurements``, ``joint`` or ``alphas``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import wdccheck as wc
    >>> ax = wc.plots.draw(wc.sweep("joint-wdc", k=1, l=[2, 4], budget=100))
    >>> ax.get_xlabel()
    'rows ℓ of both matrices'
    """
    kinds: dict[str, Callable[[Table, Any], Any]] = {
        "width": width, "expansion": expansion, "contraction": contraction, "measurements": measurements,
        "joint": joint, "alphas": alphas}
    return kinds[kind or _kind(study)](study, ax)


def _kind(study: Table) -> str:
    rows = chosen(study)
    kinds = [with_slug(slug) for slug in {row["condition"] for row in rows}]
    if all(kind.measured for kind in kinds) and len({row["m"] for row in rows}) == 1:
        return "width"
    if not all(kind.per_layer for kind in kinds):
        return "measurements" if any(kind.measured for kind in kinds) else "joint"
    if len({row["alpha"] for row in rows if not row["calibrated"]}) > 1:
        return "alphas"
    return "contraction" if len(kinds) > 1 else "width"
