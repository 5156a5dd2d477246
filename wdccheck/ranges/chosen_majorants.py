"""The choice of a majorant by the multiplicative algorithm of optimal design (Fact 24).

H is as small as it can be on a pool of differences. The pool grows by differences on which it is still large:
tangents of single cones, and climbs over pairs of codes. Whatever is chosen is proved afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.geometry.expectation import unit
from wdccheck.ranges import differences
from wdccheck.ranges.majorants import AbsoluteValue, Majorant, Proved

__all__ = ["Pool", "choose", "optimal"]

_LARGEST = 512  # outputs up to which a majorant is chosen
_ROUNDS = 16
_WORK = 4e8  # products in the steps of the algorithm of one round
_STEPS = 100  # of the algorithm in a round, at most
_PAIRS = 4096  # of codes looked at in a round
_STARTS = 192  # of them climbed from
_CONES = 16384  # tangents of so many cones in a round
_CLIMB = 8
_REACH = (1e-4, 1e-2, 0.1, 0.3, 0.7, 1.0)
_CHUNK = 2**22  # numbers in one batch of cones
_SPREAD = 0.01  # of the weight lies on all differences alike: H stays finite off the pool
_RIDGE = 1e-6
_LIGHT = 1e-6  # atoms below are dropped
_FRESH = 0.3  # of the weight goes to new atoms
_CLOSE = 1.003  # supremum over dual value at which nothing is left to do

Layers = Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class Pool:
    """Unit range differences u with weights p: Sigma = (1 - s) sum p u u^T + s `spread`.

    Attributes
    ----------
    atoms : ndarray of shape (N, n)
    weights : ndarray of shape (N,)
        Their sum is 1.
    spread : ndarray of shape (n, n)
        The mean of u u^T over random differences.
    """

    atoms: np.ndarray
    weights: np.ndarray
    spread: np.ndarray

    def joined(self, atoms: np.ndarray) -> Pool:
        """With more atoms, which take some of the weight."""
        if not len(atoms):
            return self
        share = _FRESH if len(self.atoms) else 1.0
        weights = np.concatenate([(1 - share) * self.weights, np.full(len(atoms), share / len(atoms))])
        return Pool(np.concatenate([self.atoms, atoms]), weights, self.spread)

    def weighted(self, weights: np.ndarray) -> Pool:
        """With other weights, without light atoms."""
        kept = weights > _LIGHT * weights.sum()
        return Pool(self.atoms[kept], weights[kept] / weights[kept].sum(), self.spread)

    def moment(self) -> np.ndarray:
        """Sigma (n, n)."""
        return (1 - _SPREAD) * (self.atoms.T * self.weights) @ self.atoms + _SPREAD * self.spread

    def dual(self, D: np.ndarray) -> float:
        """The nuclear norm of Sigma^1/2 D Sigma^1/2: no H >= +-D has less as its supremum over the range."""
        values, vectors = np.linalg.eigh(self.moment())
        half = vectors * np.sqrt(np.maximum(values, 0.0))
        return float(np.abs(np.linalg.eigvalsh(half.T @ D @ half)).sum())


def optimal(D: np.ndarray, pool: Pool, steps: int) -> tuple[np.ndarray, Pool]:
    """A majorant H of +-D whose largest u^T H u over the atoms is about as small as possible; the weights.

    H = Sigma^-1/2 |Sigma^1/2 D Sigma^1/2| Sigma^-1/2; a weight is multiplied by u^T H u.
    """
    best, least, ridge = D, math.inf, _RIDGE / len(D) * np.eye(len(D))
    weights = pool.weights
    for _ in range(steps):
        moment = Pool(pool.atoms, weights, pool.spread).moment() + ridge
        values, vectors = np.linalg.eigh(moment)
        root = np.sqrt(np.maximum(values, _RIDGE / len(D) / 2))
        inner, turned = np.linalg.eigh(root[:, None] * (vectors.T @ D @ vectors) * root)
        frame = vectors @ (turned / root[:, None])
        H = (frame * np.abs(inner)) @ frame.T
        quotient = forms(H, pool.atoms)
        if quotient.max() < least:
            best, least = (H + H.T) / 2, float(quotient.max())
        weights = weights * np.maximum(quotient, 0.0)
        weights /= weights.sum()
    return best, pool.weighted(weights)


def forms(H: np.ndarray, u: np.ndarray) -> np.ndarray:
    """u^T H u (B,) for u (B, n)."""
    return np.einsum("bn,bn->b", u @ H, u)


def choose(
    layers: Layers, A: np.ndarray, absolute: AbsoluteValue, codes: np.ndarray, deadline: float = math.inf,
    log: Any = None,
) -> Proved:
    """The best majorant found, proved; |D| where there is no time, or nothing better.

    Parameters
    ----------
    layers : sequence of ndarray
    A : ndarray of shape (m, n)
    absolute : AbsoluteValue
        |D| for D = A^T A - I.
    codes : ndarray of shape (L, k)
        A direction inside every activation cone.
    deadline : float
        Of `time.monotonic`.
    """
    n = A.shape[1]
    if n > _LARGEST or time.monotonic() >= deadline:
        return absolute
    D, H = A.T @ A - np.eye(n), absolute.dense()
    if not (np.isfinite(D).all() and np.isfinite(H).all()):
        return absolute
    rng = np.random.default_rng(0)
    met = _Met(layers, codes, rng)
    pool = Pool(np.zeros((0, n)), np.zeros(0), _spread(layers, codes, rng))
    steps = int(np.clip(_WORK / (30 * n**3), 4, _STEPS))
    tried, seen, dual = [H], [], 0.0
    t0 = time.process_time()
    for _ in range(_ROUNDS):
        found = met.differences(H)
        if not len(found) or time.monotonic() >= deadline:
            break
        seen.append(found)
        if log:
            log(_, "pool", len(pool.atoms), "found", len(found), "tau", round(forms(H, found).max(), 4), "dual", round(dual, 4), round(time.process_time() - t0, 2))
        if forms(H, found).max() <= _CLOSE * dual:
            break
        H, pool = optimal(D, pool.joined(found), steps)
        dual = max(dual, pool.dual(D))
        tried.append(H)
    everything = np.concatenate([*seen, pool.atoms])
    suprema = [float(forms(H, everything).max(initial=0.0)) for H in tried]
    best = int(np.argmin(suprema))
    proved = Majorant.of(tried[best], A, dual) if best else None
    return absolute if proved is None else proved


def _spread(layers: Layers, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean of u u^T over random differences."""
    x = rng.standard_normal((2, 4096, codes.shape[1]))
    pairs = codes[rng.integers(len(codes), size=(2, 4096))]
    u = unit(differences.secants(layers, *np.concatenate([x, pairs], axis=1)))
    u = u[u.any(axis=1)]
    return u.T @ u / max(len(u), 1)


