"""Cells of central arrangements per second: a table of benchmarks/README.md.

    python benchmarks/cells.py [--plot FILE] [--cells N] [k,n ...]

`wdccheck.geometry.arrangements.topes` lists the exact sign vectors of all open cells of the hyperplanes
w_i.x = 0, W = default_rng(0).standard_normal((n, k)). Their number is checked by Fact 15:
2 sum_{j<k} C(n-1, j).

relucent (`pip install relucent`) explores the cells of a network, here one layer W without a bias and a
ReLU, whose cells are the same ones: breadth first from a random point, one worker, no further geometry, no
certification at the end. It is stopped after --cells cells, not tried for n > 50, and left out where it is
not installed. Seconds are of one core: CPU time, that of relucent's worker process included.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import os
import time
from math import comb

import numpy as np

from wdccheck.geometry.arrangements import topes
from wdccheck.plots import style
from wdccheck.running import parallel

SIZES = [(3, 10), (3, 30), (3, 100), (3, 300), (4, 10), (4, 20), (4, 50), (4, 100)]
TARGET = 1e4  # cells per second at k = 3


def cells(k: int, n: int) -> int:
    """Fact 15."""
    return 2 * sum(comb(n - 1, j) for j in range(k))


def ours(W: np.ndarray) -> tuple[int, float]:
    begun = time.process_time()
    found = topes(W, limit=10**7)
    return len(found), time.process_time() - begun


def relucent(W: np.ndarray, most: int) -> tuple[int, float]:
    from relucent import Complex
    from relucent.model.model import LinearLayer, ReLULayer, ReLUNetwork

    logging.disable(logging.WARNING)
    network = ReLUNetwork([LinearLayer(W, np.zeros((1, len(W)))), ReLULayer()])
    start = np.random.default_rng(1).standard_normal((1, W.shape[1]))
    begun = sum(os.times()[:4])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = Complex(network)
        found.bfs(start, nworkers=1, max_polys=most, verify=False, verbose=0)
    return len(found), sum(os.times()[:4]) - begun  # with those of processes that have ended


def plot(rows: list[tuple[int, int, float, float]], path: str) -> None:
    ax = style.figure()
    dark, light = style.colors(2)
    for k, line in ((3, "-"), (4, "--")):
        for i, (name, look) in enumerate((("wdccheck", (dark, "o")), ("relucent", (light, "s")))):
            points = [(row[1], row[2 + i]) for row in rows if row[0] == k and row[2 + i] > 0]
            if points:
                ax.plot(*zip(*points, strict=True), line, color=look[0], marker=look[1],
                        label=f"{name}, k = {k}")
    ax.axhline(TARGET, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    ax.annotate("asked at k = 3", (1, TARGET), xycoords=("axes fraction", "data"), ha="right",
                va="bottom", fontsize=6.5, color="0.35")
    ax.set(xscale="log", yscale="log", xlabel="hyperplanes n", ylabel="cells per second of one core")
    style.plain_ticks(ax)
    ax.legend()
    style.save(ax, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plot", help="a file for the figure: .svg, .png or .pdf")
    parser.add_argument("--cells", type=int, default=40, help="of relucent on one matrix")
    parser.add_argument("sizes", nargs="*", help="k,n")
    arguments = parser.parse_args()
    sizes = [tuple(map(int, size.split(","))) for size in arguments.sizes] or SIZES
    installed = importlib.util.find_spec("relucent") is not None
    if not installed:
        print("relucent is not installed (pip install relucent) and is left out\n")
    print("| k, n | Fact 15 | found | seconds | cells/s | relucent: cells | seconds | cells/s | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for k, n in sizes:
        W = np.random.default_rng(0).standard_normal((n, k))
        with parallel.one_blas_thread():
            count, seconds = ours(W)
            if count != cells(k, n):
                raise SystemExit(f"k = {k}, n = {n}: {count} cells instead of {cells(k, n)}")
            text, rate, other = "– | – | – | –", count / seconds, 0.0
            if installed and n <= 50:
                number, taken = relucent(W, arguments.cells)
                other = number / taken
                text = f"{number:,} | {taken:.1f} | {other:.1f} | {rate / other:,.0f}"
        rows.append((k, n, rate, other))
        print(f"| {k}, {n} | {cells(k, n):,} | {count:,} | {seconds:.3f} | {rate:,.0f} | {text} |",
              flush=True)
    if arguments.plot:
        plot(rows, arguments.plot)


if __name__ == "__main__":
    main()
