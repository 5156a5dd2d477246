"""What all figures share: matplotlib, imported when it is needed, and a paper's style."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wdccheck import result_files
from wdccheck.errors import InvalidInput

__all__ = ["SUFFIXES", "axes", "check", "colors", "figure", "markers", "plain_ticks", "save"]

SUFFIXES = (".pdf", ".png", ".svg")
"""The kinds of files that a figure can be saved as."""
_MARKERS = "osD^vPX"
_STYLE: Mapping[str, Any] = {
    "font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 6.5, "xtick.labelsize": 7,
    "ytick.labelsize": 7, "axes.linewidth": 0.6, "lines.linewidth": 1.0, "lines.markersize": 3.5,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "pdf.fonttype": 42,
    "svg.hashsalt": "wdccheck", "savefig.dpi": 200, "figure.dpi": 120,
}
_SIZE = (6.0, 3.5)  # inches: the width of a page


def matplotlib() -> Any:
    """The package, or the reason why there are no figures."""
    try:
        import matplotlib
    except ImportError:
        raise InvalidInput("plots", "matplotlib (pip install 'wdccheck[plot]')", "no such package") from None
    return matplotlib


def figure() -> Any:
    """Axes of a figure of its own that no window shows."""
    with matplotlib().rc_context(dict(_STYLE)):
        from matplotlib.figure import Figure

        return Figure(figsize=_SIZE, layout="constrained").add_subplot()


def axes(ax: Any = None) -> Any:
    """`ax`, or new axes in the style of this package, shown where pyplot shows figures."""
    if ax is not None:
        return ax
    package = matplotlib()
    with package.rc_context(dict(_STYLE)):
        from matplotlib import pyplot

        made = pyplot.subplots(figsize=_SIZE, layout="constrained")[1]
        interactive = package.is_interactive()  # the backend of a notebook turns it on with its first figure
    package.interactive(interactive)  # without it, later figures would not show
    return made


def colors(count: int) -> list[Any]:
    """`count` colors from dark to light, told apart by every eye and in grey print."""
    chosen = matplotlib().colormaps["cividis"]
    return [chosen(0.8 * i / max(count - 1, 1)) for i in range(count)]


def markers(count: int) -> list[str]:
    """One per group, so that grey print tells them apart."""
    return [_MARKERS[i % len(_MARKERS)] for i in range(count)]


def plain_ticks(ax: Any) -> None:
    """1, 10, 100 and not powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, scale in ((ax.xaxis, ax.get_xscale()), (ax.yaxis, ax.get_yscale())):
        if scale == "log":
            low, high = axis.get_view_interval()
            if high < 100 * low:
                labeled = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 5, 7)
                axis.set_major_locator(LogLocator(subs=labeled))
            axis.set_major_formatter(FuncFormatter(_number))
            axis.set_minor_formatter(NullFormatter())


def _number(value: float, _: int) -> str:
    return f"{value:g}"


def check(path: str | os.PathLike[str]) -> None:
    """Refuse what no figure can be saved as.

    Raises
    ------
    InvalidInput
        No matplotlib, another suffix, or no writable folder.
    """
    matplotlib()
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise InvalidInput(str(path), f"a name that ends in {', '.join(SUFFIXES)}", target.suffix or "none")
    result_files.check_target(target)


def save(ax: Any, path: str | os.PathLike[str]) -> None:
    """Write the figure of `ax` as PDF, PNG or SVG, the same bytes every time.

    Raises
    ------
    InvalidInput
        Another suffix, or a file that cannot be written.
    """
    check(path)
    stamp = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    suffix, drawn = Path(path).suffix, io.BytesIO()
    with matplotlib().rc_context(dict(_STYLE)):
        ax.figure.savefig(drawn, format=suffix[1:], metadata=stamp[suffix])
    result_files.write_bytes(path, drawn.getvalue())