@dataclass(eq=False)
class _Met:
    """Where u^T H u is large: the codes of climbs are kept for the next H."""

    layers: Layers
    codes: np.ndarray
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.kept = np.zeros((2, 0, self.codes.shape[1]))

    def differences(self, H: np.ndarray) -> np.ndarray:
        """Unit differences (B, n)."""
        return np.concatenate([self._tangents(H), self._secants(H)])

    def _tangents(self, H: np.ndarray) -> np.ndarray:
        """Those of the single cones with the largest u^T H u."""
        count = len(self.codes)
        some = self.rng.choice(count, _CONES, replace=False) if count > _CONES else np.arange(count)
        step = max(1, _CHUNK // (len(H) * self.codes.shape[1]))
        value, vector = (np.concatenate(x) for x in zip(*(
            _tops(differences.jacobian(self.layers, self.codes[some[i: i + step]]), H)
            for i in range(0, len(some), step)), strict=True))
        hot = np.argsort(-value, kind="stable")[:_STARTS]
        u = np.einsum("bnk,bk->bn", differences.jacobian(self.layers, self.codes[some[hot]]), vector[hot])
        return _proper(u)

    def _secants(self, H: np.ndarray) -> np.ndarray:
        k = self.codes.shape[1]
        x1, x2 = self.codes[self.rng.integers(len(self.codes), size=(2, _PAIRS))]
        free = self.rng.standard_normal((2, _PAIRS // 4, k))
        x1[: len(free[0])], x2[: len(free[0])] = free
        x1, x2 = (np.concatenate(x) for x in zip(self.kept, (x1, x2), strict=True))
        step = max(1, _CHUNK // (len(H) * 2 * k))
        value = np.concatenate([_tops(differences.secant_matrix(self.layers, x1[i: i + step], x2[i: i + step]), H)[0]
                                for i in range(0, len(x1), step)])
        hot = np.argsort(-value, kind="stable")[:_STARTS]
        hot = np.union1d(hot, np.arange(len(self.kept[0])))
        x1, x2, value = _climbed(self.layers, H, x1[hot], x2[hot])
        best = np.argsort(-value, kind="stable")[:_STARTS // 2]
        self.kept = np.stack([x1[best], x2[best]])
        return _proper(differences.secants(self.layers, x1, x2))


def _proper(u: np.ndarray) -> np.ndarray:
    u = unit(u)
    return u[u.any(axis=1) & np.isfinite(u).all(axis=1)]


def _tops(matrix: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest z^T L^T H L z / |L z|^2 (B,) for L = `matrix` (B, n, q), nearly, and its z (B, q)."""
    inverse = np.linalg.inv(np.linalg.cholesky(differences.normal_matrix(matrix)))
    _, exponent = np.frexp(np.abs(matrix).max(axis=(1, 2), keepdims=True))
    matrix = np.ldexp(matrix, -exponent)
    form = inverse @ (matrix.swapaxes(1, 2) @ (H @ matrix)) @ inverse.swapaxes(1, 2)
    values, vectors = np.linalg.eigh(form)
    return values[:, -1], np.einsum("bji,bj->bi", inverse, vectors[:, :, -1])


def _climbed(
    layers: Layers, H: np.ndarray, x1: np.ndarray, x2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes from which u^T H u does not grow much by steps toward the best difference of their cones."""
    k = x1.shape[1]
    here = unit(np.concatenate([x1, x2], axis=1))
    value = _value(layers, H, here, k)
    for _ in range(_CLIMB):
        target = unit(_tops(differences.secant_matrix(layers, here[:, :k], here[:, k:]), H)[1])
        base, before = here, value
        for sign in (1, -1):
            for t in _REACH:
                moved = unit(base + t * (sign * target - base))
                new = _value(layers, H, moved, k)
                better = new > value
                here, value = np.where(better[:, None], moved, here), np.where(better, new, value)
        if (value <= before * (1 + 1e-6)).all():
            break
    return here[:, :k], here[:, k:], value


def _value(layers: Layers, H: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    return forms(H, unit(differences.secants(layers, x[:, :k], x[:, k:])))
