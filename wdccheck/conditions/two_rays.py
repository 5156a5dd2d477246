"""One latent dimension: the range is two rays, and conditions over it are problems in a plane (Fact 14)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from wdccheck.geometry.expectation import expected_gram, unit
from wdccheck.linalg import rounding
from wdccheck.protocol.theorems import Cap

__all__ = ["Plane", "Rays"]

_ENTRIES = 2**18  # of all matrices, up to which integers are affordable
_FARTHEST = 2**500  # ratio of the two codes of a pair


@dataclass(frozen=True, eq=False)
class Plane:
    r"""sup over c, d >= 0 of |c^T T d| / sqrt(c^T S c d^T S d), where 0/0 is 0.

    *Theorem.* It is at most t if and only if t S - T, t S + T and both t^2 S_ii S - t_i t_i^T,
    t_i = T e_i, are copositive. *Necessary*: they say that pairs with c = d, and those with c = e_i,
    stay below t. *Sufficient*: if S is singular, all vectors u = F c are multiples of one, c = d
    says it all. Otherwise the maximum mu is attained. At a c on an edge, the last two say it. At c, d
    inside the cone, scaled to length 1 and to c^T T d = +-mu, both derivatives vanish: T d = +-mu S c and
    T c = +-mu S d. So T (c + d) = +-mu S (c + d), and c + d > 0 attains mu with c = d.
    A symmetric 2 x 2 matrix is copositive if and only if its diagonal is >= 0, and so is its
    other entry or its determinant.

    Parameters
    ----------
    S, T : ndarray of shape (2, 2)
        Symmetric, of Python integers; S = F^T F, T = F^T D F with the columns F of two vectors.
    error : float
        Of D, in spectral norm.
    signs : tuple of float
        The codes x, y of the gates; none of the RRIC.
    """

    S: np.ndarray
    T: np.ndarray
    error: float = 0.0
    signs: tuple[float, ...] = ()

    def cap(self) -> Cap:
        """A proved bound, exact up to rounding."""
        if not self.S.any():
            return Cap(0.0, "both rays of the range are 0: there are no range differences", empty=True)
        value = self.supremum()
        return Cap(rounding.round_up(value + self.error) if self.error else value,
                   "Fact 14: k = 1, two rays", exact=True)

    def point(self) -> dict[str, np.ndarray]:
        """Codes of the maximizer."""
        pairs = zip(("x1", "x2", "x3", "x4"), np.ravel(self.maximizer()) * [1, -1, 1, -1], strict=True)
        gates = zip("xy", self.signs, strict=False)
        return {letter: np.array([value]) for letter, value in (*pairs, *gates)}

    def supremum(self) -> float:
        """Rounded up to a float; the theorem is decided in integers."""
        if self.below(0.0):
            return 0.0
        high = 1.0
        while self.below(high / 2):
            high /= 2
        while not self.below(high):
            high *= 2
        low = high / 2
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (low, middle) if self.below(middle) else (middle, high)
        return high

    def maximizer(self) -> tuple[np.ndarray, np.ndarray]:
        """c, d up to the accuracy of floats: on edges, S^-1 T of an edge, or c = d and an eigenvector."""
        lengths = [_root(s) for s in np.diag(self.S)]
        keep = [i for i in range(2) if lengths[i]]
        if not keep:
            return np.zeros(2), np.zeros(2)
        S, T = (np.array([[float(Fraction(M[i, j]) / lengths[i] / lengths[j]) for j in keep] for i in keep])
                for M in (self.S, self.T))
        T /= np.abs(T).max() or 1.0
        edges, inverse = np.eye(len(keep)), np.linalg.pinv(S)
        inside = np.concatenate([np.linalg.eig(inverse @ T)[1].real.T, (inverse @ T).T])
        found = np.maximum(np.concatenate([edges, inside, -inside]), 0.0)
        found = unit(found[found.any(axis=1)])
        sizes = np.sqrt(np.maximum(np.sum(found @ S * found, axis=1), 1e-300))
        values = np.abs(found @ T @ found.T) / sizes / sizes[:, None]
        best = np.unravel_index(np.argmax(values), values.shape)
        result = np.zeros((2, 2))
        for i, x in zip(keep, found[list(best)].T, strict=True):
            result[:, i] = x * float(min(max(lengths) / lengths[i], Fraction(_FARTHEST)))
        return result[0], result[1]

    def below(self, t: float) -> bool:
        """Whether the supremum is at most t: the theorem, decided in integers."""
        n, d = t.as_integer_ratio()
        S, T = self.S, self.T
        forms = [n * S - d * T, n * S + d * T]
        forms += [n * n * S[i, i] * S - d * d * np.outer(T[i], T[i]) for i in range(2)]
        return all(_copositive(form) for form in forms)


def _root(square: int) -> Fraction:
    """The square root, to some 19 digits."""
    return Fraction(math.isqrt(square << 128), 1 << 64)


def _copositive(form: np.ndarray) -> bool:
    (p, q), (_, r) = form
    return bool(p >= 0 and r >= 0 and (q >= 0 or q * q <= p * r))


@dataclass(frozen=True, eq=False)
class Rays:
    """G(1) and G(-1), exactly, up to a common power of two.

    u = G(x1) - G(x2) is, up to its sign, a multiple of G(1), of G(-1), or a G(1) - b G(-1) with a, b > 0:
    F c with c >= 0 and the columns G(1), -G(-1) of F.

    Parameters
    ----------
    images : ndarray of shape (2, n)
        Python integers.
    """

    images: np.ndarray

    @staticmethod
    def of(layers: Sequence[np.ndarray], *others: np.ndarray) -> Rays | None:
        """The rays of the layers (n_1, 1), ...; None where they and the `others` are too large."""
        if sum(W.size for W in (*layers, *others)) > _ENTRIES:
            return None
        images = rounding.integers(np.array([[1.0], [-1.0]]))[0]
        for W in layers:
            images = np.maximum(images @ rounding.integers(W)[0].T, 0)
        return Rays(images)

    def measured(self, A: np.ndarray) -> Plane:
        """D = A^T A - I for A (m, n)."""
        matrix, whole = rounding.integers(A)
        F = self._columns
        S = whole * whole * (F @ F.T)
        seen = F @ matrix.T
        return Plane(S, seen @ seen.T - S)

    def seen(self, parts: np.ndarray) -> Iterator[Plane]:
        """D = sum_c a_c a_c^T for each row a_1, ..., a_c of `parts` (c, m, n)."""
        matrix, whole = rounding.integers(parts.reshape(-1, parts.shape[2]))
        F = self._columns
        S, products = whole * whole * (F @ F.T), (F @ matrix.T).reshape(2, *parts.shape[:2])
        for row in range(parts.shape[1]):
            yield Plane(S, products[:, :, row] @ products[:, :, row].T)

    def gated(self, W: np.ndarray, alpha: float) -> Iterator[Plane]:
        """D = A_{r,s} - alpha Q_{r,s} for r, s among the rays that are not 0.

        Q_{r,r} = I/2; otherwise Q is computed from directions rounded
        to within a relative u, which turns them by less than 1.1 u and moves Q by less than u (Fact 2).
        """
        matrix, whole = rounding.integers(W)
        opened, F = self.images @ matrix.T > 0, self._columns
        n, d = alpha.as_integer_ratio()
        gram = 2 * (F @ F.T)
        if not self.images.any():
            yield Plane(gram, gram)
        for i, j in ((0, 0), (0, 1), (1, 1)):
            if not (self.images[i].any() and self.images[j].any()):
                continue
            seen = (F @ matrix.T) * (opened[i] & opened[j])
            Q, scale, error = gram, 4, 0.0
            if i != j:
                computed, scale = rounding.integers(expected_gram(*self._directions()))
                half = F @ computed @ F.T
                Q, scale = half + half.T, 2 * scale  # the symmetric part is no farther from Q
                error = alpha * (rounding.expectation_error(len(self.images[0])) + 2 * rounding.UNIT)
            common = d * scale * whole * whole
            yield Plane(common * (F @ F.T), d * scale * (seen @ seen.T) - n * whole * whole * Q, error,
                        (1.0 - 2 * i, 1.0 - 2 * j))

    def _directions(self) -> tuple[np.ndarray, np.ndarray]:
        r, s = (np.array([x / (1 << max(map(int.bit_length, ray))) for x in ray])
                for ray in self.images.tolist())
        return r, s

    @property
    def _columns(self) -> np.ndarray:
        """F transposed."""
        return np.array([[1], [-1]], dtype=object) * self.images
