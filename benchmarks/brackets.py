"""Brackets of Gaussian layers against the clock: the table of benchmarks/README.md.

    python benchmarks/brackets.py [--workers N] [k,n ...]

W = default_rng(0).standard_normal((n, k)) / sqrt(n). Lower bounds: Spectral and Ascent, 20 s.
Brackets: the default search, then branch and bound to the gap of the row.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import wdccheck as wc

# k, n: lower and gap that an independent implementation reached; seconds allowed for the bracket
ROWS = {
    (2, 200): (0.2009, 0.0001, 20), (3, 100): (0.4128, 0.0051, 20), (4, 50): (0.5938, 0.05, 90),
    (3, 500): (None, 0.01, 4), (4, 200): (0.3555, 0.01, 40), (5, 100): (None, 0.05, 60),
    (6, 60): (None, 0.15, 90), (10, 100): (1.2746, None, None), (10, 1000): (0.2657, None, None),
    (50, 500): (0.929, None, None), (100, 2000): (0.496, None, None), (500, 2000): (None, None, None),
}


def gaussian(k: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=-1)
    parser.add_argument("sizes", nargs="*", help="k,n")
    arguments = parser.parse_args()
    chosen = [tuple(map(int, size.split(","))) for size in arguments.sizes] or list(ROWS)
    heads = {"k, n": 10, "known": 7, "lower in 20 s": 14, "ratio": 8, "bracket": 20, "gap": 8, "s": 6}
    print("  ".join(f"{head:>{width}}" for head, width in heads.items()))
    for k, n in chosen:
        known, gap, seconds = ROWS.get((k, n), (None, None, None))
        condition = wc.WDC(gaussian(k, n))
        limit = 60 if n * k > 500_000 else 20
        search = wc.bracket(condition, wc.Spectral(), wc.Ascent(), time_limit=limit,
                            workers=arguments.workers)
        ratio = f"{search.lower / known:8.4f}" if known else " " * 8
        line = f"{f'{k}, {n}':>10}  {known or '-':>7}  {search.lower:14.5f}  {ratio}"
        if gap:
            begun = time.monotonic()
            engines = (wc.Spectral(), wc.MonteCarlo(), wc.Ascent(), wc.BranchAndBound(gap=gap, rtol=0.0))
            both = wc.bracket(condition, *engines, time_limit=seconds, workers=arguments.workers)
            elapsed = time.monotonic() - begun
            line += f"  {both.lower:9.5f}, {both.upper:8.5f}  {both.gap:8.5f}  {elapsed:6.1f}"
        else:
            line += f"  cap {search.upper:15.5f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
