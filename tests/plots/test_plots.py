"""Figures: what they show, of tables whose law is known; files; what happens without matplotlib."""

from __future__ import annotations

import math
import sys
from itertools import pairwise

import numpy as np
import pytest

import wdccheck as wc
from wdccheck import plots
from wdccheck.plots import series, style
from wdccheck.studies.studies import COLUMNS, Study


def row(**values):
    known = {"condition": "wdc", "distribution": "gaussian", "k": 3, "n": 30, "depth": 1, "alpha": 1.0,
             "calibrated": False, "repetition": 0, "lower": 0.5, "upper": 0.6}
    return {**dict.fromkeys(COLUMNS), **known, **values}


def law(c=2.0, gap=1.1, ks=(2, 5), **values):
    """epsilon = c sqrt(k/n) times a factor that differs by repetition; `upper` is `gap` times it."""
    return Study(tuple(
        row(k=k, n=k * ratio, repetition=i, lower=c * factor / math.sqrt(ratio),
            upper=gap * c * factor / math.sqrt(ratio), **values)
        for k in ks for ratio in (2, 10, 30, 100, 300) for i, factor in enumerate((0.9, 1.0, 1.1))))


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


KINDS = {
    "width": law(),
    "expansion": law(),
    "contraction": Study(tuple(row(condition=kind, depth=2, hidden=16, n=n, k=2) for kind in ("wdc", "r2wdc")
                               for n in (8, 16, 64))),
    "measurements": Study(tuple(row(condition="rric", m=m, alpha=None) for m in (4, 16, 64))),
    "joint": Study(tuple(row(condition="joint-wdc", l=rows, n=None, depth=None) for rows in (4, 16, 64))),
    "alphas": Study((*(row(alpha=a) for a in (0.5, 1.0, 2.0)), row(alpha=1.1, calibrated=True))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_takes_and_returns_axes(kind, tmp_path):
    KINDS[kind].save(tmp_path / "results.csv")
    for table in (KINDS[kind], tmp_path / "results.csv"):
        ax = plots.figure()
        assert plots.draw(table, kind, ax) is ax
        assert ax.get_xlabel() and ax.get_ylabel() and texts(ax)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_what_varies(kind):
    drawn, named = (plots.draw(KINDS[kind], name, plots.figure()) for name in (None, kind))
    if kind != "expansion":  # the same table as `width`
        assert drawn.get_xlabel() == named.get_xlabel()


def test_the_slope_of_a_power_law_is_found_with_its_interval():
    ax = plots.width(law(), plots.figure())
    assert {"k = 2, slope −0.50 ± 0.05", "k = 5, slope −0.50 ± 0.05"} <= set(texts(ax))
    assert r"$2.00\,\sqrt{k/n}$" in texts(ax)
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_an_rric_against_width_claims_no_law():
    same = Study(tuple(row(condition="rric", n=n, m=16, alpha=None) for n in (30, 100, 300, 1000)))
    ax = plots.draw(same, None, plots.figure())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width n", r"RRIC $\varepsilon$")
    assert not any("slope" in text or "sqrt" in text for text in texts(ax))


@pytest.mark.parametrize(("ks", "guides"), [((4,), 1), ((1, 4), 1), ((1, 4, 9), 2), ((4, 9), 2)])
def test_laws_that_would_coincide_are_drawn_once(ks, guides):
    ax = plots.width(law(ks=ks), plots.figure())
    assert sum("sqrt" in text for text in texts(ax)) == guides
    drawn = [line.get_xydata() for line in ax.get_lines() if line.get_linewidth() == 0.7]
    lines = [xy.tobytes() for xy in drawn if len(xy)]
    assert len(lines) == len(set(lines)) == min(len(ks), 2) + 2 * (guides - 1)


def test_the_interval_covers_the_slope_as_often_as_it_says():
    rng, x = np.random.default_rng(0), np.repeat([10.0, 30.0, 100.0], 4)
    hits = 0
    for _ in range(400):
        y = x**-0.5 * np.exp(0.3 * rng.standard_normal(len(x)))
        slope, half, _ = series.fitted(series._series((1,), np.array([x, y, y]).T), 0.0)
        hits += abs(slope + 0.5) <= half
    assert 0.92 <= hits / 400 <= 0.98


def test_no_slope_of_two_widths():
    two = Study(tuple(row(k=1, n=n, lower=1 / n, upper=1.0) for n in (20, 40)))
    assert not any("slope" in text for text in texts(plots.width(two, plots.figure())))


def test_the_expansion_law_is_level():
    ax = plots.expansion(law(c=2.5), plots.figure())
    lines = [line for line in ax.get_lines() if line.get_marker() in "os" and len(line.get_xdata()) == 5]
    assert lines and all(np.allclose(line.get_ydata(), 2.5) for line in lines)


def test_bounds_stay_apart():
    """The line is the median of the lower bounds, the band ends at that of the upper ones."""
    ax = plots.width(law(c=1.0, gap=1.2, ks=(4,)), plots.figure(), guides=False)
    (band,) = [x for x in ax.collections if type(x).__name__.endswith("PolyCollection")]
    y = band.get_paths()[0].vertices[:, 1]
    assert y.max() == pytest.approx(1.2 / math.sqrt(2)) and y.min() == pytest.approx(1 / math.sqrt(300))
    assert "upper bound farther off" not in texts(ax)


@pytest.mark.parametrize("upper", [1.4, math.inf])
def test_a_distant_upper_bound_is_no_band(upper):
    caps = Study(tuple(row(n=n, lower=2 / math.sqrt(n), upper=upper) for n in (30, 300, 3000)))
    ax = plots.width(caps, plots.figure())
    assert "up to the upper bound" not in texts(ax) and "upper bound farther off" in texts(ax)
    assert "10–90 % of repetitions" not in texts(ax)
    assert np.isfinite(ax.get_ylim()).all() and ax.get_ylim()[1] < 10


def test_dashes_start_where_the_band_ends():
    uppers = {8: 1.1, 16: 1.1, 32: 1.1, 64: 9.0}
    ends = Study(tuple(row(n=n, lower=1.0, upper=upper) for n, upper in uppers.items()))
    (dashed,) = (line for line in plots.width(ends, plots.figure(), guides=False).get_lines()
                 if line.get_markerfacecolor() == "white")
    x, y = dashed.get_data()
    assert x[np.isfinite(y)].tolist() == [32, 64] and dashed.get_markevery() == [3]


def test_groups_are_told_apart():
    mixed = Study(tuple(row(distribution=name, n=n, k=k) for name in ("gaussian", "sphere")
                        for n in (10, 20, 40) for k in (2, 3)))
    assert sum("k = 2" in text for text in texts(plots.width(mixed, plots.figure()))) == 2
    two = Study(tuple(row(n=n, alpha=alpha) for n in (20, 40) for alpha in (0.5, 1.0)))
    assert {"k = 3, n = 20", "k = 3, n = 40"} <= set(texts(plots.alphas(two, plots.figure())))


def test_alphas_are_ratios():
    ax = plots.alphas(KINDS["alphas"], plots.figure())
    heights = [line.get_ydata() for line in ax.get_lines() if line.get_marker() == "o"]
    assert np.allclose(heights[0], [1.0, 0.5, 0.25])
    assert "best α found" in texts(ax)


def test_trained_layers_beside_random_ones():
    report = wc.certify([np.eye(2), 3 * np.ones((1, 2))], alpha=2.0, time_limit=1)
    ax = plots.trained(law(ks=(2,)), report.rows, plots.figure())
    assert {"trained layer 1, 2 × 2", "trained layer 2, 1 × 2"} <= set(texts(ax))
    marks = [line for line in ax.get_lines() if line.get_marker() in "*X"]
    assert [float(line.get_ydata()[0]) for line in marks] == [r.least.lower for r in report.rows[:2]]


def test_colors_are_told_apart_in_grey():
    for count in (1, 2, 5, 7):
        grey = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b, _ in style.colors(count)]
        assert all(b - a > 0.05 for a, b in pairwise(grey)) and max(grey) < 0.75


@pytest.mark.parametrize("suffix", plots.SUFFIXES)
def test_files_are_the_same_every_time(tmp_path, suffix):
    for name in ("a", "b"):
        plots.save(plots.width(law(), plots.figure()), tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second and len(first) > 3000


@pytest.mark.parametrize("name", ["x.gif", "x", "none/x.png"])
def test_unusable_names(tmp_path, name):
    with pytest.raises(wc.InvalidInput, match=r"a name that ends in|can be written"):
        plots.save(plots.figure(), tmp_path / name)


def test_axes_of_their_own_are_pyplots():
    from matplotlib import pyplot

    ax = plots.width(law())
    assert pyplot.fignum_exists(ax.figure.number)
    pyplot.close(ax.figure)


def test_nothing_to_draw():
    failed = Study((row(lower=None, upper=None, error="x"),))
    with pytest.raises(wc.InvalidInput, match="rows of wdc or r2wdc or rric"):
        plots.width(failed, plots.figure())
    with pytest.raises(wc.InvalidInput, match="a list of alphas"):
        plots.alphas(Study((row(calibrated=True),)), plots.figure())


def test_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for call in (plots.figure, lambda: plots.width(law()), lambda: plots.check(tmp_path / "x.png")):
        with pytest.raises(wc.InvalidInput, match=r"pip install 'wdccheck\[plot\]'"):
            call()
