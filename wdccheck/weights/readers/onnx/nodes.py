"""A node of a graph: what it is called, its attributes, and parameters that may be attributes or inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Step, first_odd
from wdccheck.weights.readers.onnx.values import NoChain
from wdccheck.weights.readers.source import shown, word

__all__ = ["Node", "Stop", "alternating", "stopped"]

_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}


class Node:
    """A node, and the constants among its inputs once they are known."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.kind = str(proto.op_type)
        self.inputs: Sequence[str] = list(proto.input)
        self.outputs: Sequence[str] = list(proto.output)
        self.values: list[Any] = []  # of the inputs, None where one is left out

    @property
    def label(self) -> str:
        """What messages call it."""
        name = self.proto.name or next(iter(self.outputs), "")
        return f"{word(self.kind)} {shown(name)}"

    @cached_property
    def given(self) -> dict[str, Any]:
        """Attributes by name."""
        return {one.name: list(getattr(one, _FIELDS[one.type])) if one.type > 5
                else getattr(one, _FIELDS[one.type]) for one in self.proto.attribute if one.type in _FIELDS}

    def at(self, position: int) -> Any:
        """The value of an input; None where it is left out."""
        return self.values[position] if position < len(self.values) else None

    def integers(self, name: str, position: int) -> list[int] | None:
        """Integers that are an attribute, or an input from a later version on."""
        found = self.given.get(name)
        if found is not None:
            return [int(n) for n in found]
        value = self.at(position)
        if value is None:
            return None
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.size > 1024:
            raise NoChain(f"{name} that are no constants")
        return [int(n) for n in value.ravel()]

    def number(self, name: str, position: int, default: float) -> float:
        """A number that is an attribute, or an input from a later version on."""
        value = self.given.get(name, self.at(position))
        if value is None:
            return default
        if isinstance(value, np.ndarray) and value.size == 1:
            return float(value.ravel()[0])
        if isinstance(value, int | float):
            return float(value)
        raise NoChain(f"a {name} that is no constant number")


class Stop(InvalidInput):
    """A refusal at a node of a graph, or at its end."""

    node: Node | None = None

    @staticmethod
    def at(error: InvalidInput, node: Node | None) -> Stop:
        """The same refusal, with its node."""
        stop = Stop(error.thing, error.required, error.found)
        stop.node = node
        return stop


def stopped(source: str, node: Node | None, found: str) -> Stop:
    """The refusal of a node, as what `found` says."""
    where = f"{source}: {node.label}" if node is not None else source
    return Stop.at(InvalidInput(
        where, "matrices, biases, scales, changes of shape and activations of one value", found), node)


def alternating(source: str, steps: Sequence[Step], nodes: Sequence[Node]) -> None:
    """Refuse another activation than a ReLU before the last matrix, at its node.

    Raises
    ------
    Stop
        There is one, or none between two matrices.
    """
    odd = first_odd(steps)
    if odd is not None:
        node = next((one for one in nodes if one.label == odd.thing), None)
        raise Stop.at(InvalidInput(f"{source}: {odd.thing}", odd.required, odd.found), node)
