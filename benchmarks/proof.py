"""Time and nodes of branch and bound: tables of benchmarks/README.md.

    python benchmarks/proof.py [--plot FILE] [--largest S] [--verdicts] [k ...]

W = default_rng(0).standard_normal((n, k)) / sqrt(n), alpha = 1, one worker, seconds of one core. A point is
the work of `BranchAndBound(gap=gap, rtol=0)` after `Spectral` and a search of 512 starts. For every k, n
grows at one gap and the gap shrinks at one n; fitted are the slopes of log(nodes) against log(n), log(1/gap).
--verdicts adds the table of "deviation <= t" from scratch, in one round, by one worker (seconds of one core)
and by two warm ones (seconds on the wall). Points that need more than --largest
million nodes are given up and marked.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
from brackets import gaussian

import wdccheck as wc
from wdccheck.plots import style

# k: (sizes n at the gap, gap), (n, its gaps)
POINTS = {
    2: (((50, 100, 200, 400), 0.002), (200, (0.01, 0.003, 0.001, 0.0003))),
    3: (((50, 100, 200, 400), 0.02), (100, (0.04, 0.02, 0.01, 0.005))),
    4: (((50, 100, 200), 0.08), (100, (0.12, 0.08, 0.05, 0.04))),
    5: (((40, 60, 80), 0.15), (60, (0.3, 0.2, 0.15, 0.12))),
    6: (((40, 60, 80), 0.3), (40, (0.4, 0.3, 0.25, 0.2))),
}
VERDICTS = ((3, 500, 0.22124, 1.44e6, 1.6), (4, 200, 0.37555, 2.77e7, 30.0),
            (5, 60, 1.03802, 1.01e7, 14.0), (6, 60, 1.46419, 1.45e7, 30.0))
"""k, n, t; nodes and seconds of an independent single-threaded implementation."""


@dataclass(frozen=True)
class Point:
    k: int
    n: int
    gap: float
    nodes: int
    seconds: float
    closed: bool


@cache
def searched(k: int, n: int) -> wc.Bracket:
    return wc.bracket(wc.WDC(gaussian(k, n)), wc.Spectral(), wc.Ascent(starts=512))


def proved(k: int, n: int, gap: float, most: int) -> Point:
    condition, known = wc.WDC(gaussian(k, n)), searched(k, n)
    begun = time.process_time()
    result = wc.bracket(condition, Known(known), wc.BranchAndBound(gap=gap, rtol=0.0, nodes=most))
    seconds, closed = time.process_time() - begun, result.gap <= gap * (1 + 1e-9)
    return Point(k, n, gap, result.engines[-1].work, seconds, closed)


@dataclass(frozen=True)
class Known:
    """An engine that hands on what an earlier call found, so that only the proof is timed."""

    bracket: wc.Bracket
    unit = "nothing"

    def improve(self, condition, known, run):
        yield self.bracket


def slope(x: list[float], y: list[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(x) > 1 else math.nan


def fitted(points: list[Point], k: int) -> tuple[float, float]:
    """Powers of n and of 1/gap by which the nodes grow."""
    (_, gap), (n, _) = POINTS[k]
    mine = [p for p in points if p.k == k and p.closed]
    wide, fine = [p for p in mine if p.gap == gap], [p for p in mine if p.n == n]
    return (slope([p.n for p in wide], [p.nodes for p in wide]),
            slope([1 / p.gap for p in fine], [p.nodes for p in fine]))


def verdicts(chosen: list[int]) -> None:
    print("\n| k, n | t | nodes | s | µs per node | 2 workers, s | known nodes | known s | nodes ÷ | s ÷ "
          "| 2: s ÷ |\n|" + 11 * "---|")
    for k, n, t, nodes, seconds in VERDICTS:
        if k not in chosen:
            continue
        condition = wc.WDC(gaussian(k, n))
        begun = time.process_time()
        result = wc.bracket(condition, wc.BranchAndBound(nodes=10**8), target=t)
        taken, work = time.process_time() - begun, result.engines[-1].work
        wc.bracket(condition, wc.BranchAndBound(nodes=500_000), target=t, workers=2)
        begun = time.monotonic()
        wc.bracket(condition, wc.BranchAndBound(nodes=10**8), target=t, workers=2)
        both = time.monotonic() - begun
        verdict = "" if result.upper <= t else f" ({result.verdict(t).name.lower()})"
        print(f"| {k}, {n} | {t}{verdict} | {work:,} | {taken:.2f} | {taken / work * 1e6:.2f} | "
              f"{both:.2f} | {nodes:,.0f} | {seconds:g} | {nodes / work:.1f} | {seconds / taken:.1f} | "
              f"{seconds / both:.1f} |", flush=True)


def plot(points: list[Point], chosen: list[int], path: str) -> None:
    with style.matplotlib().rc_context(dict(style._STYLE)):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for k, color, marker in zip(POINTS, *(look(len(POINTS)) for look in (style.colors, style.markers)),
                                    strict=True):
            (_, gap), (n, _) = POINTS[k]
            by_n, by_gap = fitted(points, k) if k in chosen else (0.0, 0.0)
            for ax, x, mine, power in (
                    (left, "n", [p for p in points if p.k == k and p.gap == gap and p.closed], by_n),
                    (right, "gap", [p for p in points if p.k == k and p.n == n and p.closed], by_gap)):
                fixed = f"gap {gap:g}" if ax is left else f"n = {n}"
                if mine:
                    mine = sorted(mine, key=lambda p: getattr(p, x))
                    where = [1 / p.gap if x == "gap" else p.n for p in mine]
                    ax.plot(where, [p.nodes for p in mine], color=color, marker=marker,
                            label=f"k = {k}, {fixed}: power {power:.1f}")
        left.set(xscale="log", yscale="log", xlabel="rows n", ylabel="nodes")
        right.set(xscale="log", yscale="log", xlabel="1 / gap")
        left.set_ylim(top=50 * max(p.nodes for p in points))  # room for the legends
        for ax in (left, right):
            style.plain_ticks(ax)
            ax.legend()
        style.save(left, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plot", help="a file for the figure: .svg, .png or .pdf")
    parser.add_argument("--largest", type=float, default=20.0, help="millions of nodes of one point")
    parser.add_argument("--verdicts", action="store_true")
    parser.add_argument("k", nargs="*", type=int, default=list(POINTS))
    arguments = parser.parse_args()
    points: list[Point] = []
    print("| k, n | gap | nodes | s | µs per node |\n|---|---|---|---|---|")
    for k in arguments.k:
        (sizes, gap), (n, gaps) = POINTS[k]
        for size, goal in dict.fromkeys([*((m, gap) for m in sizes), *((n, g) for g in gaps)]):
            p = proved(k, size, goal, int(arguments.largest * 1e6))
            points.append(p)
            rest = "" if p.closed else " (given up)"
            print(f"| {k}, {size} | {goal:g} | {p.nodes:,}{rest} | {p.seconds:.2f} | "
                  f"{p.seconds / max(p.nodes, 1) * 1e6:.2f} |", flush=True)
    print("\n| k | nodes grow as n to the | as 1/gap to the |\n|---|---|---|")
    for k in arguments.k:
        print("| {} | {:.2f} | {:.2f} |".format(k, *fitted(points, k)))
    if arguments.verdicts:
        verdicts(arguments.k)
    if arguments.plot:
        plot(points, arguments.k, arguments.plot)


if __name__ == "__main__":
    main()
