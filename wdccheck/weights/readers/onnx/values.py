"""What a value of a graph is: steps from the input, and where in its shape each of their entries stands.

The graph is read for vectors. An entry of a value is `up` t where t > 0 and `down` t else, with t an entry of
what the steps give: sums, differences, sizes, largest of such values are such values again, so that a ReLU is
one however it is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from wdccheck.weights.readers.chain import Activation, Dense, Norm, Relabel, Scale, Step, dense

__all__ = ["Mask", "NoChain", "Value", "last_matrix"]

_ONE = Fraction(1)
_BITS = 2**14  # of a slope
_STEPS = 2**12


class NoChain(Exception):
    """Why a value cannot be followed; the walk knows where."""


@dataclass(frozen=True, eq=False)
class Value:
    """Entries of what steps give.

    Attributes
    ----------
    steps : tuple of Step
    width : int
        How many entries these give for one input.
    order : ndarray of int
        In the shape of the value: i `width` + j stands for entry j of the i-th input of a batch. Each of
        them stands there once.
    up, down : Fraction
        The slopes at positive and at negative entries.
    label, by : str
        The node that made the slopes differ, and one that scaled them.
    """

    steps: tuple[Step, ...]
    width: int
    order: np.ndarray
    up: Fraction = _ONE
    down: Fraction = _ONE
    label: str = ""
    by: str = ""

    @staticmethod
    def plain(steps: tuple[Step, ...], width: int, shape: tuple[int, ...]) -> Value:
        """Entries in their own order."""
        return Value(steps, width, np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the value in the graph."""
        return self.order.shape

    @property
    def batch(self) -> int:
        """How many inputs the graph takes at once."""
        return self.order.size // self.width

    def like(self, other: Value | Mask) -> bool:
        """Whether both are entry by entry of the same t."""
        return self.steps is other.steps and self.shape == other.shape and bool(
            (self.order == other.order).all())

    def moved(self, order: np.ndarray) -> Value:
        """With entries elsewhere; rows of the last matrix that are no longer used are left out."""
        if order.size == self.order.size and (np.bincount(order.ravel(), minlength=order.size) == 1).all():
            return replace(self, order=order)
        if not order.size:
            raise NoChain("a value without entries")
        places, index = _of_each(order.ravel(), self.width, self.batch)
        if last_matrix(self.steps) is None:
            raise NoChain("a part of the input")
        flat = np.empty(order.size, np.int32)
        flat[places] = np.arange(order.size, dtype=np.int32)
        steps = _rows(self.steps, index)
        return replace(self, steps=steps, width=len(index), order=flat.reshape(order.shape))

    def sloped(self, up: Fraction, down: Fraction, label: str) -> Value:
        """With other slopes."""
        if up == down == 0:
            raise NoChain("a value that is 0 everywhere")
        if max(number.bit_length() for one in (up, down) for number in one.as_integer_ratio()) > _BITS:
            raise NoChain("too many scales")
        return replace(self, up=up, down=down, label=label)

    def scaled(self, factor: Fraction, label: str) -> Value:
        """Times a number."""
        return replace(self.sloped(factor * self.up, factor * self.down, self.label), by=label)

    def closed(self) -> Value:
        """With the slopes as steps: a ReLU where they are (up, 0) or (0, down)."""
        if self.up == self.down:
            return self._with(*self._by(self.up))
        relu = Activation(self.label, "relu")
        if self.down == 0:
            return self._with(relu, *self._by(self.up))
        if self.up == 0:  # min(t, 0) = -relu(-t)
            return self._with(*self._by(-_ONE), relu, *self._by(-self.down))
        slopes = f"{float(self.up):g} and {float(self.down):g}"
        return self._with(Activation(self.label, f"leakyrelu of slopes {slopes}"))

    def spread(self, array: np.ndarray) -> Value:
        """With the axes that it has next to constants."""
        try:
            shape = np.broadcast_shapes(self.shape, array.shape)
        except ValueError:
            shape = ()
        if math.prod(shape) != self.order.size:
            raise NoChain(f"constants of shape {array.shape} for a value of shape {self.shape}")
        return replace(self, order=self.order.reshape(shape))

    def then(self, step: Step) -> Value:
        """With one more step on its entries in their own order."""
        closed = self.closed()
        return replace(closed, steps=_longer(closed.steps, step))

    def by_constants(self, label: str, scale: np.ndarray, shift: np.ndarray,
                     make: Callable[[str, np.ndarray, np.ndarray], Norm]) -> Value:
        """Scaled and shifted by arrays that broadcast to its shape, or to one of more axes of length 1."""
        closed = self.closed().spread(scale if scale.ndim else shift)
        order, shape = closed.order, closed.shape
        parts = []
        for part in (scale, shift):
            every = np.empty(order.size)
            every[order.ravel()] = np.broadcast_to(part, shape).ravel()
            each = every.reshape(self.batch, self.width)
            if (each != each[0]).any():
                raise NoChain("constants that differ along a batch")
            parts.append(each[0])
        return replace(closed, order=order, steps=_longer(closed.steps, make(label, *parts)))

    def times(self, source: str, label: str, matrix: np.ndarray, left: bool) -> Value:
        """What a matrix of shape (n_in, n_out) gives from the right, or one (n_out, n_in) from the left."""
        closed = self.closed()
        order = self.order
        vector = order.ndim == 1
        if left and not vector:
            order = order.swapaxes(-1, -2)
        n, m = matrix.shape[::-1] if left else matrix.shape
        if order.shape[-1:] != (n,):
            raise NoChain(f"{n} inputs of a matrix for a value of shape {self.shape}")
        rows = order.reshape(-1, n)
        index = rows[0] % self.width
        inputs = np.arange(len(rows))[:, None] * self.width
        if n != self.width or len(rows) != self.batch or (rows != inputs + index).any():
            raise NoChain(f"a matrix of {n} inputs that acts on every position of a value of shape "
                          f"{self.shape}")
        W = matrix if left else matrix.T
        if (index != np.arange(n)).any():
            turned = np.empty_like(W)
            turned[:, index] = W
            W = turned
        new = (np.arange(len(rows) * m, dtype=np.int32)).reshape(*order.shape[:-1], m)
        return Value(_longer(closed.steps, dense(source, label, W)), m,
                     new if vector or not left else new.swapaxes(-1, -2))

    def finished(self) -> tuple[Step, ...]:
        """The steps, their entries in the order of the value."""
        closed = self.closed()
        _, index = _of_each(closed.order.ravel(), self.width, self.batch)
        if (index == np.arange(self.width)).all():
            return closed.steps
        if last_matrix(self.steps) is None:
            raise NoChain("an input in another order")
        return _rows(closed.steps, index)

    def _with(self, *steps: Step) -> Value:
        every = _longer(self.steps, *steps) if steps else self.steps
        return replace(self, steps=every, up=_ONE, down=_ONE, label="", by="")

    def _by(self, factor: Fraction) -> list[Step]:
        if factor == 1:
            return []
        number = float(factor)
        return [Scale(self.by or self.label, np.full(self.width, number), np.zeros(self.width),
                      rounded=number != factor)]


