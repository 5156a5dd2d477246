"""The range of a network: its differences without cancellation, their errors, exact gates, cones.

The layers (n_1, k), ..., (n_j, n_{j-1}) may be none: the range is then R^k itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import powers, rounding

__all__ = [
    "ascent_direction", "enclosed", "exactly_open", "image", "jacobian", "live", "living", "normal_matrix",
    "open_gates", "product", "rescaled", "secant_matrix", "secants", "sharpened",
]

Layers = Sequence[np.ndarray]

_TINY = 2.0**-1074
_RIDGE = 1e-12
_POOR = 1e-12


def rescaled(layers: Layers) -> tuple[np.ndarray, ...]:
    """Each layer divided by a power of two to have entries of about 1: the range stays a set of rays.

    Raises
    ------
    InvalidInput
        A layer holds entries so far apart that the division is not exact.
    """
    result = []
    for number, W in enumerate(layers, start=1):
        _, exponent = math.frexp(powers.largest(W))
        scaled = powers.divided(W, exponent)
        if scaled is None:
            raise InvalidInput(f"layer {number}", "nonzero entries that stay normal floats after scaling by "
                               "the largest", f"smallest {np.abs(W[W != 0]).min():g}")
        result.append(scaled)
    return tuple(result)


def live(layers: Layers, k: int) -> np.ndarray:
    """Which coordinates of the range are not provably zero: boolean (n_j,).

    A unit of the first layer is dead if its row is 0; any later one, whose inputs are never
    negative, if no input that lives has a positive weight.
    """
    alive: np.ndarray = np.ones(k, dtype=bool)
    for number, W in enumerate(layers):
        moved = (W != 0) if number == 0 else (W > 0)
        alive = np.asarray((moved if alive.all() else moved[:, alive]).any(axis=1))
    return alive


def living(layers: Layers, k: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The layers, at least one, without the last units that are provably 0; which are left (n_j,)."""
    chosen = live(layers, k)
    return (*layers[:-1], np.ascontiguousarray(layers[-1][chosen])), chosen


# -- differences ---------------------------------------------------------------------------------


def image(layers: Layers, x: np.ndarray) -> np.ndarray:
    """G(x) of shape (B, n_j) for x (B, k)."""
    for W in layers:
        x = np.maximum(x @ W.T, 0.0)
    return x


