"""Kernels of the search against NumPy: pairs and circles per second, and whole ascents.

    python benchmarks/kernels.py [--ascent]

What is compared runs in turn in one process with one BLAS thread, in CPU time, and the best of several
rounds counts: ratios hold on a noisy machine. Naive is one pair at a time as the definition says: both
masked matrices, their product, the difference with Q, all eigenvalues. Plain and compiled take a batch:
gates, and the extreme eigenpair as `freeze` finds it from the one before. Useful operations of gates and
Gram matrices are 4 n k for the products with r and s, and 2 k^2 for each open row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

import wdccheck as wc
from wdccheck import _kernels
from wdccheck._kernels import reference
from wdccheck.geometry import spheres
from wdccheck.geometry.circle_steps import best_on_circle, expected_on_circle
from wdccheck.geometry.expectation import expected_gram

ROUNDS = 15
SIZES = {(16, 256): 256, (64, 1024): 64, (256, 4096): 16}  # k, n: pairs of a batch


def gaussian(k: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, k)) / np.sqrt(n)


@contextmanager
def plain() -> Iterator[None]:
    """The reference kernels."""
    with patch.multiple(_kernels, extremes=None, best_on_circles=None, best_waves=None, gram=reference.gram):
        yield


def in_plain(job: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with plain():
            return job()
    return run


def seconds(**jobs: Callable[[], object]) -> dict[str, float]:
    """The shortest time of each, in turn."""
    best = dict.fromkeys(jobs, np.inf)
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            begun = time.process_time()
            job()
            best[name] = min(best[name], time.process_time() - begun)
    return best


def naive(W: np.ndarray, r: np.ndarray, s: np.ndarray) -> float:
    A = (W * (W @ r > 0)[:, None]).T @ (W * (W @ s > 0)[:, None])
    return float(np.abs(np.linalg.eigvalsh(A - expected_gram(r, s))).max())


def pairs(k: int, n: int, count: int) -> str:
    W, rng = gaussian(k, n), np.random.default_rng(1)
    with plain():
        slow = wc.WDC(W)
        slow.search.freeze(points := spheres.sample(slow.spheres, rng, count))
    fast = wc.WDC(W)
    r, s = points["r"], points["s"]
    near, square, few = fast.search.freeze(points), rng.standard_normal((1024, 1024)), min(count, 8)
    opened = ((r @ W.T > 0) & (s @ W.T > 0)).sum()

    def gram() -> np.ndarray:
        return _kernels.gram(W, None, (r @ W.T > 0) & (s @ W.T > 0))

    took = seconds(
        matmul=lambda: square @ square,
        naive=lambda: [naive(W, r[i], s[i]) for i in range(few)],
        reference=in_plain(lambda: slow.search.freeze(points, near)),
        compiled=lambda: fast.search.freeze(points, near),
        gram_reference=in_plain(gram),
        gram=gram,
    )
    rate, useful = 2 * 1024**3 / took["matmul"], 4 * n * k * count + 2 * k * k * opened
    one = took["naive"] / few
    shares = [useful / took[x] / rate for x in ("gram_reference", "gram")]
    figures = [1 / one, *(count / took[x] for x in ("reference", "compiled"))]
    return (f"{f'{k}, {n}':>10}  {rate / 1e9:10.1f}" + "".join(f"  {x:10,.0f}" for x in figures)
            + "".join(f"  {one * count / took[x]:9.1f}" for x in ("reference", "compiled"))
            + "".join(f"  {share:9.0%}" for share in shares))


def circles(k: int, n: int, count: int = 64) -> str:
    condition, rng = wc.WDC(gaussian(k, n)), np.random.default_rng(1)
    points = spheres.sample(condition.spheres, rng, count)
    rows = condition.W
    tangent = spheres.unit_tangent(points["r"], rng.standard_normal((count, k)))
    u = condition.search.freeze(points).u
    numbers = expected_on_circle(points["r"], tangent, points["s"], u, -np.ones(count))
    along, across, all_rows = points["r"] @ rows.T, tangent @ rows.T, (u @ rows.T) ** 2

    def scan(share: np.ndarray) -> Callable[[], object]:
        return lambda: best_on_circle(along, across, all_rows * share, numbers)

    half = points["s"] @ rows.T > 0
    took = seconds(reference=in_plain(scan(np.ones_like(half))), compiled=scan(np.ones_like(half)),
                   half_reference=in_plain(scan(half)), half_=scan(half))
    us = {name: 1e6 * t / count for name, t in took.items()}
    return f"{f'{k}, {n}':>10}" + "".join(
        f"  {us[half + 'reference']:10.1f}  {us[half or 'compiled']:10.1f}"
        f"  {us[half + 'reference'] / us[half or 'compiled']:8.1f}" for half in ("", "half_"))


def ascent(k: int, n: int, starts: int) -> str:
    def climb() -> float:
        return wc.bracket(wc.WDC(gaussian(k, n)), wc.Ascent(starts=starts)).lower

    took, lower = dict.fromkeys(("plain", "compiled"), np.inf), {}
    for _ in range(2):
        for name, job in (("plain", in_plain(climb)), ("compiled", climb)):
            begun = time.process_time()
            lower[name] = job()
            took[name] = min(took[name], time.process_time() - begun)
    return (f"{f'{k}, {n}':>10}  {starts:10}  {took['plain']:10.2f}  {took['compiled']:10.2f}"
            f"  {took['plain'] / took['compiled']:8.1f}  {lower['plain']:9.5f}  {lower['compiled']:9.5f}")


def table(*heads: str) -> None:
    print("  ".join(heads))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ascent", action="store_true", help="whole ascents, too (a minute or two)")
    arguments = parser.parse_args()
    if wc.kernel() != "compiled":
        parser.error("no compiled kernels to measure")
    with threadpool_limits(1, "blas"):
        table("      k, n", "   GFLOP/s", "   naive/s", "   plain/s", "compiled/s", "  plain x", " compil. x",
              "gram pl.", "gram comp. of the matmul rate")
        for (k, n), count in SIZES.items():
            print(pairs(k, n, count), flush=True)
        table("      k, n", "  plain us", " compil. us", "   ratio", "half: plain", "compil. us", "  ratio")
        for k, n in ((3, 1000), (10, 1000), (100, 1000)):
            print(circles(k, n), flush=True)
        if arguments.ascent:
            table("      k, n", "    starts", "   plain s", " compil. s", "   ratio", "  lower", "   lower")
            for k, n, starts in ((3, 500, 1024), (16, 256, 1024), (64, 1024, 312)):
                print(ascent(k, n, starts), flush=True)


if __name__ == "__main__":
    main()
