"""Whether limits hold: the table of sizes, each case in a process of its own.

    python benchmarks/limits.py [--workers N] [--limits 0.2 1 5 20] [--check] [case ...]

Printed are the limit, the wall time of the call, how far it went beyond the limit, processor time and peak
memory of all its processes (proportional set size), the bracket of every row and why it ended. With --check
the exit status is 1 if a call took more than 2 s longer than its limit. Data: default_rng(0), N(0, 1/rows).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import wdccheck as wc

ALLOWED = 2.0  # seconds beyond the limit

Call = Callable[[float, int], Iterable[Any]]  # limit and workers to brackets


def gaussian(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def network(*dims: int) -> wc.ReLUNetwork:
    return wc.ReLUNetwork([gaussian(n, k, i) for i, (k, n) in enumerate(pairwise(dims))])


def narrow(column: str) -> np.ndarray:
    W = gaussian(20_000, 10)
    W[:, 9] = 0.0 if column == "zero" else W[:, 0]
    return W


def sparse() -> Any:
    kernel = np.random.default_rng(0).standard_normal((128, 128, 4, 4)) / np.sqrt(512)
    return wc.conv_transpose2d_matrix(kernel, (128, 4, 4), stride=2, padding=1)


def bracketed(condition: Any) -> Call:
    return lambda limit, workers: [wc.bracket(condition, time_limit=limit, workers=workers)]


def best(condition: Any) -> Call:
    from wdccheck.certification.of_condition import certify_condition

    return lambda limit, workers: [certify_condition(condition, time_limit=limit, workers=workers).bracket]


def certified(net: wc.ReLUNetwork) -> Call:
    certify = wc.certify  # what it imports is no part of the call
    return lambda limit, workers: [
        row.bracket for row in certify(net, time_limit=limit, workers=workers).rows]


def estimated(condition: Any) -> Call:
    exceedance = wc.estimates.exceedance

    def call(limit: float, workers: int) -> list[Any]:
        try:
            return [exceedance(condition, 1.0, samples=20_000, time_limit=limit, workers=workers)]
        except wc.InvalidInput as error:  # the limit is too short for one sample
            return [str(error)]

    return call


CASES: dict[str, Callable[[], Call]] = {
    "WDC 4096x1024": lambda: bracketed(wc.WDC(gaussian(4096, 1024))),
    "WDC 4096x1024, best alpha": lambda: best(wc.WDC(gaussian(4096, 1024))),
    "WDC 1024x4096": lambda: bracketed(wc.WDC(gaussian(1024, 4096))),
    "WDC 1024x4096, best alpha": lambda: best(wc.WDC(gaussian(1024, 4096))),
    "WDC 20000x10, a zero column": lambda: bracketed(wc.WDC(narrow("zero"))),
    "WDC 20000x10, a repeated column": lambda: bracketed(wc.WDC(narrow("repeated"))),
    "WDC sparse 8192x2048": lambda: bracketed(wc.WDC(sparse())),
    "RRIC 2-1000-2000": lambda: bracketed(wc.RRIC(gaussian(1000, 2000, 9), network(2, 1000, 2000))),
    "certify 100-1024-4096": lambda: certified(network(100, 1024, 4096)),
    "certify 20-500-500-784": lambda: certified(network(20, 500, 500, 784)),
    "estimate WDC 4096x1024": lambda: estimated(wc.WDC(gaussian(4096, 1024))),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limits", type=float, nargs="*", default=[0.2, 1.0, 5.0, 20.0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    options = parser.parse_args()
    if options.alone:
        return alone(options.cases[0], options.limits[0], options.workers)
    print(f"load average {os.getloadavg()[0]:.2f}, {options.workers} workers\n")
    print("| case | limit, s | took, s | beyond, s | processor, s | peak, MB | rows |\n" + 7 * "|---" + "|")
    late = 0
    for name in options.cases or CASES:
        for limit in options.limits:
            found = measured(name, limit, options.workers)
            over = found["seconds"] - limit
            late += over > ALLOWED
            row = (name, f"{limit:g}", f"{found['seconds']:.1f}",
                   f"{max(over, 0):.1f}{' **late**' if over > ALLOWED else ''}",
                   f"{found['processor']:.1f}", f"{found['peak']:.0f}", "; ".join(found["rows"]))
            print(f"| {' | '.join(row)} |", flush=True)
    return int(options.check and late > 0)


def measured(name: str, limit: float, workers: int) -> dict[str, Any]:
    """What a process of its own says of one case, and its peak memory."""
    command = [sys.executable, __file__, "--alone", name, "--limits", str(limit), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        peak, over = [0.0], threading.Event()
        watch = threading.Thread(target=watched, args=(child.pid, peak, over))
        watch.start()
        printed, _ = child.communicate()
        over.set()
        watch.join()
    if child.returncode:
        raise SystemExit(f"{name} ended with {child.returncode}")
    return {**json.loads(printed.splitlines()[-1]), "peak": peak[0]}


def watched(pid: int, peak: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        peak[0] = max(peak[0], sum(map(proportional, family(pid))))


def family(pid: int) -> list[int]:
    """`pid` and its descendants."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except OSError:
            continue
    return [pid, *(one for child in children for one in family(child))]


def proportional(pid: int) -> float:
    """Megabytes of a process; what n processes share counts as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def alone(name: str, limit: float, workers: int) -> int:
    call = CASES[name]()
    used, begun = processor(), time.monotonic()
    rows = [described(found) for found in call(limit, workers)]
    print(json.dumps({"seconds": time.monotonic() - begun, "processor": processor() - used, "rows": rows}))
    return 0


def processor() -> float:
    """Seconds of this process and of those that it has waited for."""
    return sum(x.ru_utime + x.ru_stime
               for x in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def described(found: Any) -> str:
    if isinstance(found, str):
        return found
    if not isinstance(found, wc.Bracket):
        return f"{found.samples} samples"
    where = found.condition["kind"] + (f" {found.condition['layer']}" if found.condition["layer"] else "")
    why = ", ".join(f"{side}: {stop}" for side, stop in found.stopped.items())
    return f"{where} {found.lower:.4g} … {found.upper:.4g} ({why})"


if __name__ == "__main__":
    sys.exit(main())
