"""The choice of a majorant by the multiplicative algorithm of optimal design (Fact 24).

H is as small as can be on a pool of range differences, which grows by those on which H is still large.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.ranges.hot_differences import Hot, random_differences
from wdccheck.ranges.majorants import Majorant, forms

__all__ = ["Choice", "Pool", "choose", "optimal"]

_LARGEST = 512  # outputs up to which a majorant is chosen
_CLOSE = 1.01  # of the dual value: nothing is left to gain
_PATIENCE, _PROGRESS = 3, 0.995  # so many rounds have to lower the supremum to so much of what it was
_STEPS = 100  # of the algorithm in a round, at most
_WORK = 30 * 100 * 96**3  # products in the steps of a round
_SPREAD = 0.01  # of the weight lies on all differences alike: H stays finite off the pool
_RIDGE = 2.0**-20  # of the trace of Sigma
_LIGHT = 2.0**-20  # atoms below are dropped
_FRESH = 0.3  # of the weight goes to new atoms
_KEPT = 32  # majorants

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
        share = _FRESH if len(self.atoms) else 1.0
        fresh = np.full(len(atoms), share / max(len(atoms), 1))
        return replace(self, atoms=np.concatenate([self.atoms, atoms]),
                       weights=np.concatenate([(1 - share) * self.weights, fresh]))

    def moment(self, weights: np.ndarray) -> np.ndarray:
        """Sigma (n, n) of these weights."""
        return (1 - _SPREAD) * (self.atoms.T * weights) @ self.atoms + _SPREAD * self.spread

    def weighted(self, weights: np.ndarray) -> Pool:
        """With these weights, without light atoms."""
        kept = weights > _LIGHT
        return replace(self, atoms=self.atoms[kept], weights=weights[kept] / weights[kept].sum())

    def dual(self, D: np.ndarray) -> float:
        """The nuclear norm of Sigma^1/2 D Sigma^1/2: no H >= +-D has a smaller supremum over the range."""
        values, vectors = np.linalg.eigh(self.moment(self.weights))
        half = vectors * np.sqrt(np.maximum(values, 0.0))
        return float(np.abs(np.linalg.eigvalsh(half.T @ D @ half)).sum())


def optimal(
    D: np.ndarray, pool: Pool, steps: int, deadline: float = math.inf
) -> tuple[np.ndarray | None, Pool]:
    """An H >= +-D whose largest u^T H u over the atoms is nearly the least one; the pool reweighted.

    H = S^-1/2 |S^1/2 D S^1/2| S^-1/2 for S = Sigma and a ridge; each weight is multiplied by its u^T H u.
    """
    n = len(D)
    best: np.ndarray | None = None
    least, weights = math.inf, pool.weights
    for _ in range(steps):
        if time.monotonic() >= deadline:
            break
        values, vectors = np.linalg.eigh(pool.moment(weights))
        root = np.sqrt(np.maximum(values, 0.0) + _RIDGE / n)
        inner, turned = np.linalg.eigh(root[:, None] * (vectors.T @ D @ vectors) * root)
        frame = vectors @ (turned / root[:, None])
        H = (frame * np.abs(inner)) @ frame.T
        quotients = np.maximum(forms(H, pool.atoms), 0.0)
        if quotients.max() < least:
            best, least = H, float(quotients.max())
        total = float(weights @ quotients)
        if not total > 0:  # D = 0 on the pool
            break
        weights = weights * quotients / total
    return None if best is None else (best + best.T) / 2, pool.weighted(weights)


@dataclass(frozen=True, eq=False)
class Choice:
    """What has been tried, and all differences met: data that grow.

    Attributes
    ----------
    D : ndarray of shape (n, n)
        A^T A - I over 2^exponent.
    exponent : int
    pool : Pool
    tried : tuple of ndarray of shape (n, n)
        Majorants up to rounding, the first one |D|.
    seen : ndarray of shape (N, n)
    dual : float
        No majorant of D has a smaller supremum over the range.
    """

    D: np.ndarray
    exponent: int
    pool: Pool
    tried: tuple[np.ndarray, ...]
    seen: np.ndarray
    dual: float = 0.0

    @staticmethod
    def first(
        layers: Layers, D: np.ndarray, codes: np.ndarray, some: np.ndarray | None = None
    ) -> Choice:
        """|D| alone, seen on `some` unit differences (B, n), or on random ones; D is symmetric and finite."""
        exponent = int(np.frexp(np.abs(D).max())[1])
        D, n = np.ldexp(D, -exponent), len(D)
        values, vectors = np.linalg.eigh(D)
        absolute = (vectors * np.abs(values)) @ vectors.T
        some = random_differences(layers, codes) if some is None else some
        pool = Pool(np.zeros((0, n)), np.zeros(0), some.T @ some / max(len(some), 1))
        return Choice(D, exponent, pool, ((absolute + absolute.T) / 2,), some)

    def climbed(
        self, layers: Layers, codes: np.ndarray, deadline: float = math.inf, rounds: float = math.inf
    ) -> Choice:
        """After rounds of climbs on the last majorant, until little is gained."""
        choice, reached, hot = self, list[float](), Hot.of(layers, codes)
        while not _settled(reached, choice.dual) and time.monotonic() < deadline and len(reached) < rounds:
            hot, found = hot.after(choice.tried[-1])
            if not len(found):
                break
            reached.append(float(forms(choice.tried[-1], found).max()))
            choice = choice.improved(found, deadline)
            if len(self.D) > _LARGEST:
                break
        return choice

    def improved(self, cuts: np.ndarray, deadline: float = math.inf, effort: int = 1) -> Choice:
        """After `effort` more rounds with the unit differences `cuts` (B, n), such as refutations."""
        if len(self.D) > _LARGEST:
            return replace(self, seen=np.concatenate([self.seen, cuts]))
        steps = effort * int(np.clip(_WORK / (30 * len(self.D) ** 3), 4, _STEPS))
        H, pool = optimal(self.D, self.pool.joined(cuts), steps, deadline)
        return replace(self, pool=pool, tried=(self.tried if H is None else (*self.tried, H))[-_KEPT:],
                       seen=np.concatenate([self.seen, cuts]), dual=max(self.dual, pool.dual(self.D)))

    def best(self) -> tuple[float, np.ndarray]:
        """The one whose largest u^T H u over all differences met is least, after that number."""
        suprema = [float(forms(H, self.seen).max(initial=0.0)) for H in self.tried]
        at = int(np.argmin(suprema))
        return suprema[at], self.tried[at]

    def majorant(self, A: np.ndarray) -> Majorant | None:
        """The best one, proved for A (m, n); None where the proof fails."""
        dual = math.ldexp(self.dual, self.exponent)
        return Majorant.of(np.ldexp(self.best()[1], self.exponent), A, dual)


def choose(layers: Layers, A: np.ndarray, codes: np.ndarray, deadline: float = math.inf) -> Choice | None:
    """Majorants of D = A^T A - I for the differences of a range; None where D is beyond floats.

    It depends on nothing but the arguments, and on the clock only at the deadline.

    Parameters
    ----------
    layers : sequence of ndarray
    A : ndarray of shape (m, n)
    codes : ndarray of shape (L, k)
        A direction of every activation cone.
    deadline : float
        Of `time.monotonic`: what has been found until then serves.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.ranges.chosen_majorants import choose
    >>> A = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> found = choose([np.eye(2)], A, np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]))
    >>> 2.9 < found.majorant(A).dual <= 3  # of H = diag(3, 0)
    True
    """
    D = A.T @ A - np.eye(A.shape[1])
    return Choice.first(layers, D, codes).climbed(layers, codes, deadline) if np.isfinite(D).all() else None


def _settled(reached: Sequence[float], dual: float) -> bool:
    """Whether the last supremum is near the dual value, or the last few are hardly less than those before."""
    if reached and reached[-1] <= _CLOSE * dual:
        return True
    last, before = reached[-_PATIENCE:], reached[:-_PATIENCE]
    return bool(before) and min(last) > _PROGRESS * min(before)