@dataclass(frozen=True, eq=False)
class Mask:
    """Numbers that depend on the sign of t alone: above, at and below 0."""

    steps: tuple[Step, ...]
    order: np.ndarray
    above: Fraction
    at: Fraction
    below: Fraction

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the mask in the graph."""
        return self.order.shape

    @staticmethod
    def of(value: Value, holds: Callable[[Fraction], bool]) -> Mask:
        """Where a comparison of a value with 0 holds."""
        above, at, below = (Fraction(holds(one)) for one in (value.up, Fraction(0), -value.down))
        return Mask(value.steps, value.order, above, at, below)


def _longer(steps: tuple[Step, ...], *more: Step) -> tuple[Step, ...]:
    if len(steps) + len(more) > _STEPS:
        raise NoChain(f"more than {_STEPS} steps")
    return (*steps, *more)


def last_matrix(steps: tuple[Step, ...]) -> Dense | None:
    """The last dense layer of these steps."""
    return next((step for step in reversed(steps) if isinstance(step, Dense)), None)


def _of_each(flat: np.ndarray, width: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Where entries of a value stand, input after input, and which of an input they are, the same for all."""
    if len(flat) % batch:
        raise NoChain("a part of a batch")
    places = np.argsort(flat // width, kind="stable")
    sample, index = (part[places].reshape(batch, -1) for part in (flat // width, flat % width))
    if (sample != np.arange(batch)[:, None]).any() or (index != index[0]).any():
        raise NoChain("entries of a batch that are mixed")
    return places, index[0]


def _rows(steps: tuple[Step, ...], index: np.ndarray) -> tuple[Step, ...]:
    """The steps with only these outputs of the last matrix, in this order."""
    found: list[Step] = []
    at = max(i for i, step in enumerate(steps) if isinstance(step, Dense))
    for step in steps[at:]:
        match step:
            case Dense():
                found.append(Dense(step.label, step.W[index], None if step.b is None else step.b[index]))
            case Norm():
                found.append(replace(step, scale=step.scale[index], shift=step.shift[index]))
            case Activation() | Relabel():
                found.append(step)
    return (*steps[:at], *found)
