"""The letters of the definitions: unit, angle, the swap M, the expectation Q, the gated Gram A."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wdccheck import _kernels, rounding
from wdccheck._kernels import expected_triangle

__all__ = [
    "OnCircle", "angle", "expected_apply", "expected_gram", "expected_inner", "expected_on_arcs",
    "expected_on_circle", "expected_triangle", "gated_gram", "swap", "unit",
]


def unit(x: np.ndarray) -> np.ndarray:
    """x / ||x|| along the last axis; 0 stays 0. Scales from 1e-300 to 1e300 are safe."""
    with np.errstate(over="ignore"):
        squares = np.sum(x * x, axis=-1, keepdims=True)
    if np.all((squares > 1e-200) & (squares < 1e200)):  # the usual case: the same to the last bit
        return x / np.sqrt(squares)
    scale = np.max(np.abs(x), axis=-1, keepdims=True)
    _, exponent = np.frexp(scale)
    scaled = np.ldexp(x, -exponent)
    norm = np.linalg.norm(scaled, axis=-1, keepdims=True)
    return np.divide(scaled, norm, out=np.zeros_like(scaled), where=norm > 0)


def angle(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The angle between r and s (..., k), in [0, pi] radians, accurate near 0 and pi.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry import angle
    >>> float(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-12])))
    1e-12
    """
    r, s = unit(r), unit(s)
    return 2 * np.arctan2(np.linalg.norm(r - s, axis=-1), np.linalg.norm(r + s, axis=-1))


