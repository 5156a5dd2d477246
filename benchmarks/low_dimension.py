"""Whether a search depends on luck: lower bounds at k = 3 to 8, five seeds a matrix, against the best known.

    python benchmarks/low_dimension.py [--quick] [--seconds 20] [--seeds 5] [--results FILE] [matrix ...]
    python benchmarks/low_dimension.py --seconds 120 --best

W = default_rng(seed).standard_normal((n, k)) / sqrt(n) with alpha = 1, named "k,n,seed". A run is `Spectral`
and `Ascent` with one worker, cut after some seconds of CPU: 20 are ten of two cores. A search that has ended
by itself is not started again. BEST is the best that any run found; `--best` prints that of this one.
Printed are the shares of the best value known, in percent short of it, and the seconds in which each run came
within 0.1 percent. --quick: two matrices, two seeds, 2 seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from brackets import gaussian

import wdccheck as wc
from wdccheck.running.progress import Event

Trace = list[tuple[float, float]]  # CPU seconds, lower bound; both rise

SIZES = ("3,60", "3,120", "3,200", "4,50", "4,100", "4,160", "5,60", "5,90", "5,100", "5,200",
         "6,50", "6,80", "6,120", "6,200", "7,70", "7,110", "7,150", "8,60", "8,120", "8,180")
NAMES = tuple(f"{size},{7001 + i}" for i, size in enumerate(SIZES))
BEST: dict[str, float] = {
    "3,60,7001": 0.704142, "3,120,7002": 0.456926, "3,200,7003": 0.355729, "4,50,7004": 0.656592,
    "4,100,7005": 0.440976, "4,160,7006": 0.377276, "5,60,7007": 0.918995, "5,90,7008": 0.629780,
    "5,100,7009": 0.758457, "5,200,7010": 0.528792, "6,50,7011": 0.955963, "6,80,7012": 0.825139,
    "6,120,7013": 0.707777, "6,200,7014": 0.536792, "7,70,7015": 0.801038, "7,110,7016": 0.843614,
    "7,150,7017": 0.709038, "8,60,7018": 1.223829, "8,120,7019": 0.960569, "8,180,7020": 0.667563,
}
NEAR, FAR = 0.1, 0.5  # percent


def searched(name: str, seed: int, seconds: float) -> Trace:
    """Lower bounds of one run."""
    trace: Trace = []
    begun = time.process_time()

    def note(event: Event) -> None:
        elapsed = time.process_time() - begun
        if not trace or event.lower > trace[-1][1]:
            trace.append((elapsed, event.lower))
        if elapsed > seconds:
            raise KeyboardInterrupt  # ends the call, which keeps what it has

    condition = wc.WDC(gaussian(*map(int, name.split(","))))
    wc.bracket(condition, wc.Spectral(), wc.Ascent(), rng=seed, progress=note, time_limit=1e6)
    trace.append((time.process_time() - begun, trace[-1][1]))
    return trace


def short(trace: Trace, best: float, seconds: float) -> float:
    """Percent short of the best."""
    return 100 * (1 - max((value for when, value in trace if when <= seconds), default=0.0) / best)


def reached(trace: Trace, best: float) -> float:
    """Seconds until the bound was near the best."""
    return min((when for when, value in trace if value >= best * (1 - NEAR / 100)), default=math.inf)


def load(path: str | None) -> dict[str, list[Trace]]:
    return json.loads(Path(path).read_text()) if path and Path(path).exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--best", action="store_true", help="print the best values, for BEST")
    parser.add_argument("--results", help="JSON file that keeps what has been measured")
    parser.add_argument("matrices", nargs="*", default=list(NAMES))
    arguments = parser.parse_args()
    names, seeds, seconds = arguments.matrices, arguments.seeds, arguments.seconds
    if arguments.quick:
        names, seeds, seconds = names[:2], 2, 2.0
    found = load(arguments.results)
    every: list[tuple[float, float]] = []
    print("| matrix | best known | percent short, per seed | seconds to 0.1 percent |\n|---|---|---|---|")
    for name in names:
        traces = found.setdefault(name, [])
        while len(traces) < seeds:
            traces.append(searched(name, len(traces), seconds))
            if arguments.results:
                Path(arguments.results).write_text(json.dumps(found))
        top = max(trace[-1][1] for trace in traces)
        best = top if arguments.best else max(top, BEST.get(name, 0.0))
        runs = [(short(trace, best, seconds), reached(trace, best)) for trace in traces[:seeds]]
        every += runs
        print(f"| {name} | {best:.6f} | {', '.join(f'{gap:.3f}' for gap, _ in runs)} | "
              f"{', '.join(f'{when:.1f}' for _, when in runs)} |", flush=True)
    near, far = sum(gap <= NEAR for gap, _ in every), sum(gap > FAR for gap, _ in every)
    print(f"\n{near} of {len(every)} within {NEAR} percent, {far} more than {FAR} percent short")


if __name__ == "__main__":
    main()
