"""What `recorded.py` records: calls of the public API, with budgets counted in work, never in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import wdccheck as wc


@dataclass(frozen=True)
class Case:
    """A call of the public API: ``call(make(), *engines, **options)``, its subject made anew each time."""

    make: Callable[[], Any]
    engines: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    call: Callable[..., Any] = wc.bracket


def case(make: Callable[[], Any], *engines: Any, **options: Any) -> Case:
    """A bracket."""
    return Case(make, engines, options)


def gaussian(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Entries N(0, 1/n)."""
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def integer(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Entries -1, 0 and 1: many of its rows and sums coincide."""
    return np.random.default_rng(seed).integers(-1, 2, (n, k)).astype(float)


def network(*dims: int, seed: int = 0) -> wc.ReLUNetwork:
    """Gaussian layers k -> n_1 -> ... -> n_d."""
    return wc.ReLUNetwork([gaussian(n, k, seed + i) for i, (k, n) in enumerate(pairwise(dims))])


def rric(m: int, *dims: int, seed: int = 0) -> wc.RRIC:
    """Gaussian measurements of a Gaussian network."""
    return wc.RRIC(gaussian(m, dims[-1], seed + 9), network(*dims, seed=seed))


def idle(W: np.ndarray) -> np.ndarray:
    """With zero rows."""
    return np.vstack([W[:2], np.zeros((2, W.shape[1])), W[2:], np.zeros((1, W.shape[1]))])


def parallel(W: np.ndarray) -> np.ndarray:
    """With rows twice, opposite ones, and some that are parallel up to rounding."""
    return np.vstack([W, W[:2], 0.5 * W[:1], -2.0 * W[1:3], 3 * W[2:3]])


def flat(n: int, k: int) -> np.ndarray:
    """Of rank k - 1, exactly."""
    W = integer(n, k, 3)
    W[:, -1] = W[:, 0] - W[:, 1]
    return W / 2


def scattered(n: int, k: int, count: int) -> Any:
    """So many entries of a sparse layer; most of its rows and columns are zero."""
    rng = np.random.default_rng(4)
    where = rng.integers(0, n, count), rng.integers(0, k, count)
    return sparse.csr_array(sparse.coo_array((rng.standard_normal(count), where), shape=(n, k)))


def fan(count: int) -> wc.JointWDC:
    """Directions of the plane in equal steps, with alternating signs: the smallest epsilon/alpha here."""
    turn = np.arange(count) * (2 * np.pi / count)
    B = np.column_stack([np.cos(turn), np.sin(turn)]) * np.sqrt(2 / count)
    return wc.JointWDC(B, (-1.0) ** np.arange(count)[:, None] / np.sqrt(count))


def deconvolution() -> Any:
    """A transposed convolution as a layer: 2 channels of 2 x 2 pixels become 3 of 4 x 4."""
    return wc.conv_transpose2d_matrix(np.random.default_rng(6).standard_normal((2, 3, 2, 2)) / 3,
                                      (2, 2, 2), stride=2)


def dead() -> wc.ReLUNetwork:
    """A network whose range is 0."""
    return wc.ReLUNetwork([gaussian(4, 2), -np.abs(gaussian(3, 4))])


def half_dead() -> wc.ReLUNetwork:
    """A network with units that never open, and two that are the same."""
    first, second = gaussian(5, 2, 1), gaussian(6, 5, 2)
    second[1], second[4] = -np.abs(second[1]), second[0]
    return wc.ReLUNetwork([idle(first), np.insert(second, [2, 2, 5], 0.25, axis=1)])


def cancelling(*after: np.ndarray) -> wc.ReLUNetwork:
    """Two layers, the second of which takes the difference of units that agree to 15 digits."""
    return wc.ReLUNetwork([np.array([[1.0, 1.0], [1.0, 1 + 2.0**-50], [0.5, -1.0]]),
                           np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), *after])


def fourfold() -> Any:
    """An operator too large to tabulate."""
    return LinearOperator((2100, 2100), matvec=lambda x: 2 * x, rmatvec=lambda x: 2 * x, dtype=float)


FORMULAS, SAMPLES, CLIMB = wc.Spectral(), wc.MonteCarlo(64), wc.Ascent(starts=1)
SOLVE = wc.SDP("CLARABEL", seconds=60.0, nodes=100)  # a solve takes milliseconds


def proof(nodes: int) -> tuple[Any, ...]:
    """Formulas, a few samples, and branch and bound within about so many nodes."""
    return FORMULAS, SAMPLES, wc.BranchAndBound(nodes=nodes)


CASES: dict[str, Case] = {
    # the WDC; a target that is exceeded soon ends an ascent after a block of it
    "wdc 6x1": case(lambda: wc.WDC(gaussian(6, 1))),
    "wdc 10x2": case(lambda: wc.WDC(gaussian(10, 2))),
    "wdc 20x2": case(lambda: wc.WDC(gaussian(20, 2)), wc.MonteCarlo(9000), CLIMB,
                     wc.BranchAndBound(rtol=0.1)),
    "wdc 30x3, formulas": case(lambda: wc.WDC(gaussian(30, 3)), FORMULAS),
    "wdc 30x3, samples": case(lambda: wc.WDC(gaussian(30, 3)), wc.MonteCarlo(9000), rng=7),
    "wdc 30x3, proof": case(lambda: wc.WDC(gaussian(30, 3)), wc.BranchAndBound(nodes=4000)),
    "wdc 30x3, sdp": case(lambda: wc.WDC(gaussian(30, 3)), SOLVE),
    "wdc 30x3, proved": case(lambda: wc.WDC(gaussian(30, 3)), target=0.9),
    "wdc 30x3, violated": case(lambda: wc.WDC(gaussian(30, 3)), target=0.3),
    "wdc 30x3, refuted": case(lambda: wc.WDC(gaussian(30, 3)), wc.BranchAndBound(nodes=40_000), target=0.55),
    "wdc 30x3, undecided": case(lambda: wc.WDC(gaussian(30, 3)), *proof(4000), target=0.73),
    "wdc 12x4": case(lambda: wc.WDC(gaussian(12, 4, 1), 0.5), *proof(1000)),
    "wdc 11x5": case(lambda: wc.WDC(gaussian(11, 5, 2), 3.0), *proof(1000)),
    "wdc 40x12": case(lambda: wc.WDC(gaussian(40, 12)), FORMULAS, CLIMB, target=2.0),
    "wdc 40x12, proof": case(lambda: wc.WDC(gaussian(40, 12)), *proof(1000)),
    "wdc 15x20": case(lambda: wc.WDC(gaussian(15, 20)), CLIMB, target=3.0, rng=8),
    "wdc 0": case(lambda: wc.WDC(np.zeros((3, 2)), 6.0)),
    "wdc identity": case(lambda: wc.WDC(np.eye(3)), *proof(1000)),
    "wdc idle rows": case(lambda: wc.WDC(idle(gaussian(7, 3))), *proof(2000)),
    "wdc parallel rows": case(lambda: wc.WDC(parallel(gaussian(5, 3)), 2.0), *proof(2000)),
    "wdc parallel rows, stuck": case(lambda: wc.WDC(parallel(gaussian(5, 2))), wc.BranchAndBound(rtol=1e-4)),
    "wdc flat": case(lambda: wc.WDC(flat(8, 4), 2.0), *proof(2000)),
    "wdc integer": case(lambda: wc.WDC(integer(9, 3), 4.0), *proof(4000)),
    "wdc integer, k = 4": case(lambda: wc.WDC(integer(10, 4, 2), 6.0), *proof(2000)),
    "wdc axes": case(lambda: wc.WDC(np.vstack([np.eye(4), -np.eye(4), np.ones((1, 4))])), *proof(2000)),
    "wdc tiny": case(lambda: wc.WDC(1e-100 * gaussian(14, 2), 1e-200), *proof(4000)),
    "wdc huge": case(lambda: wc.WDC(1e100 * gaussian(14, 2), 1e200), *proof(4000)),
    "wdc operator": case(lambda: wc.WDC(aslinearoperator(gaussian(9, 3))), *proof(2000)),
    "wdc deconvolution": case(lambda: wc.WDC(deconvolution()), CLIMB, target=1.8),
    "wdc 1800x600, sparse": case(lambda: wc.WDC(scattered(1800, 600, 300)), FORMULAS, SAMPLES),
    "wdc 8200x8200, sparse": case(lambda: wc.WDC(scattered(8200, 8200, 900)), SAMPLES, target=0.1),
    # the R2WDC
    "r2wdc 1-4-5": case(lambda: wc.R2WDC(network(1, 4, 5), 2)),
    "r2wdc 2-4-5": case(lambda: wc.R2WDC(network(2, 4, 5), 2), *proof(200)),
    "r2wdc 2-3-4, sdp": case(lambda: wc.R2WDC(network(2, 3, 4, seed=1), 2, 0.7), SOLVE),
    "r2wdc 2-3-4-5": case(lambda: wc.R2WDC(network(2, 3, 4, 5), 3), *proof(200)),
    "r2wdc 3-5-4": case(lambda: wc.R2WDC(network(3, 5, 4), 2, 0.5), *proof(200)),
    "r2wdc 4-3-5": case(lambda: wc.R2WDC(network(4, 3, 5), 2), *proof(2000)),
    "r2wdc 5-9-6": case(lambda: wc.R2WDC(network(5, 9, 6), 2), CLIMB, target=1.5),
    "r2wdc layer 1": case(lambda: wc.R2WDC(network(2, 6, 5), 1), *proof(5000)),
    "r2wdc half dead": case(lambda: wc.R2WDC(half_dead(), 2), *proof(100)),
    "r2wdc cancelling": case(lambda: wc.R2WDC(cancelling(gaussian(4, 3)), 3), *proof(50)),
    # the RRIC
    "rric 4x5, 1-5": case(lambda: rric(4, 1, 5)),
    "rric 4x5, 1-5, ascent": case(lambda: rric(4, 1, 5), CLIMB),
    "rric 3x5, 2-4-5": case(lambda: rric(3, 2, 4, 5), *proof(500)),
    "rric 3x5, 2-4-5, ascent": case(lambda: rric(3, 2, 4, 5), CLIMB, target=3.0),
    "rric 3x4, 2-3-4, sdp": case(lambda: rric(3, 2, 3, 4, seed=1), SOLVE),
    "rric 5x5, 2-3-4-5": case(lambda: rric(5, 2, 3, 4, 5), *proof(100)),
    "rric 4x6, 3-4-6": case(lambda: rric(4, 3, 4, 6), *proof(300)),
    "rric 12x20, 10-16-20": case(lambda: rric(12, 10, 16, 20), FORMULAS, CLIMB, target=2.5),
    "rric sparse": case(lambda: wc.RRIC(sparse.csr_array(integer(4, 5, 1)), network(2, 4, 5)), *proof(100)),
    "rric operator": case(lambda: wc.RRIC(aslinearoperator(gaussian(4, 6)), network(2, 5, 6)), *proof(100)),
    "rric large operator": case(lambda: wc.RRIC(fourfold(), network(1, 2100)), FORMULAS),
    "rric cancelling": case(lambda: wc.RRIC(gaussian(2, 3), cancelling()), *proof(50)),
    "rric dead": case(lambda: wc.RRIC(gaussian(2, 3), dead())),
    # the joint-WDC
    "joint 5x1x1": case(lambda: wc.JointWDC(gaussian(5, 1), gaussian(5, 1, 1))),
    "joint 6x2x1": case(lambda: wc.JointWDC(gaussian(6, 2), gaussian(6, 1, 1)), CLIMB, wc.BranchAndBound()),
    "joint 6x2x2": case(lambda: wc.JointWDC(gaussian(6, 2), gaussian(6, 2, 1)), *proof(1000)),
    "joint 300x2x2": case(lambda: wc.JointWDC(gaussian(300, 2), gaussian(300, 2, 1)), *proof(100)),
    "joint 240x2x1, fan": case(lambda: fan(240), *proof(300)),
    "joint 5x3x2": case(lambda: wc.JointWDC(gaussian(5, 3), integer(5, 2, 1), 0.5), *proof(300)),
    "joint 7x4x4": case(lambda: wc.JointWDC(parallel(gaussian(5, 4))[:7], gaussian(7, 4, 1)), *proof(300)),
    "joint 8x6x5": case(lambda: wc.JointWDC(gaussian(8, 6), gaussian(8, 5, 1), 2.0), CLIMB, target=8.0),
    # other calls
    "calibrate wdc": Case(lambda: wc.WDC(gaussian(12, 2)), call=wc.calibrate),
    "calibrate wdc, vacuous": Case(lambda: wc.WDC(gaussian(1, 1)), call=wc.calibrate),
    "calibrate joint": Case(lambda: wc.JointWDC(gaussian(8, 1), gaussian(8, 1, 1)), call=wc.calibrate),
    "certify 2-4-5": Case(lambda: network(2, 4, 5), (gaussian(4, 5),), call=wc.certify,
                          options={"alpha": 1.0, "ratio": 0.7, "time_limit": None}),
    "certify a pair": Case(lambda: network(1, 2, 5), (network(2, 5, seed=2),), call=wc.certify_pair,
                           options={"alpha": 1.0, "ratio": 1.7, "time_limit": None}),
}
for _name in ("wdc 20x2", "rric 3x5, 2-4-5", "joint 6x2x2"):  # the same again, so the same record
    CASES[f"{_name}, two workers"] = replace(CASES[_name], options={"workers": 2})
