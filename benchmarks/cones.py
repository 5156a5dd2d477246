"""Upper bounds of RRIC and R2WDC over activation cones: a table of benchmarks/README.md.

    python benchmarks/cones.py [--seconds S] [--workers N] [name ...]

Examples: rng = default_rng(5), layer 1, layer 2, then A, all N(0, 1/rows), alpha = 1. The bundled generator:
R2WDC at alpha = 460.7, near the best one, RRIC with 32 Gaussian measurements, default_rng(0).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import wdccheck as wc
from wdccheck.data import generator

EXAMPLES = {"2-16-32": (2, 16, 32, 12), "3-24-64": (3, 24, 64, 20)}


def example(k: int, n1: int, n2: int, m: int) -> tuple[wc.ReLUNetwork, np.ndarray]:
    rng = np.random.default_rng(5)
    W1, W2, A = (rng.standard_normal((a, b)) / np.sqrt(a) for a, b in ((n1, k), (n2, n1), (m, n2)))
    return wc.ReLUNetwork([W1, W2]), A


def conditions() -> dict[str, wc.RRIC | wc.R2WDC]:
    found: dict[str, wc.RRIC | wc.R2WDC] = {}
    for name, sizes in EXAMPLES.items():
        net, A = example(*sizes)
        found |= {f"RRIC {name}": wc.RRIC(A, net), f"R2WDC {name}": wc.R2WDC(net, 2)}
    A = np.random.default_rng(0).standard_normal((32, 64)) / np.sqrt(32)
    net = generator()
    return found | {"RRIC generator": wc.RRIC(A, net), "R2WDC generator": wc.R2WDC(net, 2, 460.7)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = {name: c for name, c in conditions().items() if not options.names or name in options.names}
    print("| condition | cap | lower (20 s) | engine | upper | nodes | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, condition in chosen.items():
        cap = min(cap.value for cap in condition.theorems.caps())
        search = (wc.Spectral(), wc.MonteCarlo(), wc.Ascent())
        lower = wc.bracket(condition, *search, time_limit=20, workers=options.workers).lower
        for engine in (wc.BranchAndBound(), wc.SDP()):
            start = time.monotonic()
            known = wc.bracket(condition, engine, time_limit=options.seconds, workers=options.workers)
            print(f"| {name} | {cap:.4f} | {lower:.5f} | {type(engine).__name__} | {known.upper:.4f} | "
                  f"{known.engines[-1].work:,} | {time.monotonic() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
