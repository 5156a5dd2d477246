"""Our search against a plain batched hill climb with the same time: a table of benchmarks/README.md.

    python benchmarks/rival.py [--seconds S] [--seed N] [part of a name ...]

The rival: 256 chains, Gaussian perturbations of a log-uniform scale, whatever improves is kept, chains
that have stalled start anew. It evaluates in plain floats, without exact signs or proved errors; the Gram
matrices of the joint-WDC are those of the package. Ours: Spectral, MonteCarlo, Ascent. One worker and one
BLAS thread each, one after the other; every best point is evaluated again by `lower_bound`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

import wdccheck as wc
from wdccheck import data
from wdccheck.geometry.expectation import angle
from wdccheck.geometry.spheres import sample
from wdccheck.running import parallel

CHAINS, STALLED = 256, 400
Points = dict[str, np.ndarray]
Evaluate = Callable[[Points], np.ndarray]


def climb(spheres: dict, evaluate: Evaluate, seconds: float, rng: np.random.Generator) -> Points:
    """The best point of the hill climb."""
    deadline = time.monotonic() + seconds
    points = sample(spheres, rng, CHAINS)
    value, best, found, stalled = evaluate(points), -np.inf, {}, np.zeros(CHAINS)
    while True:
        top = int(np.argmax(value))
        if value[top] > best:
            best, found = value[top], {x: p[top].copy() for x, p in points.items()}
        if time.monotonic() > deadline:
            return found
        scale = 10.0 ** rng.uniform(-5, 0.5, (CHAINS, 1))
        moved = {x: p + scale * np.linalg.norm(p, axis=1, keepdims=True) / np.sqrt(p.shape[1])
                 * rng.standard_normal(p.shape) for x, p in points.items()}
        again = stalled > STALLED
        if again.any():
            fresh = sample(spheres, rng, CHAINS)
            moved = {x: np.where(again[:, None], fresh[x], p) for x, p in moved.items()}
        new = evaluate(moved)
        up = (new > value) | again
        value, stalled = np.where(up, new, value), np.where(up, 0, stalled + 1)
        points = {x: np.where(up[:, None], moved[x], p) for x, p in points.items()}


def image(layers: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    for W in layers:
        x = np.maximum(x @ W.T, 0.0)
    return x


def quotient(top: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """|top| / (|u| |v|), 0 where rounding could be most of a difference."""
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.where(lengths > 1e-18, np.abs(top) / np.maximum(lengths, 1e-300), 0.0)


def plain_rric(condition: wc.RRIC) -> Evaluate:
    A, layers = condition.A.dense(), condition.net.layers

    def evaluate(p: Points) -> np.ndarray:
        u, v = (image(layers, p[a]) - image(layers, p[b]) for a, b in (("x1", "x2"), ("x3", "x4")))
        return quotient(np.sum((u @ A.T) * (v @ A.T), axis=1) - np.sum(u * v, axis=1), u, v)

    return evaluate


def plain_r2wdc(condition: wc.R2WDC) -> Evaluate:
    *layers, W = condition.net.layers[: condition.layer]

    def evaluate(p: Points) -> np.ndarray:
        r, s = image(layers, p["x"]), image(layers, p["y"])
        u, v = (image(layers, p[a]) - image(layers, p[b]) for a, b in (("x1", "x2"), ("x3", "x4")))
        gram = np.sum((r @ W.T > 0) * (s @ W.T > 0) * (u @ W.T) * (v @ W.T), axis=1)
        r, s = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300) for x in (r, s))
        theta = angle(r, s)
        b, d = ((x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)) for x in (r + s, r - s))
        swap = np.sum(u * b, 1) * np.sum(v * b, 1) - np.sum(u * d, 1) * np.sum(v * d, 1)
        expected = ((np.pi - theta) * np.sum(u * v, axis=1) + np.sin(theta) * swap) / (2 * np.pi)
        alive = r.any(axis=1) & s.any(axis=1)
        return quotient((gram - condition.alpha * expected) * alive, u, v)

    return evaluate


def plain_joint(condition: wc.JointWDC) -> Evaluate:
    pairs = condition.units.parts.values()

    def evaluate(p: Points) -> np.ndarray:
        values = []
        for pair in pairs:
            r, s = (p[x] @ pair.rows.T > 0 for x in pair.gating)
            values.append(np.abs(np.linalg.eigvalsh(pair.difference(p, r & s))[:, [0, -1]]).max(axis=1))
        return np.maximum(*values)

    return evaluate


PLAIN = {"RRIC": plain_rric, "R2WDC": plain_r2wdc, "JointWDC": plain_joint}


# -- what they climb -------------------------------------------------------------------------------


def gaussian(rng: np.random.Generator, *dims: int) -> list[np.ndarray]:
    return [rng.standard_normal((m, n)) / np.sqrt(m) for n, m in pairwise(dims)]


def example(dims: tuple[int, ...], m: int, seed: int = 5) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    return gaussian(rng, *dims), rng.standard_normal((m, dims[-1])) / np.sqrt(m)


def networks() -> Iterator[tuple[str, list[np.ndarray], np.ndarray]]:
    """Name, layers, A."""
    for dims, m in (((2, 16, 32), 12), ((3, 24, 64), 20), ((10, 100, 80), 40)):
        yield f"example {'-'.join(map(str, dims))}", *example(dims, m)
    layers = list(data.generator().layers)
    A = np.random.default_rng(0).standard_normal((32, len(layers[-1]))) / np.sqrt(32)
    yield "bundled generator", layers, A
    for k in (1, 2, 3, 5, 10, 20):
        yield f"k={k}", *example((k, 6 * k + 4, 10 * k + 4), 4 * k + 2, k)
    yield "contractive 3-20-12", *example((3, 20, 12), 8)
    yield "contractive 12-40-24", *example((12, 40, 24), 16)
    yield "three layers 4-16-24-32", *example((4, 16, 24, 32), 12)
    yield "three layers 10-30-50-60", *example((10, 30, 50, 60), 30)
    for k in (4, 10):
        rng = np.random.default_rng(k)
        layers, A = example((k, 8 * k, 10 * k), 5 * k)
        yield f"sparse k={k}", [W * (rng.random(W.shape) < 0.25) * 2 for W in layers], A
        dead = [W.copy() for W in layers]
        dead[0][: 2 * k] = 0.0
        dead[1][::3] = -np.abs(dead[1][::3])
        yield f"dead units k={k}", dead, A
        yield f"integer k={k}", [rng.integers(-1, 2, W.shape) / len(W)**0.5 for W in layers], A


def conditions() -> Iterator[tuple[str, wc.RRIC | wc.R2WDC | wc.JointWDC, int]]:
    """Name, condition, and the dimension that decides what is asked."""
    for name, layers, A in networks():
        net = wc.ReLUNetwork(layers)
        yield name, wc.RRIC(A, net), net.dims[0]
        yield name, wc.R2WDC(net, net.depth), net.dims[0]
    for count, n, p in ((12, 1, 2), (40, 2, 3), (60, 5, 5), (200, 10, 10), (400, 20, 10), (150, 3, 12)):
        rng = np.random.default_rng(count)
        B, C = (rng.standard_normal((count, d)) / np.sqrt(count) for d in (n, p))
        yield f"l, n, p = {count}, {n}, {p}", wc.JointWDC(B, C), min(n, p)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ours", action="store_true", help="without the rival")
    parser.add_argument("names", nargs="*", help="parts of the names of lines to run")
    arguments = parser.parse_args()
    print(f"| condition | network | rival {arguments.seconds:g} s | ours | ratio | asked |")
    print("|---|---|---|---|---|---|")
    for name, condition, dimension in conditions():
        kind = type(condition).__name__
        if arguments.names and not any(part in f"{kind} {name}" for part in arguments.names):
            continue
        rival = float("nan")
        if not arguments.ours:
            with parallel.one_blas_thread():
                rng = np.random.default_rng(arguments.seed)
                point = climb(condition.spheres, PLAIN[kind](condition), arguments.seconds, rng)
            rival = condition.lower_bound(point)
        ours = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(), wc.Ascent(), rng=arguments.seed,
                          time_limit=arguments.seconds).lower
        asked = 1.05 if dimension >= 10 else 1.0
        failed = " MISSED" if ours < asked * rival * (1 - 1e-9) else ""
        print(f"| {kind} | {name} | {rival:.5f} | {ours:.5f} | {ours / rival:.4f} | {asked}{failed} |",
              flush=True)


if __name__ == "__main__":
    main()
