"""The constants of a graph: stored ones, read when asked for, and those that nodes make of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.onnx.arithmetic import EXACT, computed
from wdccheck.weights.readers.onnx.nodes import Node, stopped
from wdccheck.weights.readers.onnx.tensors import Tensors
from wdccheck.weights.readers.onnx.values import NoChain
from wdccheck.weights.readers.source import shown

__all__ = ["Constants"]

_FREE = 2**19  # entries for shapes and the like, whatever the size of a model


class Constants:
    """Constants by name.

    Attributes
    ----------
    rounded : set of str
        Names of those that were computed with rounding.
    """

    def __init__(self, source: str, graph: Any, tensors: Tensors, size: int) -> None:
        self.source, self.tensors, self.size = source, tensors, size
        self.used = 0  # entries that nodes made
        self.stored: dict[str, Any] = {}
        self.found: dict[str, np.ndarray] = {}
        self.rounded: set[str] = set()
        for tensor in graph.initializer:
            if tensor.name in self.stored:
                raise InvalidInput(f"{source}: array {shown(tensor.name)}", "one initializer of this name",
                                   "two")
            self.stored[tensor.name] = tensor

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape that a constant has, or says it has; None where there is none."""
        if name in self.found:
            return self.found[name].shape
        return tuple(int(n) for n in self.stored[name].dims) if name in self.stored else None

    def get(self, name: str) -> np.ndarray | None:
        """A constant; None where there is none of this name."""
        if name not in self.found and name in self.stored:
            self.found[name] = self.tensors.array(f"{self.source}: array {shown(name)}", self.stored[name])
        return self.found.get(name)

    def fold(self, nodes: Iterable[Node]) -> None:
        """Compute what these nodes make of constants.

        Raises
        ------
        Stop
            It cannot be computed.
        """
        for node in nodes:
            if any(name in self.found for name in node.outputs):
                continue
            try:
                made = self._made(node)
            except (NoChain, ValueError, TypeError, MemoryError) as error:
                if isinstance(error, InvalidInput):
                    raise
                why = str(error) if isinstance(error, NoChain) else "shapes or numbers that do not fit"
                raise stopped(self.source, node, f"constants that cannot be computed: {why}") from None
            node.values = []
            for name, array in zip(node.outputs, made, strict=False):
                self.found[name] = array
                if (node.kind not in EXACT and array.dtype.kind == "f") or self.rounded & set(node.inputs):
                    self.rounded.add(name)

    def _made(self, node: Node) -> list[np.ndarray]:
        if node.kind == "Constant":
            for name in ("value_float", "value_floats", "value_int", "value_ints"):
                if name in node.given:
                    return [np.array(node.given[name], "f4" if "float" in name else "i8")]
            if "value" not in node.given:
                raise NoChain("no numbers")
            return [self.tensors.array(f"{self.source}: {node.label}", node.given["value"])]
        if node.proto.domain not in ("", "ai.onnx"):
            raise NoChain(f"an operator of {shown(node.proto.domain)}")
        if node.kind == "ConstantOfShape" and "value" in node.given:
            node.given["filled"] = self.tensors.array(f"{self.source}: {node.label}", node.given["value"])
        node.values = [self.get(name) if name else None for name in node.inputs]
        if any(value is None and name for name, value in zip(node.inputs, node.values, strict=True)):
            raise NoChain("an input that nothing computes")
        return self.computed(node)


    def computed(self, node: Node) -> list[np.ndarray]:
        """What a node makes of its inputs; all nodes together make no more than a model of this size needs.

        Raises
        ------
        NoChain
            It cannot be computed.
        """
        found = computed(node, node.values, _FREE + self.size + self.tensors.outside - self.used)
        self.used += sum(one.size for one in found)
        return found
