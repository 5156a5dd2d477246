"""Operators that move entries and change none: of constants, and of the order of a value."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from wdccheck.weights.readers.onnx.nodes import Node
from wdccheck.weights.readers.onnx.values import NoChain

__all__ = ["MOVES", "axis_of"]

Move = Callable[[Node, np.ndarray, int], list[np.ndarray]]


def axis_of(axis: int, ndim: int) -> int:
    """An axis counted from the front."""
    if not -ndim <= axis < ndim:
        raise NoChain(f"axis {axis} of {ndim}")
    return axis % ndim


def _within(size: int, most: int) -> None:
    if size > most:
        raise NoChain(f"{size} entries, more than {most}")


def _reshape(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    wanted = node.integers("shape", 1)
    if wanted is None or len(wanted) > 16 or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise NoChain("a shape that is not known")
    if not node.given.get("allowzero"):
        if any(n == 0 and i >= array.ndim for i, n in enumerate(wanted)):
            raise NoChain(f"a shape {wanted} for a value of {array.ndim} axes")
        wanted = [array.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    known = math.prod(n for n in wanted if n != -1)
    if -1 in wanted:
        wanted = [array.size // known if n == -1 and known else n for n in wanted]
    if math.prod(wanted) != array.size:
        raise NoChain(f"the shape {wanted} for a value of shape {list(array.shape)}")
    return [array.reshape(wanted)]


def _flatten(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    axis = int(node.given.get("axis", 1))
    if not -array.ndim <= axis <= array.ndim:
        raise NoChain(f"axis {axis} of {array.ndim}")
    axis += array.ndim * (axis < 0)
    return [array.reshape(math.prod(array.shape[:axis]), -1 if array.size else 0)]


def _squeeze(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    axes = node.integers("axes", 1)
    if axes is None:
        return [array.reshape([n for n in array.shape if n != 1])]
    gone = {axis_of(axis, array.ndim) for axis in axes}
    if any(array.shape[axis] != 1 for axis in gone):
        raise NoChain(f"axes {axes} of a value of shape {list(array.shape)}")
    return [array.reshape([n for axis, n in enumerate(array.shape) if axis not in gone])]


def _unsqueeze(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    axes = node.integers("axes", 1) or []
    if array.ndim + len(axes) > 16:
        raise NoChain("more than 16 axes")
    new = {axis_of(axis, array.ndim + len(axes)) for axis in axes}
    left = iter(array.shape)
    return [array.reshape([1 if axis in new else next(left) for axis in range(array.ndim + len(new))])]


def _transpose(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    perm = node.given.get("perm")
    if perm is not None and sorted(perm) != list(range(array.ndim)):
        raise NoChain(f"perm {perm} of {array.ndim} axes")
    return [array.transpose(perm)]


def _gather(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    axis, index = axis_of(int(node.given.get("axis", 0)), array.ndim), node.at(1)
    if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
        raise NoChain("indices that are no constants")
    if index.size and not -array.shape[axis] <= index.min() <= index.max() < array.shape[axis]:
        raise NoChain(f"indices outside of an axis of {array.shape[axis]}")
    _within(array.size // max(array.shape[axis], 1) * index.size, most)
    return [np.take(array, index.astype(np.int64), axis)]


def _slice(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    starts, ends = node.integers("starts", 1), node.integers("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        raise NoChain("a part that is not known")
    axes = node.integers("axes", 3) or list(range(len(starts)))
    steps = node.integers("steps", 4) or [1] * len(starts)
    if len(axes) != len(starts) or len(steps) != len(starts) or 0 in steps:
        raise NoChain("a part that is not known")
    part = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        at = axis_of(axis, array.ndim)
        last = end if end >= -array.shape[at] or step > 0 else None  # before the first
        part[at] = slice(start, last, step)
    return [array[tuple(part)]]


def _split(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    axis = axis_of(int(node.given.get("axis", 0)), array.ndim)
    sizes, count = node.integers("split", 1), len(node.outputs)
    if sizes is None:
        each = -(-array.shape[axis] // max(count, 1))
        sizes = [min(each, array.shape[axis] - i * each) for i in range(count)]
    if len(sizes) != count or min(sizes, default=-1) < 0 or sum(sizes) != array.shape[axis]:
        raise NoChain(f"parts {sizes} of an axis of {array.shape[axis]}")
    return list(np.split(array, np.cumsum(sizes)[:-1], axis))


def _expand(node: Node, array: np.ndarray, most: int) -> list[np.ndarray]:
    wanted = node.integers("shape", 1)
    if wanted is None or len(wanted) > 16 or min(wanted, default=0) < 0:
        raise NoChain("a shape that is not known")
    shape = np.broadcast_shapes(array.shape, tuple(wanted))
    _within(math.prod(shape), most)
    return [np.broadcast_to(array, shape)]


MOVES: dict[str, Move] = {
    "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Transpose": _transpose, "Gather": _gather, "Slice": _slice, "Split": _split, "Expand": _expand,
    "Identity": lambda node, array, most: [array],
}
"""Operators by name: what they make of an array, with at most so many entries."""
