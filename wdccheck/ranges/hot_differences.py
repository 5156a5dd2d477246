"""Range differences u on which u^T H u is large: tangents of single cones, and climbs over pairs of codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.geometry.expectation import unit
from wdccheck.ranges import differences
from wdccheck.ranges.majorants import forms

__all__ = ["Hot", "random_differences"]

_RANDOM = 4096
_PAIRS = 4096  # of codes looked at in a round
_CONES = 16384  # looked at in a round
_STARTS = 64  # climbs from each of the two, and from what is kept
_CLIMB = 8  # steps of a climb
_REACH = (1e-4, 1e-2, 0.1, 0.3, 0.7, 1.0)
_NEAR = (1e-1, 1e-3, 1e-6)  # half the distance of the two codes of a tangent
_CHUNK = 2**22  # numbers in a batch of cones
_NOISE = 1e-7  # of a difference may be rounding: what cancels in floats is none of the range

Layers = Sequence[np.ndarray]


def random_differences(layers: Layers, codes: np.ndarray) -> np.ndarray:
    """Unit differences (B, n) of random codes, and of codes of random cones."""
    rng = np.random.default_rng(1)
    free = rng.standard_normal((2, _RANDOM, codes.shape[1]))
    met = codes[rng.integers(len(codes), size=(2, _RANDOM))]
    return _units(layers, *np.concatenate([free, met], axis=1))


@dataclass(frozen=True, eq=False)
class Hot:
    """A search in rounds, each for another H; where climbs ended they start again.

    Attributes
    ----------
    layers : sequence of ndarray
    codes : ndarray of shape (L, k)
        A direction of every activation cone.
    kept : ndarray of shape (2, B, k)
        Pairs of codes.
    rounds : int
    """

    layers: Layers
    codes: np.ndarray
    kept: np.ndarray
    rounds: int = 0

    @staticmethod
    def of(layers: Layers, codes: np.ndarray) -> Hot:
        """Before the first round."""
        return Hot(layers, codes, np.zeros((2, 0, codes.shape[1])))

    def after(self, H: np.ndarray) -> tuple[Hot, np.ndarray]:
        """The search after a round for H (n, n), and the unit differences (B, n) it found."""
        rng = np.random.default_rng([2, self.rounds])
        starts = [self.kept, self._tangents(H, rng), self._pairs(H, rng)]
        x1, x2, value = _climbed(self.layers, H, *np.concatenate(starts, axis=1))
        sure = _sure(self.layers, x1, x2)
        x1, x2, value = (x[sure] for x in (x1, x2, value))
        best = np.argsort(-value, kind="stable")[:_STARTS]
        found = _units(self.layers, x1, x2)
        return replace(self, kept=np.stack([x1[best], x2[best]]), rounds=self.rounds + 1), found

    def _tangents(self, H: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Pairs of codes beside each other in the cones with the largest u^T H u over all tangents u."""
        count = len(self.codes)
        some = np.sort(rng.permutation(count)[:_CONES])
        value, along = _in_chunks(lambda x: differences.jacobian(self.layers, x), H, self.codes[some])
        best = np.argsort(-value, kind="stable")[:_STARTS]
        code, along = self.codes[some[best]], unit(along[best])
        tried = [np.stack([code + h * along, code - h * along]) for h in _NEAR]
        values = np.stack([_value(self.layers, H, *pair) for pair in tried])
        pick = values.argmax(axis=0)
        return np.stack(tried)[pick, :, np.arange(len(best))].swapaxes(0, 1)

    def _pairs(self, H: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Pairs of codes of which the span of the differences of their cones promises most."""
        few = min(_PAIRS, len(self.codes) ** 2)
        pairs = np.concatenate([self.codes[rng.integers(len(self.codes), size=(2, few))],
                                rng.standard_normal((2, max(few // 4, 16), self.codes.shape[1]))], axis=1)
        value, _ = _in_chunks(lambda x: differences.secant_matrix(self.layers, *np.split(x, 2, axis=1)), H,
                              np.concatenate(list(pairs), axis=1))
        return pairs[:, np.argsort(-value, kind="stable")[:_STARTS]]


def _in_chunks(
    matrices: Callable[[np.ndarray], np.ndarray], H: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`_tops` of the matrices at the points, a batch at a time."""
    step = max(1, _CHUNK // (len(H) * points.shape[1]))
    parts = [_tops(matrices(points[i: i + step]), H) for i in range(0, len(points), step)]
    value, along = (np.concatenate(x) for x in zip(*parts, strict=True))
    return value, along


def _units(layers: Layers, x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    """Those of the unit differences that are not 0."""
    u = unit(differences.secants(layers, x1, x2))
    return np.asarray(u[u.any(axis=1) & np.isfinite(u).all(axis=1) & _sure(layers, x1, x2)])


def _sure(layers: Layers, x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    """Where the difference (B,) is more than rounding."""
    u, error = differences.enclosed(layers, x1, x2)
    return np.asarray(error.max(axis=1) <= _NOISE * np.abs(u).max(axis=1))


def _value(layers: Layers, H: np.ndarray, x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    """u^T H u (B,) of the unit differences."""
    return forms(H, unit(differences.secants(layers, x1, x2)))


def _tops(matrix: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest z^T L^T H L z / |L z|^2 (B,) for L = `matrix` (B, n, q), nearly, and its z (B, q)."""
    inverse = np.linalg.inv(np.linalg.cholesky(differences.normal_matrix(matrix)))
    _, exponent = np.frexp(np.abs(matrix).max(axis=(1, 2), keepdims=True))
    matrix = np.ldexp(matrix, -exponent)  # as in normal_matrix
    form = inverse @ (matrix.swapaxes(1, 2) @ (H @ matrix)) @ inverse.swapaxes(1, 2)
    values, vectors = np.linalg.eigh(form)
    return values[:, -1], np.einsum("bji,bj->bi", inverse, vectors[:, :, -1])


def _climbed(
    layers: Layers, H: np.ndarray, x1: np.ndarray, x2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes after steps toward the best difference of their present cones, as far as pays; u^T H u there."""
    here = unit(np.concatenate([x1, x2], axis=1))
    value = _value(layers, H, *np.split(here, 2, axis=1))
    for _ in range(_CLIMB):
        base, before = here, value
        matrix = differences.secant_matrix(layers, *np.split(base, 2, axis=1))
        target = unit(_tops(matrix, H)[1])
        for sign in (1, -1):
            for t in _REACH:
                moved = unit(base + t * (sign * target - base))
                new = _value(layers, H, *np.split(moved, 2, axis=1))
                better = new > value
                here, value = np.where(better[:, None], moved, here), np.where(better, new, value)
        if (value <= before * (1 + 1e-6)).all():
            break
    first, second = np.split(here, 2, axis=1)
    return first, second, value
