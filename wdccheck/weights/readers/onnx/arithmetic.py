"""Operators on constants alone: what exporters leave to be computed, as shapes, scales and norms of rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wdccheck.weights.readers.onnx.nodes import Node
from wdccheck.weights.readers.onnx.shapes import MOVES, axis_of
from wdccheck.weights.readers.onnx.values import NoChain

__all__ = ["EXACT", "computed", "shape_of"]

_TYPES: dict[int, Any] = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32,
                          7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}


def _divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        if (b == 0).any():
            raise NoChain("a division by 0")
        return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))  # towards 0
    return a / b


_ENTRYWISE: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divided, "Pow": np.power,
    "Max": np.maximum, "Min": np.minimum, "Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt, "Exp": np.exp,
    "Log": np.log, "Reciprocal": np.reciprocal, "Floor": np.floor, "Ceil": np.ceil, "Sign": np.sign,
    "Equal": np.equal, "Greater": np.greater, "Less": np.less, "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal, "Not": np.logical_not, "And": np.logical_and, "Or": np.logical_or,
    "Mod": np.mod, "Where": np.where, "Relu": lambda a: np.maximum(a, 0),
}
_REDUCED: dict[str, Callable[..., np.ndarray]] = {
    "ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceProd": np.prod, "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceSumSquare": lambda a, **how: np.sum(a * a, **how),
    "ReduceL1": lambda a, **how: np.sum(np.abs(a), **how),
    "ReduceL2": lambda a, **how: np.sqrt(np.sum(a * a, **how)),
}
EXACT = frozenset({*MOVES, "Constant", "ConstantOfShape", "Concat", "Shape", "Size", "Range", "Neg", "Abs",
                   "Max", "Min", "Where", "Relu"})
"""Operators whose results are numbers of the file."""


def computed(node: Node, values: list[np.ndarray | None], most: int) -> list[np.ndarray]:
    """The outputs of a node with these constants, of at most so many entries each.

    Floats are computed in float64, integers in int64.

    Raises
    ------
    NoChain
        The operator is none that constants are usually made with, or shapes do not fit.
    """
    kind = node.kind
    arrays = [value for value in values if value is not None]
    if kind in MOVES and arrays:
        return MOVES[kind](node, arrays[0], most)
    if kind in _ENTRYWISE and arrays:
        _room(np.broadcast_shapes(*(one.shape for one in arrays)), most)
        function = _ENTRYWISE[kind]
        wide = [_wide(one) for one in arrays]
        with np.errstate(all="ignore"):
            if kind in ("Max", "Min", "Add") and len(wide) != 2:
                return [functools.reduce(function, wide)]
            return [np.asarray(function(*wide))]
    if kind in _REDUCED and arrays:
        return [_reduced(node, _wide(arrays[0]))]
    if kind in _OTHERS:
        return [_OTHERS[kind](node, arrays, most)]
    raise NoChain("an operator that is not computed here")


def _wide(array: np.ndarray) -> np.ndarray:
    kinds = {"f": np.float64, "b": np.bool_}
    return array.astype(kinds.get(array.dtype.kind, np.int64))


def _room(shape: tuple[int, ...], most: int) -> None:
    if math.prod(shape) > most:
        raise NoChain(f"{math.prod(shape)} entries, more than {most}")


def _reduced(node: Node, array: np.ndarray) -> np.ndarray:
    axes = node.integers("axes", 1)
    if not axes and node.given.get("noop_with_empty_axes"):
        return array
    axis = tuple(axis_of(one, array.ndim) for one in axes) if axes else None
    return np.asarray(_REDUCED[node.kind](array, axis=axis, keepdims=bool(node.given.get("keepdims", 1))))


def _cast(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    code = int(node.given.get("to", 0))
    if code not in _TYPES:
        raise NoChain(f"numbers of type {code}")
    if arrays[0].dtype.kind == "f" and _TYPES[code] is not np.bool_ and np.dtype(_TYPES[code]).kind != "f" \
            and not (np.abs(arrays[0]) < 2.0**62).all():
        raise NoChain("an overflow")
    return arrays[0].astype(_TYPES[code])


def _concat(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    _room((sum(one.size for one in arrays),), most)
    return np.concatenate(arrays, axis_of(int(node.given.get("axis", 0)), arrays[0].ndim))


def _filled(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    shape = node.integers("", 0) or []
    if len(shape) > 8 or min(shape, default=0) < 0:
        raise NoChain("a shape that is not known")
    _room(tuple(shape), most)
    return np.full(shape, node.given.get("filled", np.zeros(1, np.float32)).ravel()[0])


def _range(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    start, limit, step = (one.ravel()[0] for one in arrays)
    if not step:
        raise NoChain("a step of 0")
    _room((max(0, math.ceil((float(limit) - float(start)) / float(step))),), most)
    return np.arange(start, limit, step)


def _product(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    a, b = map(_wide, arrays)
    if a.ndim != 2 or b.ndim != 2:
        raise NoChain("a product of arrays that are no matrices")
    _room((a.shape[0], b.shape[1]), most)
    return a @ b


def _dequantized(node: Node, arrays: list[np.ndarray], most: int) -> np.ndarray:
    values, scale = arrays[0].astype(np.int64), _wide(arrays[1])
    zero = arrays[2].astype(np.int64) if len(arrays) > 2 else np.zeros((), np.int64)
    if scale.size != 1:  # along an axis
        shape = [1] * values.ndim
        shape[axis_of(int(node.given.get("axis", 1)), values.ndim)] = scale.size
        scale, zero = scale.reshape(shape), zero.reshape(shape) if zero.size > 1 else zero
    return (values - zero) * scale


_OTHERS: dict[str, Callable[[Node, list[np.ndarray], int], np.ndarray]] = {
    "Cast": _cast, "Concat": _concat, "ConstantOfShape": _filled, "Range": _range, "MatMul": _product,
    "DequantizeLinear": _dequantized,
    "Shape": lambda node, arrays, most: shape_of(node, arrays[0].shape),
    "Size": lambda node, arrays, most: np.array(arrays[0].size),
}


def shape_of(node: Node, shape: tuple[int, ...]) -> np.ndarray:
    """What the operator Shape gives."""
    return np.array(shape, np.int64)[int(node.given.get("start", 0)):node.given.get("end")]
