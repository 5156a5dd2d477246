"""Operators entry by entry: sums and products with constants, and a ReLU however it is written."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from wdccheck.weights.readers.chain import Activation, Scale
from wdccheck.weights.readers.onnx.nodes import Node
from wdccheck.weights.readers.onnx.values import Mask, NoChain, Value, last_matrix

__all__ = ["ENTRYWISE", "by_constants"]

Operator = Callable[[Node], "Value | Mask"]
_FOREVER = 3.4e38  # the largest float32 is where nothing is cut off
_WORDS = {"Add": "a sum that is no bias, as of a skip connection", "Sub": "a difference of two values",
          "Mul": "a product of two values", "Div": "a quotient of two values"}


def _number(array: Any) -> Fraction | None:
    """The number that all constants of an array are."""
    if not isinstance(array, np.ndarray) or not array.size or array.dtype.kind not in "fiub" \
            or (array != array.ravel()[0]).any() or not np.isfinite(array.ravel()[0]):
        return None
    return Fraction(array.ravel()[0].item())


def by_constants(value: Value, node: Node, scale: Any, shift: Any, rounded: bool = False) -> Value:
    """Times an array and plus another."""
    axis = node.given.get("axis", 0)  # before version 7 constants may begin at an axis
    s, t = np.asarray(scale, np.float64), np.asarray(shift, np.float64)
    if node.given.get("broadcast") and "axis" in node.given and s.ndim + t.ndim + axis != len(value.shape):
        raise NoChain(f"constants from axis {axis} on")
    if not (np.isfinite(s).all() and np.isfinite(t).all()):
        raise NoChain("constants that are not finite")
    return value.by_constants(node.label, s, t, partial(Scale, rounded=rounded))


def _activation(node: Node, word: str = "") -> Value:
    (value, *others) = [one for one in node.values if isinstance(one, Value | Mask)]
    if others or isinstance(value, Mask):
        return _joined(node)
    return value.then(Activation(node.label, word or node.kind.lower()))


def _joined(node: Node) -> Value:
    """A function of what the last matrix gives, entry by entry: an activation, whatever it is."""
    values = [one for one in node.values if isinstance(one, Value | Mask)]
    first = values[0]
    common = 0
    for steps in zip(*(one.steps for one in values), strict=False):
        if any(step is not steps[0] for step in steps):
            break
        common += 1
    every = values[0].steps[:common]
    matrix = last_matrix(every)
    alike = all(one.shape == first.shape and (one.order == first.order).all() for one in values)
    if matrix is None or not alike or any(last_matrix(one.steps) is not matrix for one in values):
        raise NoChain(_WORDS.get(node.kind, "several values that depend on the input"))
    return Value((*every, Activation(node.label, f"{node.kind.lower()} of several activations")),
                 len(matrix.W), first.order)


def _leaky(value: Value, slope: Fraction, label: str) -> Value:
    return value.sloped(value.up if value.up >= 0 else slope * value.up,
                        value.down if value.down <= 0 else slope * value.down, label)


def _least(node: Node, values: list[Any], largest: bool) -> Value | Mask:
    """The largest or the least of values and constants."""
    choose, other = (max, min) if largest else (min, max)
    found = next(one for one in values if isinstance(one, Value))
    for one in values:
        if one is found:
            continue
        if isinstance(one, Value) and one.like(found):
            found = found.sloped(choose(found.up, one.up), other(found.down, one.down), node.label)
        elif isinstance(one, np.ndarray):
            if _number(one) == 0:
                slopes = choose(found.up, Fraction(0)), other(found.down, Fraction(0))
                found = found.spread(one).sloped(*slopes, node.label)
            elif not one.size or not (one <= -_FOREVER if largest else one >= _FOREVER).all():
                return _activation(node)
        else:
            return _activation(node)
    return found


def _clip(node: Node) -> Value | Mask:
    value = node.at(0)
    low, high = node.number("min", 1, -np.inf), node.number("max", 2, np.inf)
    if not isinstance(value, Value) or not (low in (0, -np.inf) or low <= -_FOREVER) \
            or not (high in (0, np.inf) or high >= _FOREVER) or low == high == 0:
        return _activation(node)
    if low == 0:
        value = _leaky(value, Fraction(0), node.label)
    return value if high != 0 else _least(node, [value, np.zeros(())], False)


def _sum(node: Node) -> Value | Mask:
    sign = -1 if node.kind == "Sub" else 1
    found, *others = node.values
    for other in others:
        a, b = found, other
        if isinstance(a, Value) and isinstance(b, Value) and a.like(b):
            found = a.sloped(a.up + sign * b.up, a.down + sign * b.down, node.label)
        elif isinstance(a, Value) and isinstance(b, np.ndarray):
            found = a.spread(b) if _number(b) == 0 else by_constants(a, node, 1.0, sign * _wide(b))
        elif isinstance(a, np.ndarray) and isinstance(b, Value):
            turned = b.scaled(Fraction(sign), node.label)
            found = turned.spread(a) if _number(a) == 0 else by_constants(turned, node, 1.0, _wide(a))
        else:
            return _joined(node)
    return found


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64)


def _product(node: Node) -> Value | Mask:
    a, b = node.values
    if isinstance(a, Mask | np.ndarray) and isinstance(b, Value):
        a, b = b, a
    if isinstance(a, Value) and isinstance(b, Mask) and a.steps is b.steps and a.shape == b.shape \
            and (a.order == b.order).all():
        return a.sloped(a.up * b.above, a.down * b.below, node.label)
    if isinstance(a, Value) and isinstance(b, np.ndarray):
        if (number := _number(b)) is None:
            return by_constants(a, node, b, 0.0)
        return a.spread(b).scaled(number, node.label)
    mask, factor = (a, _number(b)) if isinstance(a, Mask) else (b, _number(a))
    if isinstance(mask, Mask) and factor is not None:
        return replace(mask, above=factor * mask.above, at=factor * mask.at, below=factor * mask.below)
    return _joined(node)


def _quotient(node: Node) -> Value | Mask:
    a, b = node.values
    if not (isinstance(a, Value) and isinstance(b, np.ndarray)):
        return _activation(node) if isinstance(a, np.ndarray) else _joined(node)
    if not b.size or (b == 0).any():
        raise NoChain("a division by 0")
    number = _number(b)
    if number is not None:
        return a.spread(b).scaled(1 / number, node.label)
    return by_constants(a, node, 1.0 / b.astype(np.float64), 0.0, bool((np.frexp(b)[0] != 0.5).any()))


def _compared(node: Node) -> Value | Mask:
    tests = {"Greater": operator.gt, "Less": operator.lt, "GreaterOrEqual": operator.ge,
             "LessOrEqual": operator.le, "Equal": operator.eq}
    test = tests[node.kind]
    a, b = node.values
    if isinstance(a, Value) and _number(b) == 0:
        return Mask.of(a.spread(b), lambda one: bool(test(one, 0)))
    if isinstance(b, Value) and _number(a) == 0:
        return Mask.of(b.spread(a), lambda one: bool(test(0, one)))
    return _activation(node)


def _where(node: Node) -> Value | Mask:
    mask, *sides = node.values
    if not isinstance(mask, Mask) or {mask.above, mask.at, mask.below} - {0, 1}:
        raise NoChain("a choice by something else than the sign of a value")
    slopes: list[tuple[Fraction, Fraction]] = []
    value: Value | None = None
    for side in sides:
        if isinstance(side, Value) and side.steps is mask.steps and side.shape == mask.shape \
                and (side.order == mask.order).all():
            value = side
            slopes.append((side.up, side.down))
        elif _number(side) == 0 and np.broadcast_shapes(side.shape, mask.shape) == mask.shape:
            slopes.append((Fraction(0), Fraction(0)))
        else:
            return _joined(node)
    if value is None:
        raise NoChain("a value that is 0 everywhere")
    (up, _), (other, _) = slopes
    (_, down), (_, below) = slopes
    return value.sloped(up if mask.above else other, down if mask.below else below, node.label)


def _one_sided(node: Node, name: str, default: float, relu_at: float = 0.0) -> Value | Mask:
    """A function that is a ReLU where its parameter is 0."""
    if node.number(name, 1, default) != relu_at or not isinstance(node.at(0), Value):
        return _activation(node)
    return _leaky(node.at(0), Fraction(0), node.label)


def _prelu(node: Node) -> Value | Mask:
    slope = _number(node.at(1))
    if slope is None or not isinstance(node.at(0), Value):
        return _activation(node)
    return _leaky(node.at(0).spread(node.at(1)), slope, node.label)


def _one(act: Callable[[Value, Node], Value | Mask]) -> Operator:
    def acted(node: Node) -> Value | Mask:
        value = node.at(0)
        return act(value, node) if isinstance(value, Value) else _activation(node)

    return acted


def _inverted(node: Node) -> Value | Mask:
    mask = node.at(0)
    if not isinstance(mask, Mask):
        raise NoChain("a value that is neither true nor false")
    return replace(mask, above=1 - mask.above, at=1 - mask.at, below=1 - mask.below)


def _sign(value: Value, node: Node) -> Mask:
    def sign(one: Fraction) -> Fraction:
        return Fraction((one > 0) - (one < 0))

    return Mask(value.steps, value.order, sign(value.up), Fraction(0), sign(-value.down))


ENTRYWISE: dict[str, Operator] = {
    "Add": _sum, "Sub": _sum, "Sum": _sum, "Mul": _product, "Div": _quotient, "Where": _where, "Clip": _clip,
    "PRelu": _prelu, "Not": _inverted,
    "Max": lambda node: _least(node, node.values, True), "Min": lambda node: _least(node, node.values, False),
    "Relu": _one(lambda value, node: _leaky(value, Fraction(0), node.label)),
    "LeakyRelu": _one(lambda value, node: _leaky(value, Fraction(node.number("alpha", 9, 0.01)), node.label)),
    "Neg": _one(lambda value, node: value.scaled(Fraction(-1), node.label)),
    "Abs": _one(lambda value, node: value.sloped(abs(value.up), -abs(value.down), node.label)),
    "Sign": _one(_sign),
    "ThresholdedRelu": lambda node: _one_sided(node, "alpha", 1.0),
    "Elu": lambda node: _one_sided(node, "alpha", 1.0),
    **dict.fromkeys(("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"), _compared),
    **dict.fromkeys(
        ("Sigmoid", "Tanh", "Selu", "Celu", "Gelu", "Softplus", "Softsign", "Softmax", "LogSoftmax",
         "HardSigmoid", "HardSwish", "Mish", "Swish", "Erf", "Exp", "Log", "Sin", "Cos", "Sqrt", "Pow",
         "Reciprocal", "Round", "Floor", "Ceil", "Hardmax", "Shrink", "And", "Or"), _activation),
}
"""Operators by name, on inputs of which one at least depends on the input of the graph."""
