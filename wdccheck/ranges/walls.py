"""Walls where a unit of a network vanishes, and the rays in which they meet: in floats and in integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.linalg import rounding
from wdccheck.ranges.differences import integers, product

__all__ = ["Exactly", "crossing", "forward", "normals", "rounded", "scaled"]

Layers = Sequence[np.ndarray]
Gates = Sequence[np.ndarray]

_TINY = 2.0**-1074


def forward(
    layers: Layers, gates: Gates, x: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lambda x (B, n_j) and a bound on the error of its entries, for x (B, k) with gates (B, n_l)."""
    for W, gate in zip(layers, gates, strict=True):
        x, error = product(W, x, error)
        x, error = np.where(gate, x, 0.0), np.where(gate, error, 0.0)
    return x, error


def normals(layers: Layers, unit: int, gates: Gates) -> tuple[np.ndarray, np.ndarray]:
    """Row `unit` of W_l Lambda_{l-1} for the last of `layers`: (B, k), and the errors of its entries.

    The layers before have gates (B, n_1), ..., (B, n_{l-1}). Largest entries are about 1.
    """
    row = layers[-1][unit]
    value = np.broadcast_to(row, (len(gates[0]) if gates else 1, len(row)))
    error = np.zeros_like(value)
    with np.errstate(over="ignore", invalid="ignore"):
        for W, gate in zip(layers[-2::-1], gates[::-1], strict=True):
            value, error = product(W.T, np.where(gate, value, 0.0), np.where(gate, error, 0.0))
    return scaled(value, error)


def crossing(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """A vector (B, k) orthogonal to normals with errors, two for k = 3 and one for k = 2, and its error (B,).

    a x b of a + p, b + q errs by |a| x |q| + |p| x (|b| + |q|), the products added where x subtracts. Its
    own three roundings, and the nine of this bound, are below gamma(16) (|a| + |p|) x (|b| + |q|). An entry
    has eight products at most, each with half a subnormal of underflow. A length is below 2 max |x_j|.
    """
    a, p = first
    if second is None:
        value, wrong = np.stack([-a[:, 1], a[:, 0]], axis=1), p[:, ::-1]
    else:
        b, q = second
        value = np.cross(a, b)
        a, b = np.abs(a), np.abs(b)
        wrong = (_added(a, q) + _added(p, b + q) + rounding.gamma(16) * _added(a + p, b + q)) + 8 * _TINY
    value, wrong = scaled(value, wrong)
    return value, 2 * wrong.max(axis=1)


def _added(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b with sums in place of differences."""
    following, last = [1, 2, 0], [2, 0, 1]
    return np.asarray(a[:, following] * b[:, last] + a[:, last] * b[:, following])


def scaled(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row times a power of two that makes its largest entry about 1; underflow adds to the error."""
    with np.errstate(over="ignore", invalid="ignore"):
        _, exponent = np.frexp(np.abs(value).max(axis=1, keepdims=True))
        lost = _TINY * ((value != 0) | (error != 0))
        return np.ldexp(value, -exponent), np.ldexp(error, -exponent) + lost


@dataclass(frozen=True, eq=False)
class Exactly:
    """The layers of a network as integers, each up to a power of two."""

    layers: Layers
    k: int

    @cached_property
    def _integers(self) -> tuple[np.ndarray, ...]:
        return tuple(integers(W)[0] for W in self.layers)

    def normal(self, layer: int, unit: int, gates: Gates) -> np.ndarray:
        """A positive multiple (k,) of row `unit` of W_l Lambda_{l-1}, l = `layer`; of e_unit where l = 0.

        `gates` are (n_1,), ..., at least those of the layers before.
        """
        if layer == 0:
            return _primitive([int(j == unit) for j in range(self.k)])
        row = self._integers[layer - 1][unit]
        for W, gate in zip(self._integers[: layer - 1][::-1], gates[: layer - 1][::-1], strict=True):
            row = _primitive(row[gate] @ W[gate]) if gate.any() else np.zeros(W.shape[1], dtype=object)
        return row

    def ray(self, walls: Sequence[np.ndarray], near: np.ndarray) -> np.ndarray:
        """The integers (k,) orthogonal to k - 1 independent normals, on the side of `near`."""
        if not walls:
            return _primitive([1 if near[0] > 0 else -1])
        if len(walls) == 1:
            found = _primitive([-walls[0][1], walls[0][0]])
        else:
            (a, b, c), (d, e, f) = walls
            found = _primitive([b * f - c * e, c * d - a * f, a * e - b * d])
        return found if rounded(found)[0] @ near > 0 else -found

    def image(self, x: np.ndarray, depth: int) -> np.ndarray:
        """A positive multiple (n,) of the image of integers x (k,) under the first `depth` layers."""
        for W in self._integers[:depth]:
            chosen = np.flatnonzero(x)
            x = np.maximum(W[:, chosen] @ x[chosen], 0) if len(chosen) else np.zeros(len(W), dtype=object)
        return _primitive(x)

    def inputs(self, x: np.ndarray, layer: int, units: np.ndarray) -> np.ndarray:
        """Signs of the inputs of `units` of a layer, 1, 2, ..., at the code x (k,)."""
        value = self.image(x, layer - 1)
        return np.sign(self._integers[layer - 1][units] @ value).astype(np.int8)


def _primitive(vector: Sequence[int] | np.ndarray) -> np.ndarray:
    """The vector divided by the greatest common divisor of its entries."""
    divisor = math.gcd(*vector)
    found = np.empty(len(vector), dtype=object)
    found[:] = [x // divisor for x in vector] if divisor > 1 else list(vector)
    return found


def rounded(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A nonzero vector of integers times a power of two, largest entry about 1, and errors of its entries.

    Each quotient is rounded once, by u of itself or 2^-1075; exact zeros stay.
    """
    unit = 1 << max(abs(x) for x in vector).bit_length()
    value = np.array([x / unit for x in vector])
    return value, 2 * rounding.UNIT * np.abs(value) + _TINY * (vector != 0)