def secants(layers: Layers, x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    """G(x1) - G(x2) of shape (B, n_j) for x1, x2 (B, k).

    The input a of a unit at x1 and the difference d to that at x2 are carried along. Where the unit
    is open at both codes it passes d on; where it is open at one of them, it passes its input there,
    which lies between 0 and d. So nothing cancels but the sums of a product, and inside one cone the
    result is Lambda_a (x1 - x2).
    """
    a, d = x1, x1 - x2
    for W in layers:
        a, d = a @ W.T, d @ W.T
        up = np.maximum(d, 0.0)
        d = np.clip(np.where(d >= 0, a, d - a), d - up, up)
        a = np.maximum(a, 0.0)
    return d


def enclosed(
    layers: Layers, x1: np.ndarray, x2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`secants` and a bound on the error of each entry, both (B, n_j).

    With a, b the inputs of a unit at the two codes and p = a - b, the exact output difference is
    clip(a, 0, p) if p >= 0 and -clip(b, 0, -p) otherwise; it moves by no more than p and, unless
    both units surely open or close, by no more than min(error of a, |p|) besides.
    """
    a, b = (x1, np.zeros_like(x1)), (x2, np.zeros_like(x2))
    d = (x1 - x2, rounding.UNIT * np.abs(x1 - x2))  # no sum of floats underflows
    for W in layers:
        a, b, d = product(W, *a), product(W, *b), product(W, *d)
        opened = (a[0] > a[1]) & (b[0] > b[1])
        shut = _shut(*a) & _shut(*b)
        p, error = d
        own = np.minimum(np.where(p >= 0, a[1], b[1]), np.abs(p))
        d = (np.where(opened, p, np.where(shut, 0.0, _crossing(a[0], b[0], p))),
             np.where(shut, 0.0, error + np.where(opened, 0.0, own)))
        a, b = _rectified(*a), _rectified(*b)
    return d


def sharpened(layers: Layers, x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`enclosed`, each difference times a power of two that makes it about 1; from integers where
    floats leave less than 12 digits of it. With x2 = 0, the images themselves.

    What ldexp makes subnormal is rounded by 2^-1075, the value and its error. A quotient of integers is
    rounded once, by u of itself or 2^-1075: twice that is its error.
    """
    value, error = enclosed(layers, x1, x2)
    _, exponent = np.frexp(np.abs(value).max(axis=1, keepdims=True))
    lost = _TINY * ((value != 0) | (error != 0))
    value, error = np.ldexp(value, -exponent), np.ldexp(error, -exponent) + lost
    with np.errstate(over="ignore"):  # an error beyond floats is none that is good enough
        good = np.linalg.norm(error, axis=1) <= _POOR * np.linalg.norm(value, axis=1)
    good &= np.isfinite(value).all(axis=1) & (value.any(axis=1) | ~error.any(axis=1))
    for b in np.flatnonzero(~good):
        codes = _integers(np.stack([x1[b], x2[b]]))
        for W in layers:
            open_at_one = (codes != 0).any(axis=0)
            codes = np.maximum(codes[:, open_at_one] @ _integers(W[:, open_at_one]).T, 0)
        difference = codes[0] - codes[1]
        unit = 1 << max(abs(x) for x in difference).bit_length()
        value[b] = [x / unit for x in difference]  # rounded once
        error[b] = 2 * rounding.UNIT * np.abs(value[b]) + _TINY * (difference != 0)
    return value, error


def _crossing(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """relu(a) - relu(b), held between 0 and p = a - b."""
    return np.where(p >= 0, np.minimum(np.maximum(a, 0.0), p), np.maximum(-np.maximum(b, 0.0), p))


def product(W: np.ndarray, x: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W x (B, n) and its error for x (B, k) with the error given; 0 where nothing is summed.

    gamma(k) |W||x| + |W| error, computed with a relative error of gamma(k + 2) itself, and half a
    subnormal for every product that may underflow in either.
    """
    n = W.shape[1]
    size = np.abs(W).T
    terms = ((x != 0) | (error != 0)).astype(np.float64) @ (size != 0)
    bound = rounding.gamma(2 * n + 8) * (np.abs(x) @ size) + error @ size * (1 + rounding.gamma(2 * n + 8))
    return x @ W.T, bound + 4 * terms * _TINY


def _shut(a: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Where the exact input is surely not positive."""
    return a <= -error


def _rectified(a: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(a, 0.0), np.where(_shut(a, error), 0.0, error)


# -- gates ---------------------------------------------------------------------------------------


def open_gates(
    layers: Layers, rows: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1[w.G(x) > 0] for rows (n, n_j) and x (B, k).

    Returns
    -------
    gates : ndarray of bool, shape (B, n)
        In floats.
    sure : ndarray of bool, shape (B, n)
        Where they are those of the exact G(x).
    value, error : ndarray of shape (B, n_j)
        G(x) and a bound on its error.
    """
    value, error = x, np.zeros_like(x)
    for W in layers:
        value, error = _rectified(*product(W, value, error))
    inputs, bound = product(rows, value, error)
    return inputs > 0, (inputs > bound) | _shut(inputs, bound), value, error


def exactly_open(layers: Layers, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """1[w.G(x) > 0] by exact sign for one code x (k,): boolean (n,)."""
    value = _integers(x)
    for W in layers:
        value = np.maximum(_integers(W) @ value, 0)
    gates: np.ndarray = np.asarray(_integers(rows) @ value > 0, dtype=bool)
    return gates


def _integers(array: np.ndarray) -> np.ndarray:
    return rounding.integers(array)[0]


# -- cones ---------------------------------------------------------------------------------------


def secant_matrix(layers: Layers, x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    """[Lambda_a, -Lambda_b] of the cones of x1, x2 (B, k): (B, n_j, 2k)."""
    return np.concatenate([jacobian(layers, x1), -jacobian(layers, x2)], axis=-1)


def jacobian(layers: Layers, x: np.ndarray) -> np.ndarray:
    """Lambda of the cones of x (B, k): (B, n_j, k)."""
    matrix = np.broadcast_to(np.eye(x.shape[-1]), (*x.shape, x.shape[-1]))
    for W in layers:
        x = x @ W.T
        matrix = (W @ matrix) * (x > 0)[..., None]
        x = np.maximum(x, 0.0)
    return matrix


def ascent_direction(matrix: np.ndarray, z: np.ndarray, normal: np.ndarray | None = None) -> np.ndarray:
    """The xi (B, 2k) that maximizes z.(L xi)/||L xi|| for L = `matrix` (B, n, 2k), z (B, n)."""
    normal = normal_matrix(matrix) if normal is None else normal
    return np.linalg.solve(normal, matrix.swapaxes(1, 2) @ z[:, :, None])[:, :, 0]


def normal_matrix(matrix: np.ndarray) -> np.ndarray:
    """L^T L with a small ridge, up to a power of two, for L = `matrix` (B, n, 2k): (B, 2k, 2k)."""
    _, exponent = np.frexp(np.abs(matrix).max(axis=(1, 2), keepdims=True))
    matrix = np.ldexp(matrix, -exponent)  # squares of tiny or huge cones would leave no ridge
    gram = matrix.swapaxes(1, 2) @ matrix
    trace = np.trace(gram, axis1=1, axis2=2)[:, None, None]
    result: np.ndarray = gram + (_RIDGE * trace + (trace == 0)) * np.eye(gram.shape[-1])
    return result