def swap(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """M_{r<->s} = b b^T - d d^T with b = unit(r^ + s^), d = unit(r^ - s^): (..., k, k)."""
    r, s = unit(r), unit(s)
    b, d = unit(r + s), unit(r - s)
    return b[..., :, None] * b[..., None, :] - d[..., :, None] * d[..., None, :]


def expected_gram(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Q_{r,s} = (pi - theta)/(2 pi) I + sin(theta)/(2 pi) M_{r<->s} ([HV] Def. 2); 0 if r or s is 0.

    Parameters
    ----------
    r, s : ndarray of shape (..., k)

    Returns
    -------
    ndarray of shape (..., k, k)
        Within ``rounding.expectation_error(k)`` of Q in spectral norm.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry import expected_gram
    >>> e = np.array([1.0, 0.0])
    >>> expected_gram(e, e)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    theta = np.asarray(angle(r, s))[..., None, None]
    q = (np.pi - theta) * np.eye(r.shape[-1]) + np.sin(theta) * swap(r, s)
    zero = np.asarray(~(r.any(axis=-1) & s.any(axis=-1)))
    return np.where(zero[..., None, None], 0.0, q / (2 * np.pi))


def expected_inner(theta: np.ndarray) -> np.ndarray:
    """m^T Q_{m,y} y = ((pi - theta) cos(theta) + sin(theta)) / (2 pi) for unit m, y at angle theta.

    It falls from 1/2 to 0, never faster than 0.3 per radian, so that for theta from :func:`angle` it
    errs by less than ``rounding.expectation_error(k)``. cos(theta) is the sine of pi/2 - theta, whose
    accuracy is assumed already.
    """
    value: np.ndarray = ((np.pi - theta) * np.sin(np.pi / 2 - theta) + np.sin(theta)) / (2 * np.pi)
    return value


def expected_apply(r: np.ndarray, s: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Q_{r,s} u for unit r, s and any u, all (..., k), without forming Q."""
    theta = np.asarray(angle(r, s))[..., None]
    b, d = unit(r + s), unit(r - s)
    m = b * np.sum(b * u, axis=-1, keepdims=True) - d * np.sum(d * u, axis=-1, keepdims=True)
    return ((np.pi - theta) * u + np.sin(theta) * m) / (2 * np.pi)


@dataclass(frozen=True, eq=False)
class OnCircle:
    """weight u^T Q_{r(t),s} u along r(t) = cos(t) r + sin(t) tangent (Fact 11), for the search.

    Attributes
    ----------
    numbers : ndarray of shape (B, 6)
        r.s, tangent.s, r.u, tangent.u, s.u, and the weight.
    """

    numbers: np.ndarray

    @property
    def kinks(self) -> np.ndarray:
        """Where r(t) is nearest to s and to -s, (B, 2): the values may have a corner there."""
        return np.arctan2(self.numbers[:, 1:2], self.numbers[:, :1]) + np.array([0.0, np.pi])

    def values(self, cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cos t, sin t), each (B, p), to the values at t and at t + pi."""
        c0, c1, p0, p1, q, weight = self.numbers.T[:, :, None]
        c = np.clip(c0 * cos + c1 * sin, -1.0, 1.0)  # cos theta
        p = p0 * cos + p1 * sin
        sine = np.sqrt(1.0 - c * c)
        m = np.divide(2 * p * q - c * (p * p + q * q), sine, out=np.zeros_like(c),
                      where=sine > 1e-8)  # sin(theta) u^T M u
        theta = np.arccos(c)
        return weight * ((np.pi - theta + m) / (2 * np.pi)), weight * ((theta - m) / (2 * np.pi))


def expected_on_circle(
    r: np.ndarray, tangent: np.ndarray, s: np.ndarray, u: np.ndarray, weight: np.ndarray
) -> OnCircle:
    """See :class:`OnCircle`; r, tangent, s, u (B, k) unit vectors, tangent.r = 0, weight (B,)."""
    dots = [np.einsum("bk,bk->b", x, y) for x, y in ((r, s), (tangent, s), (r, u), (tangent, u), (s, u))]
    return OnCircle(np.stack([*dots, weight], axis=1))


def expected_on_arcs(
    p: np.ndarray, q: np.ndarray, s: np.ndarray, u: np.ndarray, v: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """u^T Q_{r(t),s} v for r(t) = cos t p + sin t q, one vector function for each of A arcs.

    Parameters
    ----------
    p, q, s, u, v : ndarray of shape (A, n)
        s of length 1 or 0.

    Returns
    -------
    callable
        (arc numbers, angles) to the values and to whether r(t) and s are nonzero there.
    """
    pairs = {(x, y): np.einsum("an,an->a", f, g)
             for x, f in (("p", p), ("q", q), ("s", s)) for y, g in
             (("p", p), ("q", q), ("s", s), ("u", u), ("v", v))}
    uv, nonzero = np.einsum("an,an->a", u, v), np.asarray(s.any(axis=1))

    def values(arc: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = np.cos(angle), np.sin(angle)
        dot = {y: cos * pairs["p", y][arc] + sin * pairs["q", y][arc] for y in "pqsuv"}
        square = cos * dot["p"] + sin * dot["q"]
        seen = nonzero[arc] & (square > 1e-28 * (pairs["p", "p"][arc] + pairs["q", "q"][arc]))
        length = np.sqrt(np.where(seen, square, 1.0))
        c, ru, rv = np.clip(dot["s"] / length, -1.0, 1.0), dot["u"] / length, dot["v"] / length
        su, sv = pairs["s", "u"][arc], pairs["s", "v"][arc]
        sine = np.sqrt(1.0 - c * c)
        m = np.divide(ru * sv + su * rv - c * (ru * rv + su * sv), sine, out=np.zeros_like(c),
                      where=sine > 1e-8)  # sin(theta) u^T M v
        return ((np.pi - np.arccos(c)) * uv[arc] + m) / (2 * np.pi), seen

    return values


def gated_gram(W: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """A_{r,s} = W_{+,r}^T W_{+,s} for W (n, k) and r, s (..., k): (..., k, k); gates by exact sign.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry import gated_gram
    >>> gated_gram(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0]), np.array([1.0, 0.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    both = rounding.open_gates(W, r) & rounding.open_gates(W, s)
    k = W.shape[1]
    grams = _kernels.gram(W, None, both.reshape(-1, len(W)))
    return grams.reshape(*both.shape[:-1], k, k)
