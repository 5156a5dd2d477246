"""``.onnx``: the graph is followed from its input to its output. Read with onnx, no external data."""

from __future__ import annotations

import functools
import math
from typing import Any, NoReturn

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Relabel, Step, dense, norm
from wdccheck.weights.readers.onnx_evaluation import evaluated
from wdccheck.weights.readers.selection import Selection, listed
from wdccheck.weights.readers.source import LIMIT, Bounded, Room, decoded, one_line, shown, word

__all__ = ["read_onnx"]

_CODES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 10: "f2", 11: "f8", 16: "bf16"}
_TYPED = {1: "float_data", 11: "double_data", 7: "int64_data"}  # the others: int32_data
_LARGEST = LIMIT // 4  # bytes of the file: messages take several times as much in memory
_ACTIVATIONS = {"Sigmoid", "Tanh", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Softplus",
                "Softsign", "Softmax", "LogSoftmax", "HardSigmoid", "HardSwish", "Mish", "Swish", "Clip",
                "ThresholdedRelu", "Erf", "Exp", "Sin", "Cos", "Abs", "Sqrt"}
_WORDS = {"Conv": "a convolution", "ConvTranspose": "a convolution", "MaxPool": "pooling",
          "AveragePool": "pooling", "GlobalAveragePool": "pooling", "Concat": "a concatenation",
          "Add": "a sum that is no bias, as of a skip connection"}


