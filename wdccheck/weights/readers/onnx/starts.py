"""What the value is where a graph begins: one vector, or a batch of some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.onnx.constants import Constants
from wdccheck.weights.readers.onnx.nodes import Node
from wdccheck.weights.readers.onnx.values import Value

__all__ = ["starts"]

_MOST = 2**20  # entries of an input


def starts(thing: str, dims: tuple[int | None, ...], nodes: Iterable[Node],
           constants: Constants) -> Iterator[Value]:
    """The input of shape `dims` in the ways to read it, in the order in which they are tried.

    A first axis of many is a batch of inputs, or part of one; a matrix on the left takes columns. An axis of
    any length is 1 if it comes first, else the first matrix says it. An input of no known shape is a vector;
    where no matrix takes it either, of one entry, as some node will be refused.

    Raises
    ------
    InvalidInput
        The shape is not known, or large.
    """
    n, left = next(filter(None, (_inputs(node, constants) for node in nodes)), (None, False))
    if not dims:
        n = n if n and n <= _MOST else 1
        dims = (n, 1) if left else (1, n)
    columns = left and len(dims) == 2
    first = 1 if len(dims) > 1 else None
    shape = [dims[0] or n or 0, dims[1] or 1] if columns else [dims[0] or first, *dims[1:]]
    unknown = [i for i, dim in enumerate(shape) if not dim]
    each = math.prod(dim for dim in (shape[1:] if first else shape) if dim)  # known entries of one input
    if n and unknown and (len(unknown) > 1 or n % each):
        raise InvalidInput(thing, "an input whose shape the file says, or --from a value after it",
                           f"the shape {list(dims)}")
    for i in unknown:
        shape[i] = n // each if n else 1
    size = math.prod(dim for dim in shape if dim is not None)
    if not 0 < size <= _MOST:
        raise InvalidInput(thing, f"an input of at most {_MOST} numbers (export with a batch of 1)",
                           f"the shape {shape}")
    whole = tuple(int(dim or 1) for dim in shape)
    if columns:
        turned = Value.plain((), whole[0], whole[::-1])
        yield replace(turned, order=turned.order.T)
    if len(whole) > 1 and whole[0] > 1:
        yield Value.plain((), size // whole[0], whole)
    yield Value.plain((), size, whole)


def _inputs(node: Node, constants: Constants) -> tuple[int, bool] | None:
    """How many numbers a constant matrix takes, and whether it stands on the left."""
    if node.kind not in ("MatMul", "Gemm") or len(node.inputs) < 2:
        return None
    for name, left in ((node.inputs[1], False), (node.inputs[0], True)):
        shape = constants.shape(name)
        if shape:
            turned = node.kind == "Gemm" and bool(node.given.get("transA" if left else "transB", 0))
            return shape[-1 if left != turned or len(shape) == 1 else -2], left
    return None
