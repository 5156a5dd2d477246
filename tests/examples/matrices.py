"""Matrices of every kind, and matrices whose epsilon is known by theorem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import wdccheck as wc

Factory = Callable[[np.random.Generator, int], np.ndarray]


def gaussian(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Entries N(0, 1/n)."""
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


# -- matrices of mixed kinds ------------------------------------------------------------------


def _gaussian(rng, k):
    n = int(rng.integers(k, 3 * k + 4))
    return rng.standard_normal((n, k)) / np.sqrt(n)


def _one_row(rng, k):
    return rng.standard_normal((1, k))


def _trained_like(rng, k):
    return np.maximum(rng.standard_normal((3 * k, k)), 0.0) + 0.01 * rng.random((3 * k, k))


def _integer(rng, k):
    return rng.integers(-1, 2, (2 * k + 3, k)).astype(float)


def _sparse(rng, k):
    return rng.standard_normal((3 * k, k)) * (rng.random((3 * k, k)) < 0.3)


def _duplicated(rng, k):
    W = _gaussian(rng, k)
    return np.vstack([W, W[: k + 1], 0.5 * W[:1]])


def _negated(rng, k):
    W = _gaussian(rng, k)
    return np.vstack([W, -W, -2.0 * W[:1]])


def _rank_deficient(rng, k):
    rank = max(1, k - 1)
    return rng.integers(-2, 3, (2 * k + 2, rank)) @ rng.integers(-2, 3, (rank, k)) / 4.0


def _zero_rows(rng, k):
    W = _gaussian(rng, k)
    W[:: 3] = 0.0
    return W


def _near_parallel(rng, k):
    W = _gaussian(rng, k)
    return np.vstack([W, W * (1 + 1e-12 * rng.standard_normal(W.shape)), np.nextafter(W[:1], 9.0)])


def _mixed_scales(rng, k):
    W = _gaussian(rng, k)
    return W * 10.0 ** rng.uniform(-12, 0, (len(W), 1))


MATRICES: dict[str, Factory] = {
    "gaussian": _gaussian,
    "trained-like": _trained_like,
    "integer": _integer,
    "sparse": _sparse,
    "duplicated": _duplicated,
    "negated": _negated,
    "rank-deficient": _rank_deficient,
    "zero rows": _zero_rows,
    "one row": _one_row,
    "near-parallel": _near_parallel,
    "mixed scales": _mixed_scales,
    "tiny": lambda rng, k: 1e-100 * _gaussian(rng, k),
    "huge": lambda rng, k: 1e100 * _gaussian(rng, k),
}
"""Name to a factory (rng, k) -> W of shape (n, k)."""
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge"}))


def matrix(seed: int, kind: str, k: int) -> tuple[np.random.Generator, np.ndarray]:
    """A source of random numbers, and the matrix of a kind that was drawn from it."""
    rng = np.random.default_rng(seed)
    return rng, MATRICES[kind](rng, k)


def condition(W: np.ndarray, alpha: float) -> wc.WDC:
    """Its WDC; nobody is told that rows and columns may be exchanged."""
    return wc.WDC(W, alpha, layer=1)


def natural_alpha(W: np.ndarray) -> float:
    """About |W|^2: an alpha at which neither term of the deviation disappears."""
    return float(np.max(np.abs(W))) ** 2 or 1.0


def layer(seed: int, kind: str, k: int, factor: float = 1.0) -> tuple[wc.WDC, np.random.Generator]:
    """The WDC of a matrix of a kind at a multiple of its natural alpha, and the source of its numbers."""
    rng, W = matrix(seed, kind, k)
    return condition(W, factor * natural_alpha(W)), rng


def top_scale(condition: wc.WDC) -> float:
    """At least every term of the deviation."""
    return float(np.sum(condition.W**2)) + condition.alpha


# -- known values -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A matrix whose epsilon is known by theorem."""

    name: str
    W: np.ndarray
    alpha: float
    epsilon: float
    reason: str


def _line(values: list[float], alpha: float) -> Known:
    """k = 1: the pairs (+, +) and (-, -); for the mixed pairs A = Q = 0."""
    w = np.array(values)
    plus, minus = np.sum(w[w > 0] ** 2), np.sum(w[w < 0] ** 2)
    return Known(f"k=1 {values}", w[:, None], alpha, max(abs(plus - alpha / 2), abs(minus - alpha / 2)),
                 "Fact 8: four pairs")


_E1, _E2 = np.eye(2)
_ROTATION = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
KNOWN_VALUES: tuple[Known, ...] = (
    Known("W=0", np.zeros((3, 2)), 1.0, 0.5, "Fact 8"),
    Known("W=0, alpha=6", np.zeros((1, 3)), 6.0, 3.0, "Fact 8"),
    Known("I_2", np.eye(2), 1.0, 1.0, "Fact 7; Fact 9 caps it"),
    Known("I_3", np.eye(3), 1.0, 1.0, "Fact 7; Fact 9 caps it"),
    Known("I_3, alpha=5", np.eye(3), 5.0, 2.5, "Fact 6; Fact 9 caps it"),
    Known("rotated I_3", _ROTATION, 1.0, 1.0, "Fact 3 and Fact 7"),
    Known("3 I_2", 3 * np.eye(2), 9.0, 9.0, "Fact 3"),
    Known("signed permutation", np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]), 1.0, 1.0,
          "Fact 3 and Fact 7"),
    Known("[I; -I], k=2", np.vstack([np.eye(2), -np.eye(2)]), 1.0, 1.0, "Fact 7; A <= I"),
    Known("[I; -I], k=3", np.vstack([np.eye(3), -np.eye(3)]), 1.0, 1.0, "Fact 7; A <= I"),
    Known("e1, e1, e2", np.array([_E1, _E1, _E2]), 1.0, 2.0, "Fact 7 with I = {1, 2}; Fact 9 caps it"),
    Known("e1, 2e1, -2e1", np.array([_E1, 2 * _E1, -2 * _E1]), 1.0, 5.0, "Fact 7; opposite rows exclude"),
    Known("one row", np.array([[3.0, 4.0]]), 1.0, 25.0, "Fact 7; Fact 9 caps it"),
    Known("one row, k=3, large alpha", np.array([[2.0, -1.0, 2.0]]), 40.0, 20.0, "Fact 6; Fact 9 caps it"),
    Known("orthogonal rows", np.diag([1.0, 2.0, 3.0]), 1.0, 9.0, "Fact 7; Fact 9 caps it"),
    Known("zero rows among I_2", np.array([_E1, 0 * _E1, _E2, 0 * _E2]), 1.0, 1.0, "zero rows are idle"),
    _line([1.0], 1.0),
    _line([1.0, -2.0], 1.0),
    _line([0.5, -0.5, 0.0, 0.25], 3.0),
)


def sparse_table(n, k, seed=0, density=0.2):
    """A dense array with few entries, some rows of zeros among them."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((n, k)) * (rng.random((n, k)) < density)
    table[rng.integers(n, size=max(1, n // 10))] = 0.0
    return table / np.sqrt(n * density) + 0.0  # no negative zeros: dense hashes tell them apart