def read_onnx(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
    """The chain of a model of Gemm or MatMul (and Add), Relu, BatchNormalization, or of a part of one.

    Raises
    ------
    InvalidInput
        onnx is not installed, the file is no model, or the model is no chain.
    """
    try:
        import onnx
    except ImportError:
        raise InvalidInput(source, "onnx (pip install 'wdccheck[weights]')", "no such package") from None
    if size > _LARGEST:
        raise InvalidInput(source, f"at most {_LARGEST} bytes", f"{size} bytes")
    try:
        model = onnx.load_model_from_string(stream.read(size))
    except Exception as error:  # protobuf's exception is not public
        raise InvalidInput(source, "an ONNX model", one_line(error)) from None
    choice.only(source, "a graph", "--from", "--to")
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise InvalidInput(source, "the operators of ONNX itself", "a function with the name of one")
    walk = _Walk(source, model.graph, choice)
    steps = walk.steps()
    part = f" from {shown(walk.start)} to {shown(walk.end)}" if choice.begin or choice.end else ""
    return Chain(source, tuple(steps), f"order of the graph{part}", unused=walk.unused,
                 evaluate=functools.partial(evaluated, model, walk.path, walk.start, walk.end, walk.shape,
                                            size))


class _Walk:
    """One path through a graph, and the constants beside it."""

    def __init__(self, source: str, graph: Any, choice: Selection) -> None:
        self.source, self.room = source, Room()
        self.constants: dict[str, tuple[Any, bool]] = {}  # name to a tensor, and whether it is transposed
        self.users: dict[str, list[Any]] = {}  # name of a value to the nodes that it enters
        self.nodes: list[Any] = []  # those that are no constants
        self.path: list[Any] = []  # those that were followed
        if graph.sparse_initializer:
            raise InvalidInput(source, "dense initializers", "sparse ones")
        for tensor in graph.initializer:
            self._define(tensor.name, tensor, False)
        for node in graph.node:
            self._place(node)
        inputs = [one.name for one in graph.input if one.name not in self.constants]
        outputs = [one.name for one in graph.output]
        self.start, self.end = self._ends(choice, inputs, outputs)
        self.unused = self._restricted() if choice.begin or choice.end else ()
        typed = [one for one in (*graph.input, *graph.value_info, *graph.output) if one.name == self.start]
        self.shape = [int(dim.dim_value) for one in typed[:1] for dim in one.type.tensor_type.shape.dim]
        self.flat = len(self.shape) <= 2  # else a matrix would act on every position of it; 0: not said

    def _ends(self, choice: Selection, inputs: list[str], outputs: list[str]) -> tuple[str, str]:
        """The values at which the network begins and ends."""
        values = {*inputs, *(name for node in self.nodes for name in node.output)}
        made = {node.name: node.output[0] for node in self.nodes if node.name and node.output}
        entered = {node.name: [name for name in node.input if name in values] for node in self.nodes}
        begin, end = choice.begin, choice.end
        for option, name in (("--from", begin), ("--to", end)):
            if name is not None and name not in values and name not in made:
                there = dict.fromkeys([*inputs, *(name for node in self.nodes for name in node.output)])
                raise InvalidInput(f"{self.source}: {option} {shown(name)}", "a value or a node of the graph",
                                   f"none such; there are {listed(map(shown, there))}")
        if (choice.begin is None and len(inputs) != 1) or (choice.end is None and len(outputs) != 1):
            raise InvalidInput(
                self.source, "one input and one output of the graph, or --from and --to a value or node",
                f"{len(inputs)} and {len(outputs)}: {listed(map(shown, inputs), 4)} and "
                f"{listed(map(shown, outputs), 4)}")
        if begin is not None and begin not in values:
            if len(entered[begin]) != 1:
                raise InvalidInput(f"{self.source}: --from {shown(begin)}", "a node of one input, or a value",
                                   f"a node of the inputs {listed(map(shown, entered[begin]))}")
            begin = entered[begin][0]
        return inputs[0] if begin is None else begin, outputs[0] if end is None else made.get(end, end)

    def _restricted(self) -> tuple[str, ...]:
        """Leave only nodes between the ends; the others by name."""
        after, before = {self.start}, {self.end}
        for node in self.nodes:  # ONNX has them in the order of evaluation
            if after & set(node.input):
                after |= set(node.output)
        for node in reversed(self.nodes):
            if before & set(node.output):
                before |= set(node.input)
        between = [node for node in self.nodes if after & set(node.input) and before & set(node.output)]
        unused = tuple(_label(node) for node in self.nodes if not any(node is one for one in between))
        self.nodes, self.users = between, {}
        for node in between:
            self._note_users(node)
        return unused

    def steps(self) -> list[Step]:
        """The steps from the input to the output; they pass every node."""
        steps: list[Step] = []
        value, path = self.start, self.path
        while len(path) < len(self.nodes) and value != self.end:
            found = self.users.get(value, [])
            if len(found) != 1 or list(found[0].input).count(value) != 1:
                self._no_chain(value, found)
            steps = self._after(steps, found[0], value)
            value = found[0].output[0]
            path.append(found[0])
        if value != self.end or len(path) < len(self.nodes) or value in self.users:
            self._no_chain(value, self.users.get(value, []))
        return steps

    def _no_chain(self, value: str, users: list[Any]) -> NoReturn:
        names = " and ".join(_label(node) for node in users[:3]) or "no node"
        raise InvalidInput(self.source, "one path through every node, without branches or skip connections, "
                           "or --from and --to", f"{shown(value)} into {names}")

    def _define(self, name: str, tensor: Any, transposed: bool) -> None:
        if name in self.constants:
            raise InvalidInput(f"{self.source}: array {shown(name)}", "one initializer of this name", "two")
        self.constants[name] = tensor, transposed

    def _place(self, node: Any) -> None:
        """Note a constant, or where a node takes its input from."""
        known = node.op_type in ("Identity", "Transpose") and len(node.input) == 1
        if node.op_type == "Constant" and len(node.output) == 1:
            value = [one.t for one in node.attribute if one.name == "value" and one.HasField("t")]
            if value:
                self._define(node.output[0], value[0], False)
                return
        elif known and node.input[0] in self.constants and len(node.output) == 1:
            tensor, transposed = self.constants[node.input[0]]
            turned = node.op_type == "Transpose"
            if not turned or (len(tensor.dims) == 2 and _attributes(node).get("perm", [1, 0]) == [1, 0]):
                self._define(node.output[0], tensor, transposed != turned)
                return
        self.nodes.append(node)
        self._note_users(node)

    def _note_users(self, node: Any) -> None:
        for name in set(node.input):
            self.users.setdefault(name, []).append(node)

    def _after(self, steps: list[Step], node: Any, value: str) -> list[Step]:
        """`steps` and what a node adds to them."""
        kind, given = node.op_type, _attributes(node)
        if node.domain not in ("", "ai.onnx") or sum(map(bool, node.output)) != 1:
            self._refuse(node)
        if kind == "Relu":
            return [*steps, Activation(_label(node), "relu")]
        if kind in _ACTIVATIONS:
            return [*steps, Activation(_label(node), kind.lower())]
        if kind == "Identity" or (kind == "Dropout" and len(node.input) < 3):
            return steps
        if kind == "Flatten" and given.get("axis", 1) == 1:
            self.flat = True
            return steps
        if not self.flat:
            raise InvalidInput(f"{self.source}: {_label(node)}", "an input of vectors, or Flatten before it",
                               "an input of more axes")
        if kind == "Reshape" and len(node.input) == 2 and self._keeps_rows(node, steps):
            return [*steps, Relabel(_label(node))]
        if kind == "Add" and len(node.input) == 2:
            return self._biased(steps, node, value)
        if kind == "MatMul" and len(node.input) == 2 and node.input[0] == value:
            return [*steps, dense(self.source, _label(node), self._array(node.input[1], 2).T)]
        if kind == "Gemm" and node.input[0] == value:
            return [*steps, self._gemm(node, given)]
        if kind == "BatchNormalization" and len(node.input) == 5 and not given.get("training_mode"):
            gamma, beta, mean, var = (self._array(name, 1) for name in node.input[1:])
            return [*steps, norm(self.source, _label(node), mean, var, gamma, beta,
                                 float(given.get("epsilon", 1e-5)))]
        self._refuse(node)

    def _refuse(self, node: Any) -> NoReturn:
        raise InvalidInput(f"{self.source}: {_label(node)}",
                           "Gemm or MatMul of the value with a constant, Add of a bias, Relu or batch norm",
                           _WORDS.get(node.op_type, f"the operator {shown(node.op_type)}"))

    def _gemm(self, node: Any, given: dict[str, Any]) -> Dense:
        if given.get("transA") or given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
            raise InvalidInput(f"{self.source}: {_label(node)}", "transA = 0 and alpha = beta = 1",
                               shown(given))
        B = self._array(node.input[1], 2)
        W = B if given.get("transB") else B.T
        return self._with_bias(Dense(_label(node), W), node.input[2] if len(node.input) > 2 else "")

    def _biased(self, steps: list[Step], node: Any, value: str) -> list[Step]:
        other = node.input[1] if node.input[0] == value else node.input[0]
        before = steps[-1] if steps else None
        if other not in self.constants or not isinstance(before, Dense) or before.b is not None:
            self._refuse(node)
        return [*steps[:-1], self._with_bias(before, other)]

    def _with_bias(self, layer: Dense, name: str) -> Dense:
        if not name:
            return dense(self.source, layer.label, layer.W)
        b, n = self._array(name), layer.W.shape[0]
        if b.size not in (1, n) or b.ndim > 2 or (b.ndim == 2 and b.shape[0] != 1):
            raise InvalidInput(f"{self.source}: array {shown(name)}", f"a bias of shape ({n},)",
                               f"shape {b.shape}")
        return dense(self.source, layer.label, layer.W, np.broadcast_to(b.ravel(), n))

    def _keeps_rows(self, node: Any, steps: list[Step]) -> bool:
        """Whether a Reshape acts on every output of the last layer by itself, whatever the batch."""
        if node.input[1] not in self.constants:
            return False
        first, *rest = [int(n) for n in self._array(node.input[1], 1)] or [-2]
        width = next((step.W.shape[0] for step in reversed(steps) if isinstance(step, Dense)), 0)
        return first in (0, 1) or (first == -1 and min(rest, default=0) > 0 and math.prod(rest) == width)

    def _array(self, name: str, ndim: int | None = None) -> np.ndarray:
        """The constant of this name."""
        thing = f"{self.source}: array {shown(name)}"
        if name not in self.constants:
            raise InvalidInput(thing, "an initializer or a constant", "a value that depends on the input")
        tensor, transposed = self.constants[name]
        array = _entries(thing, tensor, self.room)
        if ndim is not None and array.ndim != ndim:
            raise InvalidInput(thing, f"{ndim} dimensions", f"shape {array.shape}")
        return array.T if transposed else array


def _label(node: Any) -> str:
    """What messages call a node."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{word(node.op_type)} {shown(name)}"


def _attributes(node: Any) -> dict[str, Any]:
    """Floats, integers and lists of integers of a node by name; no step uses others."""
    values = {1: "f", 2: "i", 7: "ints"}
    return {one.name: list(one.ints) if one.type == 7 else getattr(one, values[one.type])
            for one in node.attribute if one.type in values}


def _entries(thing: str, tensor: Any, room: Room) -> np.ndarray:
    code, shape = _CODES.get(tensor.data_type), tuple(int(n) for n in tensor.dims)
    if tensor.data_location or tensor.external_data:
        raise InvalidInput(thing, "entries in the file itself", "external data")
    if code is None or len(shape) > 8 or min(shape, default=0) < 0:
        raise InvalidInput(thing, "an array of real numbers",
                           f"type {tensor.data_type}, shape {shown(shape)}")
    room.take(thing, shape)
    if tensor.HasField("raw_data"):
        itemsize = 2 if code == "bf16" else np.dtype(code).itemsize
        if len(tensor.raw_data) != math.prod(shape) * itemsize:
            raise InvalidInput(thing, f"{math.prod(shape) * itemsize} bytes for shape {shape}",
                               f"{len(tensor.raw_data)} bytes")
        return decoded(tensor.raw_data, code).reshape(shape)
    stored = getattr(tensor, _TYPED.get(tensor.data_type, "int32_data"))
    if len(stored) != math.prod(shape):
        raise InvalidInput(thing, f"{math.prod(shape)} entries for shape {shape}", f"{len(stored)}")
    if code in ("f2", "bf16"):
        bits = np.array(stored, np.int64)
        if bits.size and not 0 <= bits.min() <= bits.max() < 2**16:
            raise InvalidInput(thing, "16 bits in every entry", "more")
        return decoded(bits.astype("<u2").tobytes(), code).reshape(shape)
    return np.array(stored, code if code[0] == "f" else np.int64).reshape(shape)
