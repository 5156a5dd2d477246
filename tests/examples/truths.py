"""Genuine results of a few milliseconds, and what is true of a condition that a file describes.

The truth is a bracket of that condition; of a WDC of one column, of zeros and of a large alpha it is a
rational number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

import wdccheck as wc
from wdccheck import checker, kinds
from wdccheck.certification.of_condition import certify_condition
from wdccheck.conditions.built import build
from wdccheck.errors import InvalidInput
from wdccheck.linalg.matrices import from_parts

__all__ = ["SEEDS", "described", "exact_minimum", "genuine", "truth", "weights_of"]

Data = dict[str, Any]
Rng = np.random.Generator
SEEDS = 4  # of genuine results
FORMULAS = (wc.Spectral(), wc.MonteCarlo(32), wc.BranchAndBound(nodes=50))


# -- genuine results of a few milliseconds -----------------------------------------------------------


def layer(rng: Rng, n: int, k: int) -> np.ndarray:
    """Gaussian, integer, or with one huge column that nothing reaches."""
    W = [rng.standard_normal((n, k)), rng.integers(-1, 2, (n, k)).astype(float),
         rng.standard_normal((n, k)) * 10.0 ** rng.integers(-3, 4)][rng.integers(3)]
    return W


def network(rng: Rng, *dims: int) -> wc.ReLUNetwork:
    """With a unit that never opens, the column behind which is huge."""
    layers = [layer(rng, n, k) for k, n in pairwise(dims)]
    if rng.random() < 0.5:
        layers[0][-1] = 0.0
        layers[1][:, -1] = 1e8
    return wc.ReLUNetwork(layers)


def orthonormal(rng: Rng, n: int) -> np.ndarray:
    """Real, or complex."""
    entries = rng.standard_normal((n, n)) + 1j * rng.integers(2) * rng.standard_normal((n, n))
    U = np.linalg.qr(entries)[0]
    return U if U.imag.any() else U.real


def _conditions(rng: Rng) -> Iterator[Any]:
    alpha = float(2.0 ** rng.integers(-3, 4))
    yield wc.WDC(layer(rng, 5, 1), alpha)
    yield wc.WDC(layer(rng, 6, 2), alpha)
    yield wc.WDC(layer(rng, 2, 3), 100.0)
    yield wc.WDC(np.zeros((3, 2)), alpha)
    yield wc.WDC(np.eye(2), alpha)
    yield wc.JointWDC(layer(rng, 4, 1), layer(rng, 4, 1), alpha)
    yield wc.JointWDC(layer(rng, 4, 2), layer(rng, 4, 1), alpha)
    yield wc.R2WDC(network(rng, 1, 4, 3), 2, alpha)
    yield wc.R2WDC(network(rng, 2, 3, 2), int(rng.integers(1, 3)), alpha)
    yield wc.RRIC(layer(rng, 3, 4), network(rng, 1, 3, 4))
    yield wc.RRIC(np.eye(3), network(rng, 2, 3, 3))
    yield wc.Coherence(orthonormal(rng, 4), network(rng, 1, 3, 4))


@cache
def genuine(seed: int) -> tuple[tuple[Data, ...], tuple[Data, ...]]:
    """Brackets, and reports, as plain data."""
    rng = np.random.default_rng(seed)
    found = [wc.bracket(condition, *FORMULAS).to_dict() for condition in _conditions(rng)]
    pair = wc.JointWDC(layer(rng, 4, 1), layer(rng, 4, 1))
    for one in (wc.WDC(layer(rng, 5, 1)), wc.WDC(layer(rng, 8, 2)), pair):
        row = certify_condition(one, time_limit=0.2)
        found.append({**row.bracket.to_dict(), "least": row.least and row.least.to_dict()})
    single = wc.certify(network(rng, 1, 3, 2), time_limit=0.3)
    B, C = ([rng.standard_normal((3, 1)), rng.standard_normal((4, 3))] for _ in range(2))
    double = wc.certify_pair(wc.ReLUNetwork(B), wc.ReLUNetwork(C), alpha=1.0, time_limit=0.3)
    return tuple(found), (single.to_dict(), double.to_dict())


# -- the truth ---------------------------------------------------------------------------------------


def truth(condition: Mapping[str, Any]) -> tuple[Fraction, Fraction] | None:
    """epsilon of what a file describes, between two numbers; None where it describes nothing."""
    try:
        return _truth(json.dumps(condition))
    except (InvalidInput, TypeError, KeyError, ValueError, AttributeError, OverflowError):
        return None


@cache
def _truth(text: str) -> tuple[Fraction, Fraction] | None:
    about = json.loads(text)
    condition = described(about)
    if condition is None or any(about[key] != value for key, value in condition.describe().items()
                                if key in ("kind", "alpha", "shape", "sha256", "options")):
        return None
    if isinstance(condition, wc.WDC) and (exact := exactly(np.asarray(condition.W), condition.alpha)):
        return exact, exact
    climb = (wc.Ascent(starts=16),) if text in _of_genuine_files() else ()
    known = wc.bracket(condition, *FORMULAS, *climb, time_limit=2)
    return Fraction(known.lower), Fraction(known.upper) if math.isfinite(known.upper) else Fraction(10) ** 400


@cache
def _of_genuine_files() -> set[str]:
    return {json.dumps(one["condition"]) for seed in range(SEEDS) for one in genuine(seed)[0]}


def weights_of(condition: Data) -> Data:
    """Those that a report has elsewhere; its hash says which they are."""
    rows = (row["bracket"]["condition"] for seed in range(SEEDS) for one in genuine(seed)[1]
            for row in one["rows"])
    same = (one for one in rows if all(one[key] == condition.get(key) for key in ("kind", "sha256")))
    found = next(same, {})
    return {key: found[key] for key in ("network", "measurements", "weights") if key in found}


def described(about: Mapping[str, Any]) -> Any:
    """The condition that a file describes; None where it carries no weights."""
    kind, data = kinds.named(about["kind"]), {"condition": about}
    A = None
    if kind.paired:
        matrices: Any = checker.stored_pair(data)
    elif kind.over_range:
        matrices = [checker.stored_matrix(W) for W in about["network"]]
        A = checker.stored_measurements(about["measurements"]) if kind.measured else None
    elif (rows := checker.stored_sparse(data)) is not None:
        matrices = [from_parts(rows.shape, rows.data, rows.indices, rows.indptr)]
    else:
        matrices = [checker.stored_weights(data)]
    if matrices is None or any(W is None for W in matrices):
        return None
    return build(kind.name, list(matrices), alpha=about["alpha"] or 1.0, measurements=A, layer=1)


def exactly(W: np.ndarray, alpha: float) -> Fraction | None:
    """epsilon of a WDC where it is a rational number that is known without a search."""
    half = Fraction(alpha) / 2
    squares = [sum((Fraction(float(w)) ** 2 for w in W.ravel() if sign * w > 0), Fraction(0))
               for sign in (1, -1)]
    if W.shape[1] == 1:
        return max(abs(square - half) for square in squares)
    n, k = W.shape
    return half if n < 2 * k and sum(squares) <= half else None  # some direction opens no row (Fact 9)


def exact_minimum(W: np.ndarray) -> Fraction | None:
    """min over alpha of epsilon/alpha of a WDC of one column: where both half axes deviate alike."""
    up, down = (sum((Fraction(float(w)) ** 2 for w in W.ravel() if sign * w > 0), Fraction(0))
                for sign in (1, -1))
    if W.shape[1] > 1:
        return None
    return abs(up - down) / (2 * (up + down)) if up + down else Fraction(1, 2)
