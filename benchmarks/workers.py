"""One worker against several: the same work, the same result, the ratio of the times.

    python benchmarks/workers.py [--seconds S] [--workers N] [--scheduler ADDRESS]

W = default_rng(0).standard_normal((n, k)) / sqrt(n). The work is what takes about S seconds with one worker;
with --scheduler the other run is that of the cluster. Workers are started before the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable

import numpy as np

import wdccheck as wc
from wdccheck.running.parallel import available, cluster
from wdccheck.running.run import Engine

# the engine with a budget, the budget of a first look, k, n
ROWS: dict[str, tuple[Callable[[int], Engine], int, int, int]] = {
    "MonteCarlo": (lambda work: wc.MonteCarlo(work), 2**16, 10, 400),
    "Ascent": (lambda work: wc.Ascent(work), 256, 100, 1500),
    "BranchAndBound": (lambda work: wc.BranchAndBound(rtol=0.0, nodes=work), 200_000, 4, 200),
}


def timed(condition: wc.WDC, engine: Engine, workers: int) -> tuple[float, wc.Bracket]:
    begun = time.monotonic()
    known = wc.bracket(condition, wc.Spectral(), engine, workers=workers)
    return time.monotonic() - begun, known


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler")
    arguments = parser.parse_args()
    heads = {"engine": 16, "work": 12, "1 worker, s": 12, "workers": 8, "s": 8, "ratio": 7, "efficiency": 10}
    print("  ".join(f"{head:>{width}}" for head, width in heads.items()))
    for name, (engine, few, k, n) in ROWS.items():
        condition = wc.WDC(np.random.default_rng(0).standard_normal((n, k)) / np.sqrt(n))
        timed(condition, engine(1), 1)  # imports and caches
        work = int(few * max(1.0, arguments.seconds / timed(condition, engine(few), 1)[0]))
        alone, one = timed(condition, engine(work), 1)
        place = cluster(arguments.scheduler) if arguments.scheduler else contextlib.nullcontext()
        with place:
            workers = available(arguments.workers)
            timed(condition, engine(few), workers)
            together, several = timed(condition, engine(work), workers)
        assert (one.lower, one.upper) == (several.lower, several.upper)
        ratio = alone / together
        print(f"{name:>16}  {work:12,}  {alone:12.2f}  {workers:8}  {together:8.2f}  {ratio:7.2f}"
              f"  {ratio / workers:10.2f}", flush=True)


if __name__ == "__main__":
    main()
