"""Small networks that nobody would train, and what may be asked of them, each drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import wdccheck as wc
from examples.checks import refuted
from wdccheck import checker
from wdccheck.certification.of_condition import certify_condition
from wdccheck.conditions.built import build
from wdccheck.engines.calibration import calibration
from wdccheck.geometry import spheres
from wdccheck.kinds import KINDS

__all__ = ["attack", "layers", "one_of"]

_POINTS = 8  # random ones, at which no deviation may exceed an upper bound


def one_of(rng: np.random.Generator, things: Any) -> Any:
    """One of them, as it is."""
    return things[int(rng.integers(len(things)))]


# -- weights ---------------------------------------------------------------------------------------------

_ENTRIES: tuple[Callable[[np.random.Generator, tuple[int, int]], np.ndarray], ...] = (
    lambda rng, shape: rng.standard_normal(shape) / math.sqrt(shape[0]),
    lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    lambda rng, shape: rng.integers(-2, 3, shape) / 2.0,
    lambda rng, shape: rng.integers(-1, 2, shape) * (1 + rng.integers(-2, 3, shape) * 2.0**-52),
    lambda rng, shape: 1 + 1e-15 * rng.standard_normal(shape),
    lambda rng, shape: one_of(rng, (1e-140, 1e-77, 1e70, 1e120)) * rng.standard_normal(shape),
    lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-200, 100, (shape[0], 1)),
    lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-200, 100, shape[1]),
    lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-150, 1, shape),
    lambda rng, shape: rng.choice([0.0, 1.0, -1.0, 1e-150, -1e-300, 1e80, -5e-324], shape),
)
"""Gaussian, signs, ties, near-ties, rows along a wall, tiny or huge, all scales by rows, columns, entries."""

_UNUSABLE = (
    lambda rng, shape: rng.integers(-9, 10, shape) * 5e-324,
    lambda rng, shape: 1e150 * rng.standard_normal(shape),
    lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-200, 151, (shape[0], 1)),
    lambda rng, shape: np.full(shape, one_of(rng, (math.nan, math.inf, 1e308))),
)
"""Most of these are refused."""


def _with_dead_rows(rng: np.random.Generator, W: np.ndarray) -> None:
    W[int(rng.integers(len(W)))] = 0.0


def _with_equal_rows(rng: np.random.Generator, W: np.ndarray) -> None:
    W[-1] = one_of(rng, (1.0, -1.0, 0.5)) * W[0]


def _with_dead_column(rng: np.random.Generator, W: np.ndarray) -> None:
    W[:, int(rng.integers(W.shape[1]))] = 0.0


def _without_outputs(_: np.random.Generator, W: np.ndarray) -> None:
    W[:] = -np.abs(W)


def _all_alike(_: np.random.Generator, W: np.ndarray) -> None:
    W[:] = W[0]


def _zero(_: np.random.Generator, W: np.ndarray) -> None:
    W[:] = 0.0


_FLAWS = (_with_dead_rows, _with_equal_rows, _with_dead_column, _without_outputs, _all_alike, _zero)


def matrix(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A matrix of one kind of entries; every second one has a flaw more."""
    W = np.array(one_of(rng, _ENTRIES if rng.random() < 0.97 else _UNUSABLE)(rng, shape))
    if rng.random() < 0.5:
        one_of(rng, _FLAWS)(rng, W)
    return W


def layers(rng: np.random.Generator, last: int | None = None) -> list[np.ndarray]:
    """One to three layers of one to six rows over one to four latent dimensions."""
    depth = int(rng.integers(1, 4))
    dims = [int(rng.integers(1, 5)), *(int(n) for n in rng.integers(1, 7, depth))]
    dims[-1] = last or dims[-1]
    return [matrix(rng, (n, k)) for k, n in pairwise(dims)]


def _measurements(rng: np.random.Generator, n: int, orthonormal: bool) -> np.ndarray:
    m = int(rng.integers(1, n + 2))
    if not orthonormal:
        return matrix(rng, (m, n))
    if rng.random() < 0.3:
        return np.eye(n)[: max(1, min(m, n))]
    Q = np.linalg.qr(rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if m % 2 else 0))[0]
    return Q[:m]


# -- conditions ------------------------------------------------------------------------------------------


def _alpha(rng: np.random.Generator, W: np.ndarray) -> float:
    size = min(float(np.max(np.abs(W))), 1e140) ** 2
    if rng.random() < 0.1:
        return one_of(rng, [5e-324, 1e-300, 1e300, 1.7e308])
    return one_of(rng, [1.0, size or 1.0, 2 * size or 1.0, float(10 ** rng.uniform(-9, 9))])


def condition(rng: np.random.Generator) -> Any:
    """A condition of any kind."""
    net, kind = layers(rng), one_of(rng, KINDS)
    if kind.paired:
        C = matrix(rng, (len(net[-1]), int(rng.integers(1, 4))))
        return wc.JointWDC(net[-1], C, _alpha(rng, net[-1]))
    if kind.measured:
        A = _measurements(rng, len(net[-1]), kind.orthonormal)
        return build(kind.name, net, measurements=A)
    if kind.over_range:
        return wc.R2WDC(wc.ReLUNetwork(net), len(net), _alpha(rng, net[-1]))
    return wc.WDC(net[-1], _alpha(rng, net[-1]), layer=1)


