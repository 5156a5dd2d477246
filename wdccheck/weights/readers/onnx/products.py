"""Products of a value with a constant matrix, on either side, with the scales and biases of Gemm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from wdccheck.weights.readers.onnx.entrywise import by_constants
from wdccheck.weights.readers.onnx.nodes import Node
from wdccheck.weights.readers.onnx.values import Mask, NoChain, Value

__all__ = ["PRODUCTS"]


def _one_matrix(value: Any, matrix: Any) -> None:
    if isinstance(value, Mask) or isinstance(matrix, Mask):
        raise NoChain("a matrix after a step function")
    if not isinstance(value, Value) or not isinstance(matrix, np.ndarray):
        raise NoChain("a product of two values that depend on the input, as of attention")


def _matmul(source: str, node: Node, folded: list[str]) -> Value:
    a, b = node.values
    left = isinstance(b, Value)
    value, matrix = (b, a) if left else (a, b)
    _one_matrix(value, matrix)
    if matrix.ndim == 1:
        found = value.times(source, node.label, matrix[None] if left else matrix[:, None], left)
        shape = list(found.shape)
        del shape[-2 if left and len(shape) > 1 else -1]
        return replace(found, order=found.order.reshape(shape))
    if matrix.ndim < 1 or any(n != 1 for n in matrix.shape[:-2]):
        raise NoChain(f"several matrices at once, of shape {matrix.shape}")
    found = value.times(source, node.label, matrix.reshape(matrix.shape[-2:]), left)
    more = max(0, matrix.ndim - max(len(value.shape), 2))
    return replace(found, order=found.order.reshape((1,) * more + found.shape)) if more else found


def _einsum(source: str, node: Node, folded: list[str]) -> Value:
    """One of a value and a matrix over the last axis of the value."""
    terms = bytes(node.given.get("equation", b"")).decode(errors="replace").replace(" ", "")
    sides, _, out = terms.partition("->")
    names = sides.split(",")
    at = 0 if isinstance(node.at(0), Value) else 1
    if len(names) != 2 or len(node.values) != 2 or not all(len(one) == len(set(one)) > 0 for one in names):
        raise NoChain("the operator 'Einsum' other than with a matrix")
    value, matrix = node.at(at), node.at(1 - at)
    _one_matrix(value, matrix)
    last, other = names[at][-1], names[1 - at].replace(names[at][-1], "")
    if sorted(names[1 - at]) != sorted(last + other) or len(other) != 1 or out != names[at][:-1] + other:
        raise NoChain("the operator 'Einsum' other than with a matrix")
    turned = names[1 - at][0] == last
    return value.times(source, node.label, matrix if turned else matrix.T, False)


def _gemm(source: str, node: Node, folded: list[str]) -> Value:
    given = node.given
    alpha, beta = Fraction(given.get("alpha", 1.0)), float(given.get("beta", 1.0))
    a, b = node.values[:2]
    left = isinstance(b, Value)
    value, matrix = (b, a) if left else (a, b)
    _one_matrix(value, matrix)
    if matrix.ndim != 2 or value.order.ndim != 2:
        raise NoChain(f"a matrix of shape {matrix.shape} and a value of shape {value.shape}")
    if given.get("transB" if left else "transA"):
        value = replace(value, order=value.order.T)
    matrix = matrix.T if given.get("transA" if left else "transB") else matrix
    found = value.times(source, node.label, matrix, left)
    if alpha != 1:
        found = found.scaled(alpha, f"alpha = {float(alpha):g} of {node.label}")
    if (bias := node.at(2)) is None or not np.any(bias):
        return found
    if not isinstance(bias, np.ndarray):
        raise NoChain("a sum that is no bias, as of a skip connection")
    if beta != 1:
        how = "rounded to float64" if bias.dtype == np.float64 else "exactly"
        folded.append(f"beta = {beta:g} of {node.label} became part of its bias, {how}")
    return by_constants(found, node, 1.0, beta * bias.astype(np.float64))


PRODUCTS: dict[str, Callable[[str, Node, list[str]], Value]] = {
    "MatMul": _matmul, "Gemm": _gemm, "Einsum": _einsum}
"""Operators by name: the value that they give for a file, with notes of what was folded."""
