"""Conditions over ranges of small generators, both bounds: tables of benchmarks/README.md.

    python benchmarks/ranges.py [--case NAME ...] [--seed N ...] [--trained] [--seconds S]

Each row is one `wc.bracket(condition, time_limit=S, workers=-1)`, the search included, with the time limit
that is asked of it; "least" and "largest" are the two sides of one `wc.isometry(A, net, time_limit=S,
workers=-1)`, each from what is proved to what is exhibited, or the other way round (`--case isometry`: these
only). Examples: rng = default_rng(5), layer by layer, then A, all N(0, 1/rows). The bundled generator: 32
measurements of default_rng(0), and 32 orthonormal rows. `--seed` takes fresh weights and measurements of the
same sizes, `--trained` generators trained on digits; twice the gaps are asked of them. `--case R2WDC` are the
rows of the R2WDC, those of trained generators at the alpha that `wc.calibrate` finds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from generators import trained

import wdccheck as wc
from wdccheck.data import generator
from wdccheck.engines.defaults import default_engines

Condition = wc.RRIC | wc.Coherence | wc.R2WDC


@dataclass(frozen=True)
class Case:
    """What is asked: a gap of so many percent of the upper bound after so many seconds."""

    name: str
    make: Callable[[], Condition]
    gap: float
    seconds: float

    @property
    def words(self) -> set[str]:
        """What it can be asked for as."""
        return {self.name, self.name.split(",")[0], self.name.split()[0]}


@dataclass(frozen=True)
class IsometryCase(Case):
    """The same of the least and of the largest ||A u||^2 / ||u||^2, both in so many seconds."""

    make: Callable[[], wc.RRIC]


SIZES = {  # dims, m, gap asked in percent, seconds
    "2-16-32": ((2, 16, 32), 12, 0.62, 10.0), "3-24-64": ((3, 24, 64), 20, 4.3, 90.0),
    "2-16-32-64": ((2, 16, 32, 64), 24, 10.2, 60.0), "3-24-48-64": ((3, 24, 48, 64), 20, 8.0, 300.0),
}
GATED = [  # dims; of the last layer: gap asked in percent, seconds
    ((2, 16, 32), 3.8, 30.0), ((2, 16, 32), 2.5, 300.0), ((3, 24, 64), 9.1, 120.0), ((3, 24, 64), 4.9, 600.0)]
GATED_DIGITS = (3, 48, 128, 64), 12.0, 300.0
ISOMETRY = 3.0  # gap asked in percent
DIGITS = {"2-32-64": "2-16-32", "3-48-64": "3-24-64", "3-24-48-64": "3-24-48-64"}  # and whose gap counts


def random(dims: tuple[int, ...], m: int, seed: int) -> wc.RRIC:
    rng = np.random.default_rng(seed)
    *layers, A = (rng.standard_normal((n, k)) / np.sqrt(n)
                  for k, n in zip(dims, (*dims[1:], m), strict=True))
    return wc.RRIC(A, wc.ReLUNetwork(layers))


def gated(dims: tuple[int, ...], seed: int) -> wc.R2WDC:
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]
    return wc.R2WDC(wc.ReLUNetwork(layers), len(layers), alpha=1.0)


def gated_on_digits(layer: int) -> wc.R2WDC:
    condition = wc.R2WDC(trained(GATED_DIGITS[0]), layer, alpha=1.0)
    return condition.with_alpha(wc.calibrate(condition))


def measured(net: wc.ReLUNetwork, m: int = 32, seed: int = 0) -> wc.RRIC:
    return wc.RRIC(np.random.default_rng(seed).standard_normal((m, net.dims[-1])) / np.sqrt(m), net)


def on_digits(dims: tuple[int, ...]) -> wc.RRIC:
    return measured(trained(dims))


def coherent(net: wc.ReLUNetwork, m: int = 32, seed: int = 5) -> wc.Coherence:
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((net.dims[-1], m)))[0]
    return wc.Coherence(Q.T, net)


def both(name: str, make: Callable[[], wc.RRIC], times: int, gap: float, seconds: float) -> Iterator[Case]:
    """The RRIC and the isometry of measurements; `times` what is asked of the examples."""
    yield Case(name, make, times * gap, seconds)
    yield IsometryCase(f"isometry {name}", make, times * ISOMETRY, seconds)


def cases(seeds: list[int], digits: bool) -> Iterator[Case]:
    """The examples, or fresh ones of the same sizes."""
    for seed in seeds or [5]:
        for name, (dims, m, gap, seconds) in SIZES.items():
            own, times = (name, 1) if not seeds else (f"{name}, seed {seed}", 2)
            yield from both(own, partial(random, dims, m, seed), times, gap, seconds)
        for dims, gap, seconds in GATED:
            own = "-".join(map(str, dims)) + (f", seed {seed}" if seeds else "")
            yield Case(f"R2WDC {own}", partial(gated, dims, seed), times * gap, seconds)
    if digits:
        for name, like in DIGITS.items():
            dims = tuple(map(int, name.split("-")))
            yield from both(f"{name}, digits", partial(on_digits, dims), 2, *SIZES[like][2:])
        for layer in (2, 3):
            dims, gap, seconds = GATED_DIGITS
            own = f"R2WDC {'-'.join(map(str, dims))}, digits, layer {layer}"
            yield Case(own, partial(gated_on_digits, layer), gap, seconds)
    if not seeds and not digits:
        yield from both("generator", lambda: measured(generator()), 1, 5.0, 170.0)
        yield Case("coherence", lambda: coherent(generator()), 3.0, 60.0)


def majorant(condition: Condition, seconds: float) -> str:
    """Seconds until H is chosen, cones included, and by how many percent it exceeds its dual value."""
    if not isinstance(condition, wc.RRIC):
        return "– | –"
    start = time.monotonic()
    whole = condition.proof.whole(start + seconds) if condition.proof else None
    if whole is None:
        return "– | –"
    return f"{time.monotonic() - start:.1f} | {100 * (whole.least / whole.majorant.dual - 1):.1f} %"


def pace(*brackets: wc.Bracket) -> float:
    """Nodes of the proofs per second."""
    proofs = [work for known in brackets for work in known.engines if work.unit == "nodes"]
    return sum(work.work for work in proofs) / max(sum(work.seconds for work in proofs), 1e-9)


def line(name: str, case: Case, lower: float, upper: float, wall: float, nodes: float, chosen: str) -> str:
    gap = 100 * (1 - lower / upper) if upper > 0 else 0.0
    bounds = f"{lower:.4f} | {upper:.4f} | {gap:.2f} % | {case.gap:.1f} %"
    return f"| {name} | {bounds} | {wall:.0f} | {case.seconds:.0f} | {nodes:,.0f} | {chosen} |"


def rows(case: Case, seconds: float) -> Iterator[str]:
    if isinstance(case, IsometryCase):
        yield from isometry_rows(case, seconds)
        return
    condition = case.make()
    engines = default_engines(condition, wc.BranchAndBound(rtol=min(0.02, 0.009 * case.gap)), limited=True)
    start = time.monotonic()
    known = wc.bracket(condition, *engines, time_limit=seconds, workers=-1)
    wall = time.monotonic() - start
    yield line(case.name, case, known.lower, known.upper, wall, pace(known), majorant(case.make(), seconds))


def isometry_rows(case: IsometryCase, seconds: float) -> Iterator[str]:
    condition = case.make()
    start = time.monotonic()
    found = wc.isometry(condition.A, condition.net, time_limit=seconds, workers=-1)
    wall = time.monotonic() - start
    least, largest = found.lower, found.upper
    for name, low, high, known in (("least", least.proved, least.exhibited, found.reciprocal),
                                   ("largest", largest.exhibited, largest.proved, found.largest)):
        yield line(f"{case.name}, {name}", case, low, high, wall, pace(known), "– | –")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs="+", default=[], help="names of rows")
    parser.add_argument("--seed", type=int, nargs="+", default=[], help="of fresh weights")
    parser.add_argument("--trained", action="store_true", help="generators trained on digits")
    parser.add_argument("--seconds", type=float, help="a time limit for all rows")
    options = parser.parse_args()
    print("| case | lower | upper | gap | asked | seconds | asked | nodes/s | H: seconds | above dual |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases(options.seed, options.trained):
        if not options.case or case.words & {*options.case}:
            for row in rows(case, options.seconds or case.seconds):
                print(row, flush=True)


if __name__ == "__main__":
    main()