def _engines(rng: np.random.Generator) -> list[Any]:
    """Tiny budgets; the search alone has no upper bound, a proof alone no witness."""
    offered = [wc.Spectral(), wc.MonteCarlo(samples=32), wc.Ascent(starts=1),
               wc.BranchAndBound(nodes=int(rng.integers(1, 400))), wc.SDP(nodes=2, seconds=0.2)]
    chosen = [engine for engine, share in zip(offered, (0.7, 0.5, 0.3, 0.6, 0.03), strict=True)
              if rng.random() < share]
    return chosen or [wc.Spectral()]


# -- what is asked of them, and what has to be true of every answer ----------------------------------------


def attack(rng: np.random.Generator, folder: Any) -> None:
    """Ask something of something; an answer that cannot be true is an AssertionError."""
    one_of(rng, _QUESTIONS)(rng, folder)


def _bracket(rng: np.random.Generator, folder: Any) -> None:
    about = condition(rng)
    target = None if rng.random() < 0.7 else float(10 ** rng.uniform(-3, 3))
    found = wc.bracket(about, *_engines(rng), rng=int(rng.integers(2**32)), time_limit=0.5, target=target)
    _possible(found, about, rng)


def _possible(found: wc.Bracket, about: Any, rng: np.random.Generator) -> None:
    """Both sides are in order, the witness gives the lower one, no random point exceeds the upper one."""
    assert 0 <= found.lower <= found.upper, found
    assert found.ratio_lower <= found.ratio_upper
    if found.witness is not None:
        assert about.lower_bound(found.witness) >= found.lower
        assert checker.reevaluate(found.to_dict()).outcome != "refuted"
    assert highest(about, rng) <= found.upper, found


def highest(about: Any, rng: np.random.Generator) -> float:
    """The largest proved deviation at some random points."""
    points = spheres.sample(about.spheres, rng, _POINTS)
    if rng.random() < 0.5:
        points = {letter: np.sign(value) for letter, value in points.items()}
    return max(about.lower_bound({letter: value[i] for letter, value in points.items()})
               for i in range(_POINTS))


def _calibrate(rng: np.random.Generator, folder: Any) -> None:
    while not hasattr(about := condition(rng), "alpha"):
        pass
    found = calibration(about, blocks=1, time_limit=0.2, rng=int(rng.integers(2**32)))
    assert 0 <= found.lower <= about.vacuous and 0 < found.alpha < math.inf
    for alpha in {found.alpha, found.proved_alpha, _alpha(rng, np.ones((1, 1)))}:
        if 0 < alpha < math.inf:
            at = wc.bracket(about.with_alpha(alpha), wc.Spectral())
            assert found.lower <= at.ratio_upper, (about, found.lower, at)
            assert not found.vacuous or at.ratio_upper >= about.vacuous * (1 - 1e-5)


def _certify(rng: np.random.Generator, folder: Any) -> None:
    net = layers(rng)
    A = _measurements(rng, len(net[-1]), False) if rng.random() < 0.5 else None
    _reported(wc.certify(net, A, **_settings(rng)), folder, rng)


def _certify_pair(rng: np.random.Generator, folder: Any) -> None:
    B = layers(rng)
    _reported(wc.certify_pair(B, layers(rng, len(B[-1])), **_settings(rng)), folder, rng)


def _settings(rng: np.random.Generator) -> dict[str, Any]:
    return {"alpha": one_of(rng, ["best", "best", 1.0, 1e-9, 1e100]), "time_limit": 0.1,
            "ratio": one_of(rng, [None, None, 0.5, 1e-3]), "rng": int(rng.integers(2**32))}


def _row(rng: np.random.Generator, folder: Any) -> None:
    """Time enough for more than one alpha."""
    about = condition(rng)
    row = certify_condition(about, time_limit=1.2, rng=int(rng.integers(2**32)))
    assert row.least is None or row.least.lower <= row.least.upper <= row.ratio_upper, row.to_text()
    _possible(row.bracket, about if row.alpha is None else about.with_alpha(row.alpha), rng)


def _reported(report: wc.Report, folder: Any, rng: np.random.Generator) -> None:
    """Its rows are in order, its pages can be written, nothing in its file is refuted."""
    for row in report.rows:
        assert 0 <= row.bracket.lower <= row.bracket.upper, row.name
        assert row.least is None or row.least.lower <= row.least.upper <= row.ratio_upper, row.name
    path = folder / "report.json"
    report.save(path)
    assert report.to_text() == wc.Report.load(path).to_text()
    assert report.to_markdown() and report.to_html()
    assert not refuted(wc.verify(path, rerun=False))


_QUESTIONS = (*[_bracket] * 36, *[_calibrate] * 6, *[_certify] * 3, *[_certify_pair] * 3, _row)
