"""The letters of the definitions: unit, angle, the swap M, the expectation Q, the gated Gram A."""

from __future__ import annotations

import numpy as np

from wdccheck import _kernels
from wdccheck._kernels import expected_triangle
from wdccheck.linalg import rounding

__all__ = [
    "angle", "expected_apply", "expected_bend", "expected_gram", "expected_inner", "expected_range",
    "expected_triangle", "expected_turn", "gated_gram", "swap", "unit",
]


def unit(x: np.ndarray) -> np.ndarray:
    """x / ||x|| along the last axis; 0 stays 0. Scales from 1e-300 to 1e300 are safe."""
    with np.errstate(over="ignore"):
        squares = np.add.reduce(x * x, axis=-1, keepdims=True)
    if ((squares > 1e-200) & (squares < 1e200)).all():  # the usual case: the same to the last bit
        return x / np.sqrt(squares)  # what underflows is below 1e-120 of their sum
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
    >>> from wdccheck.geometry.expectation import angle
    >>> float(angle(np.array([1.0, 0.0]), np.array([1.0, 1e-12])))
    1e-12
    """
    return _angle(unit(r), unit(s))


def _angle(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """That of unit vectors."""
    return 2 * np.arctan2(np.linalg.norm(r - s, axis=-1), np.linalg.norm(r + s, axis=-1))


def swap(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """M_{r<->s} = b b^T - d d^T with b = unit(r^ + s^), d = unit(r^ - s^): (..., k, k)."""
    return _swap(unit(r), unit(s))


def _swap(r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """That of unit vectors."""
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
    >>> from wdccheck.geometry.expectation import expected_gram
    >>> e = np.array([1.0, 0.0])
    >>> expected_gram(e, e)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    units = unit(r), unit(s)
    theta = np.asarray(_angle(*units))[..., None, None]
    q = (np.pi - theta) * np.eye(r.shape[-1]) + np.sin(theta) * _swap(*units)
    zero = np.asarray(~(r.any(axis=-1) & s.any(axis=-1)))
    return np.where(zero[..., None, None], 0.0, q / (2 * np.pi))


def expected_turn(*radii: np.ndarray) -> np.ndarray:
    """How far Q may move, in spectral norm, while r and s turn by at most these angles (Fact 2).

    Turning one letter by delta moves Q by at most (delta + sin(delta)) / 2 pi. Any sharper bound on Q over a
    region belongs here. The kernels of the proof have the same formula, and that of Fact 22
    (``_kernels/first_order.py``).

    For two letters it errs by less than 8 u: sines by 8 u, each sum by u of at most 2 pi, the quotient by
    2 u of at most 1. That is far less than ``rounding.expectation_error``, which callers add for it.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry.expectation import expected_turn
    >>> float(expected_turn(np.pi, 0.0))
    0.5
    """
    total: np.ndarray = sum(delta + np.sin(delta) for delta in radii) / (2 * np.pi)
    return total


def expected_bend(theta: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """At least ||Q_{r,s} - sum lambda_i mu_j Q_{r_i,s_j}||, for r and s in the hulls of corners r_i and s_j.

    The corners lie within the angles `one` and `two` of centers at an angle `theta`; the weights are those
    of r and s between the corners in the planes tangent at the centers (Fact 29). inf where the caps are
    wide, or r and s may be parallel. It errs by less than 2e-15 of itself, and counts 1e-9 for angles.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry.expectation import expected_bend, expected_turn
    >>> a = np.array(0.1)
    >>> round(float(expected_bend(np.array(1.5), a, a)), 4), round(float(expected_turn(a, a)), 4)
    (0.0042, 0.0636)
    """
    near, far = theta - one - two - 1e-9, theta + one + two + 1e-9
    apart = (near > 0) & (far < np.pi) & (np.maximum(one, two) < 1)
    near, far = np.where(apart, near, 1.0), np.where(apart, far, 1.0)
    steep = np.maximum(1 / np.tan(near), -1 / np.tan(far))
    rate = np.maximum(2.207, 1.4001 + 3 * steep) / (2 * np.pi)
    bend = sum(np.tan(reach) ** 2 * (rate + 2 / np.pi * np.sin(reach))
               for reach in (np.minimum(one, 1), np.minimum(two, 1)))
    return np.where(apart, bend / 2, np.inf)


def expected_range(nearest: np.ndarray, farthest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest eigenvalue of Q for angles of r and s within this range (Fact 1).

    They err by less than 8 u, like :func:`expected_turn`, that pi is a float included.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry.expectation import expected_range
    >>> [round(float(value), 12) + 0.0 for value in expected_range(np.array(0.0), np.array(np.pi))]
    [0.0, 0.5]
    """
    return ((np.pi - farthest - np.sin(farthest)) / (2 * np.pi),
            (np.pi - nearest + np.sin(nearest)) / (2 * np.pi))


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


def gated_gram(W: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """A_{r,s} = W_{+,r}^T W_{+,s} for W (n, k) and r, s (..., k): (..., k, k); gates by exact sign.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.geometry.expectation import gated_gram
    >>> gated_gram(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0]), np.array([1.0, 0.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    both = rounding.open_gates(W, r) & rounding.open_gates(W, s)
    k = W.shape[1]
    grams = _kernels.gram(W, None, both.reshape(-1, len(W)))
    return grams.reshape(*both.shape[:-1], k, k)
