"""From one value of a graph to another: every node between is followed, or the graph is refused there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Activation, Norm, Step, norm
from wdccheck.weights.readers.onnx.arithmetic import shape_of
from wdccheck.weights.readers.onnx.constants import Constants
from wdccheck.weights.readers.onnx.entrywise import ENTRYWISE, by_constants
from wdccheck.weights.readers.onnx.nodes import Node, Stop, alternating, stopped
from wdccheck.weights.readers.onnx.products import PRODUCTS
from wdccheck.weights.readers.onnx.shapes import MOVES, axis_of
from wdccheck.weights.readers.onnx.starts import starts
from wdccheck.weights.readers.onnx.tensors import Tensors
from wdccheck.weights.readers.onnx.values import Mask, NoChain, Value, last_matrix
from wdccheck.weights.readers.source import shown

__all__ = ["Path", "Walk"]

_NODES = 2**16
_MOST = 2**18  # entries of a value that are followed where entries are repeated
_FLOATS = {1, 10, 11, 16}
_WORDS = {"Conv": "a convolution", "ConvTranspose": "a convolution", "MaxPool": "pooling",
          "AveragePool": "pooling", "GlobalAveragePool": "pooling", "Concat": "a concatenation",
          "LSTM": "a recurrent layer", "GRU": "a recurrent layer", "RNN": "a recurrent layer",
          "LayerNormalization": "a normalization by its own input",
          "InstanceNormalization": "a normalization by its own input",
          "If": "a branch of control flow", "Loop": "a loop", "Scan": "a loop"}


@dataclass(frozen=True, eq=False)
class Path:
    """What was followed.

    Attributes
    ----------
    steps : tuple of Step
    nodes : list of Node
        With those that make constants.
    begin, end, matrix : Value
        At both ends, and right after the last matrix.
    name : str
        What the graph calls the value after the last matrix, which the first `inner` steps give.
    inner : int
        0 where entries were moved later.
    folded : tuple of str
    """

    steps: tuple[Step, ...]
    nodes: list[Node]
    begin: Value
    end: Value
    matrix: Value
    name: str
    inner: int
    folded: tuple[str, ...]


class Walk:
    """The nodes of a graph, and its constants."""

    def __init__(self, source: str, graph: Any, tensors: Tensors, size: int) -> None:
        self.source = source
        self.constants = Constants(source, graph, tensors, size)
        if len(graph.node) > _NODES:
            raise InvalidInput(source, f"at most {_NODES} nodes", f"{len(graph.node)}")
        self.nodes = [Node(one) for one in graph.node]
        made = Counter(name for node in self.nodes for name in node.outputs if name)
        made.update(self.constants.stored.keys())
        for name, count in made.most_common(1):
            if count > 1:
                raise InvalidInput(source, "every value once (onnx.checker.check_model says more)",
                                   f"{shown(name)} twice")
        self.maker = {name: node for node in self.nodes for name in node.outputs if name}
        self.inputs = [one.name for one in graph.input if one.name not in self.constants.stored]
        self.varying = self._varying(set(self.inputs))
        typed = (*graph.output, *graph.value_info, *graph.input)
        self.shapes = {one.name: _declared(one.type.tensor_type) for one in typed}

    def _varying(self, inputs: set[str]) -> set[str]:
        """The values that depend on an input of the graph."""
        for node in self.nodes:
            if inputs & set(node.inputs):
                inputs |= set(filter(None, node.outputs))
        return inputs

    def between(self, start: str, end: str) -> list[Node]:
        """The nodes that the value `end` needs, but for those that `start` does; in order."""
        wanted, found = {end}, []
        for node in reversed(self.nodes):
            if any(name in wanted and name != start for name in node.outputs):
                found.append(node)
                wanted |= set(filter(None, node.inputs))
        return found[::-1]

    def path(self, start: str, end: str) -> Path:
        """The steps from one value to another.

        Raises
        ------
        Stop
            A node on the way is covered by none of them.
        """
        nodes = self.between(start, end)
        if start != end and not any(start in node.inputs for node in nodes):
            raise InvalidInput(self.source, f"a way from {shown(start)} to {shown(end)}", "none (--from and "
                               "--to name values or nodes in the order of the graph)")
        self.constants.fold(node for node in nodes if not self.varying & set(node.inputs))
        first: Stop | None = None
        thing, dims = f"{self.source}: {shown(start)}", self.shapes.get(start, ())
        for value in starts(thing, dims, nodes, self.constants):
            try:
                return self._followed(nodes, start, value, end)
            except Stop as error:
                first = first or error
        assert first is not None
        raise first

    def _followed(self, nodes: list[Node], start: str, value: Value, end: str) -> Path:
        known: dict[str, Any] = {start: value}
        uses = Counter(name for node in nodes for name in set(node.inputs))
        folded: list[str] = []
        last, matrix = "", value
        for node in nodes:
            if start not in node.inputs and not self.varying & set(node.inputs):
                continue
            for name, found in zip(node.outputs, self._after(node, known, folded), strict=False):
                known[name] = found
                if node.kind in PRODUCTS and isinstance(found, Value):
                    last, matrix = name, found.closed()
            node.values = []
            for name in set(node.inputs):  # forget what nothing needs any more
                uses[name] -= 1
                if not uses[name] and name != end:
                    known.pop(name, None)
        found = known.get(end)
        try:
            if not isinstance(found, Value):
                raise NoChain("a value that does not depend on the input")
            steps = found.finished()
        except NoChain as error:
            raise stopped(self.source, self.maker.get(end), str(error)) from None
        alternating(self.source, steps, nodes)
        relus = [step.label for step in steps if isinstance(step, Activation) and step.kind == "relu"]
        folded += [f"{label} is a ReLU" for label in relus if not label.startswith("Relu ")]
        if last_matrix(steps) is not last_matrix(matrix.steps):
            folded.append("outputs in another order, or a part of them: rows of the last matrix, exactly")
        inner = len(matrix.steps)
        same = inner <= len(steps) and all(a is b for a, b in zip(steps, matrix.steps, strict=False))
        said = tuple(dict.fromkeys(folded))
        return Path(steps, nodes, value, found, matrix, last, inner if same else 0, said)

    # ---- values

    def _after(self, node: Node, known: dict[str, Any], folded: list[str]) -> list[Any]:
        """The values that a node gives."""
        node.values = []
        for name in node.inputs:
            value = known.get(name) if name in known else self.constants.get(name) if name else None
            if value is None and name:
                raise stopped(self.source, node,
                              f"{shown(name)}, another input or a value that nothing computes")
            node.values.append(value)
        try:
            if node.proto.domain == "ai.onnx.ml" and node.kind == "Scaler":
                offset, scale = (np.array(node.given.get(one, [0])) for one in ("offset", "scale"))
                return [by_constants(by_constants(node.at(0), node, 1.0, -offset), node, scale, 0.0)]
            if node.proto.domain not in ("", "ai.onnx"):
                raise NoChain(f"an operator of {shown(node.proto.domain)} (of the model itself: "
                              "onnx.inliner.inline_local_functions writes it out)")
            return self._given(node, folded)
        except NoChain as error:
            raise stopped(self.source, node, str(error)) from None
        except (ValueError, TypeError, OverflowError, IndexError) as error:
            if isinstance(error, InvalidInput):
                raise Stop.at(error, node) from None
            raise stopped(self.source, node, "shapes or numbers that do not fit") from None

    def _given(self, node: Node, folded: list[str]) -> list[Any]:
        kind, value = node.kind, node.at(0)
        if not any(isinstance(one, Value | Mask) for one in node.values):  # of a shape, which is constant
            return self.constants.computed(node)
        if kind in ("Shape", "Size") and isinstance(value, Value | Mask):
            return [shape_of(node, value.shape) if kind == "Shape" else np.array(value.order.size)]
        if kind in MOVES and isinstance(value, Value):
            most = max(_MOST, value.order.size)
            moved = MOVES[kind](node, value.order, most)
            return [value if kind == "Identity" else value.moved(one) for one in moved]
        if kind in ("Cast", "CastLike"):
            return [self._cast(node, folded)]
        if kind == "Dropout":
            if node.at(2) is not None and np.any(node.at(2)):
                raise NoChain("dropout in training mode (export after model.eval())")
            return [value]
        if kind == "Concat" and all(isinstance(one, Value) for one in node.values):
            first = node.values[0]
            slopes = {(one.up, one.down) for one in node.values}
            if len(slopes) == 1 and all(one.steps is first.steps for one in node.values):
                axis = axis_of(int(node.given.get("axis", 0)), first.order.ndim)
                if sum(one.order.size for one in node.values) > max(_MOST, first.order.size):
                    raise NoChain(f"more than {_MOST} entries")
                return [first.moved(np.concatenate([one.order for one in node.values], axis))]
        if kind in PRODUCTS:
            self._said(node, folded)
            return [PRODUCTS[kind](self.source, node, folded)]
        if kind == "BatchNormalization" and len(node.inputs) == 5 and isinstance(value, Value):
            return [self._norm(node, value)]
        if kind in ENTRYWISE:
            self._said(node, folded)
            return [ENTRYWISE[kind](node)]
        raise NoChain(_WORDS.get(kind, f"the operator {shown(kind)}"))

    def _cast(self, node: Node, folded: list[str]) -> Any:
        value, code = node.at(0), int(node.given.get("to", 1))
        if isinstance(value, Value) and code not in _FLOATS:
            raise NoChain("a rounding to integers")
        if isinstance(value, Value):
            folded.append(f"{node.label}: another precision of values, which the bounds do not follow")
        return value

    def _said(self, node: Node, folded: list[str]) -> None:
        """Note constants that are no numbers of the file."""
        for name in node.inputs:
            if name in self.constants.rounded:
                folded.append(f"array {shown(name)} of {node.label} was computed from others in float64")

    def _norm(self, node: Node, value: Value) -> Value:
        if node.given.get("training_mode"):
            raise NoChain("batch norm in training mode (export after model.eval())")
        if len(value.shape) < 2 or not all(isinstance(one, np.ndarray) for one in node.values[1:]):
            raise NoChain("batch norm of values that are no constants")
        gamma, beta, mean, var = node.values[1:]
        one = norm(self.source, node.label, mean, var, gamma, beta, float(node.given.get("epsilon", 1e-5)))
        shape = (-1,) + (1,) * (len(value.shape) - 2)
        return value.by_constants(node.label, one.scale.reshape(shape), one.shift.reshape(shape), Norm)


def _declared(kind: Any) -> tuple[int | None, ...]:
    """The axes that a file declares for a value; empty where it does not, None for one of any length."""
    return tuple(int(dim.dim_value) if dim.dim_value > 0 else None for dim in kind.shape.dim)
