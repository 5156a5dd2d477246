"""Lower bounds after some seconds, against other searches: a table of benchmarks/README.md.

    python benchmarks/search.py [--seconds 5,20,60] [--methods NAME,NAME] [--results FILE] [--plot FILE]
        [matrix ...]

The matrices are Gaussian, default_rng(seed).standard_normal((n, k)) / sqrt(n) with alpha = 1, named "k,n" for
seed 0 and "k,n,seed" for others (the search was not tuned on those), and the layers of the bundled generator
with the alpha of their certificates, named "digits 1" and so on. One run
per method, with the longest time, is read off at the shorter ones; printed is the bound over alpha. Seconds
are of one core (CPU time), one BLAS thread, without imports. Every bound is that of `WDC.lower_bound` at the
point found. The competitors are described in competitors.py; beyond the packages of wdccheck they need
`pip install pymanopt torch`, and what is not installed is left out. --results keeps what has been measured: a
run that was cut short goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import math
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads its own

import numpy as np
from brackets import gaussian
from competitors import METHODS, Record, TimeUp

import wdccheck as wc
from wdccheck.data import generator
from wdccheck.plots import style
from wdccheck.running import parallel
from wdccheck.running.progress import Event

Trace = list[tuple[float, float]]  # seconds, lower bound; both rise

GAUSSIAN = tuple(f"{size}{seed}" for seed in ("", ",1") for size in
                 ("10,150", "20,400", "50,500", "100,1500", "500,2000"))
ALPHAS = {"digits 1": (0, 1.12225), "digits 2": (1, 3140.83), "digits 2, alpha 741.9": (1, 741.902)}
OURS = "wdccheck"
NAMES = (OURS, *METHODS)
PACKAGES = {"pymanopt": ("pymanopt", "pymanopt.optimizers"), "torch": ("torch",)}
TIE = 1e-6  # relative


def matrix(name: str) -> tuple[np.ndarray, float]:
    if name in ALPHAS:
        layer, alpha = ALPHAS[name]
        return generator().layers[layer], alpha
    k, n, *seed = map(int, name.split(","))
    return gaussian(k, n, *seed), 1.0


def title(name: str) -> str:
    """Of a panel."""
    if name in ALPHAS:
        return name
    k, n, *seed = name.split(",")
    return f"k, n = {k}, {n}" + "".join(f"; seed {x}" for x in seed)


def ours(record: Record, seed: int) -> Trace:
    """Spectral and Ascent, one worker; a search that has ended by itself is not started again."""
    trace: Trace = [(0.0, 0.0)]

    def note(event: Event) -> None:
        if event.lower > trace[-1][1]:
            trace.append((record.elapsed(), event.lower))
        if record.elapsed() > record.seconds:
            raise KeyboardInterrupt  # ends the call, which keeps what it has

    condition = wc.WDC(record.W, record.alpha)
    wc.bracket(condition, wc.Spectral(), wc.Ascent(), rng=seed, time_limit=1e6, progress=note)
    return trace


def rival(record: Record, method: str, seed: int) -> Trace:
    with contextlib.suppress(TimeUp):
        METHODS[method](record, np.random.default_rng(seed))
    condition, trace = wc.WDC(record.W, record.alpha), [(0.0, 0.0)]
    for seconds, r, s in record.found:
        value = condition.lower_bound({"r": r, "s": s})
        if value > trace[-1][1]:
            trace.append((seconds, value))
    return trace


def measured(name: str, method: str, seconds: float, seed: int) -> Trace:
    for package in PACKAGES.get(method, ("scipy.optimize",)):
        importlib.import_module(package)  # does not count
    with parallel.one_blas_thread():
        record = Record(*matrix(name), seconds)
        return ours(record, seed) if method == OURS else rival(record, method, seed)


def at(trace: Trace, seconds: float) -> float:
    return max(value for when, value in trace if when <= seconds)


def line(name: str, budget: float, traces: dict[str, Trace]) -> str:
    """One row; values are divided by alpha."""
    alpha = matrix(name)[1]
    values = {method: at(trace, budget) / alpha for method, trace in traces.items()}
    cells = [f"{values[method]:.5f}" if method in values else "–" for method in NAMES]
    others = [value for method, value in values.items() if method != OURS]
    ratio = values[OURS] / max(others) if OURS in values and others and max(others) > 0 else math.nan
    remark = " behind" if ratio < 1 - TIE else " tie" if ratio < 1 + TIE else ""
    return f"| {name} | {budget:g} | {' | '.join(cells)} | {ratio:.4f}{remark} |"


def plot(found: dict[str, dict[str, Trace]], seconds: float, path: str) -> None:
    """Bounds over time, one panel per matrix, each divided by the best bound there."""
    with style.matplotlib().rc_context(dict(style._STYLE)):
        from matplotlib.figure import Figure

        rows = -(-len(found) // 4)
        figure = Figure(figsize=(7.4, 1.0 + 1.7 * rows), layout="constrained")
        panels = figure.subplots(rows, min(4, len(found)), sharex=True, squeeze=False).ravel()
        colors, markers = style.colors(len(NAMES)), style.markers(len(NAMES))
        for panel, (name, traces) in zip(panels, found.items(), strict=False):
            top = max(value for trace in traces.values() for _, value in trace)
            times = np.geomspace(0.1, seconds, 60)
            for method, trace in traces.items():
                i = NAMES.index(method)
                heights = np.array([at(trace, t) / top for t in times])
                panel.plot(times, np.where(heights > 0, heights, np.nan), color=colors[i], marker=markers[i],
                           markevery=(i, 10), markersize=3, label=method,
                           linewidth=1.6 if method == OURS else 0.9)
            panel.set_xscale("log")
            panel.set_title(title(name), fontsize=7)
            panel.set_xlabel("seconds of one core")
            style.plain_ticks(panel)
        for panel in panels[len(found):]:
            panel.set_axis_off()
        figure.supylabel("lower bound / best one", fontsize=8)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(NAMES))
        style.save(panels[0], path)


def load(path: str | None) -> dict[str, dict[str, Trace]]:
    return json.loads(Path(path).read_text()) if path and Path(path).exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=lambda text: [float(x) for x in text.split(",")],
                        default=[5.0, 20.0, 60.0])
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", help="JSON file that keeps what has been measured")
    parser.add_argument("--plot", help="a file for the figure: .svg, .png or .pdf")
    parser.add_argument("matrices", nargs="*", default=[*GAUSSIAN, *ALPHAS])
    arguments = parser.parse_args()
    missing = {m for m in PACKAGES if importlib.util.find_spec(m) is None} & set(arguments.methods)
    for package in sorted(missing):
        print(f"{package} is not installed (pip install {package}) and is left out\n")
    found, longest = load(arguments.results), max(arguments.seconds)
    print(f"| matrix | s | {' | '.join(NAMES)} | ours / best other |\n|{'---|' * (len(NAMES) + 3)}")
    for name in arguments.matrices:
        traces = found.setdefault(name, {})
        for method in arguments.methods:
            if method not in traces and method not in missing:
                traces[method] = measured(name, method, longest, arguments.seed)
                if arguments.results:
                    Path(arguments.results).write_text(json.dumps(found))
        for budget in arguments.seconds:
            print(line(name, budget, traces), flush=True)
    if arguments.plot:
        plot({name: found[name] for name in arguments.matrices}, longest, arguments.plot)


if __name__ == "__main__":
    main()
