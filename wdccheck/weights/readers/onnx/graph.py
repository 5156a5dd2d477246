"""``.onnx``: which part of a graph is the network, and what is in it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Chain, Dense, Step, needs
from wdccheck.weights.readers.onnx.evaluation import evaluated
from wdccheck.weights.readers.onnx.nodes import Node, Stop
from wdccheck.weights.readers.onnx.tensors import Tensors
from wdccheck.weights.readers.onnx.walk import Walk
from wdccheck.weights.readers.selection import Selection, listed
from wdccheck.weights.readers.source import LIMIT, Bounded, in_quotes, kind, shown

__all__ = ["read_onnx"]

_LARGEST = LIMIT // 4  # bytes of the file: messages take several times as much in memory
_TRIES = 64  # parts of a graph that are tried after a refusal


def read_onnx(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
    """The chain of a model, or of a part of one; numbers may lie in files beside it.

    Raises
    ------
    InvalidInput
        onnx is not installed, the file is no model, or the model is no chain.
    """
    try:
        import onnx
    except ImportError:
        raise InvalidInput(source, "onnx (pip install 'wdccheck[weights]')", "no such package") from None
    choice.only(source, "a graph", "--from", "--to")
    if size > _LARGEST:
        raise InvalidInput(source, f"at most {_LARGEST} bytes (onnx.save(..., save_as_external_data=True) "
                           "puts the numbers beside it)", f"{size} bytes")
    data = stream.read(size)
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's exception is not public
        raise InvalidInput(source, "an undamaged ONNX model (copy it again)", _instead(data)) from None
    if not model.graph.node:
        raise InvalidInput(source, "an ONNX model with nodes (onnx.load reads it where it is one)",
                           _instead(data))
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise InvalidInput(source, "the operators of ONNX itself (onnx.inliner.inline_local_functions writes "
                           "others out)", "a function with the name of one")
    if model.graph.sparse_initializer:
        raise InvalidInput(source, "dense initializers", "sparse ones")
    if not all(isinstance(name, str) for name in _names(model)):
        raise InvalidInput(source, "names in UTF-8", "others")
    tensors = Tensors(source)
    walk = Walk(source, model.graph, tensors, size)
    start, end = _ends(source, walk, model.graph, choice)
    try:
        path = walk.path(start, end)
    except Stop as error:
        ways = _ways(walk, start, end, error, choice)
        raise InvalidInput(error.thing, error.required, error.found + ways) from None
    part = f" from {shown(start)} to {shown(end)}" if choice.begin or choice.end else ""
    if not walk.shapes.get(start):
        part += f" (the file does not say the shape of {shown(start)}: one vector)"
    followed = {id(node) for node in path.nodes}
    unused = tuple(node.label for node in walk.nodes
                   if id(node) not in followed and (walk.varying | {start}) & set(node.inputs))
    return Chain(source, path.steps, f"order of the graph{part}", unused=unused, inner=path.inner,
                 evaluate=functools.partial(evaluated, model, walk, path, start, end, size + tensors.outside),
                 folded=path.folded)


def _names(model: Any) -> Iterator[Any]:
    """All text that is looked at; what is no UTF-8 is given as bytes."""
    graph = model.graph
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    inside = (attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t"))
    for tensor in (*graph.initializer, *inside):
        yield tensor.name
        yield from (text for one in tensor.external_data for text in (one.key, one.value))
    yield from (one.name for one in (*graph.input, *graph.output, *graph.value_info))


def _instead(data: bytes) -> str:
    """What a file that is no model seems to be."""
    if data.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS in place of the file (git lfs pull fetches it)"
    return "a damaged one" if data[:1] == b"\x08" else kind(data[:8])


def _ends(source: str, walk: Walk, graph: Any, choice: Selection) -> tuple[str, str]:
    """The values at which the network begins and ends."""
    inputs, outputs = walk.inputs, [one.name for one in graph.output]
    made = (name for node in walk.nodes for name in node.outputs if name in walk.varying)
    values = dict.fromkeys([*inputs, *made])
    named = {node.proto.name: node for node in walk.nodes if node.proto.name and node.outputs}
    begin, end = choice.begin, choice.end
    for option, name in (("--from", begin), ("--to", end)):
        if name is not None and name not in values and name not in named:
            raise InvalidInput(f"{source}: {option} {shown(name)}", "a value or a node of the graph",
                               f"none such; there are {listed(map(shown, values))}")
    if begin is not None and begin not in values:
        entered = [name for name in dict.fromkeys(named[begin].inputs) if name in values]
        if len(entered) != 1:
            raise InvalidInput(f"{source}: --from {shown(begin)}", "a node of one input, or a value",
                               f"a node of the inputs {listed(map(shown, entered))}")
        begin = entered[0]
    if end is not None and end not in values:
        end = named[end].outputs[0]
    if end is None and len(outputs) == 1:
        end = outputs[0]
    if begin is None and len(inputs) == 1:
        begin = inputs[0]
    if begin is None or end is None:
        raise InvalidInput(
            source, "one input and one output of the graph, or --from and --to a value or node",
            f"{len(inputs)} and {len(outputs)}: {listed(map(shown, inputs), 4)} and "
            f"{listed(map(shown, outputs), 4)}" + _choices(walk, choice, inputs if begin is None else [begin],
                                                           outputs if end is None else [end]))
    return begin, end


def _choices(walk: Walk, choice: Selection, inputs: list[str], outputs: list[str]) -> str:
    """The options that take one of several outputs, from the last node on that is no step."""
    ways = []
    for end in outputs[:4]:
        for begin in inputs[:4]:
            way = _after(walk, choice, begin, end, len(outputs) > 1, True)
            if way and way not in ways:
                ways.append(way)
    for end in outputs[:4] if not ways and len(inputs) == 1 else ():
        try:
            walk.path(inputs[0], end)
        except Stop as error:
            ways += [] if error.node is None else _before(walk, choice, inputs[0], error.node)
        except InvalidInput:
            pass
    return _listed(ways)


def _ways(walk: Walk, start: str, end: str, error: Stop, choice: Selection) -> str:
    """The options that take a part of the graph before or after the node that is no step."""
    if error.node is None:
        return ""
    after = _after(walk, choice, start, end, choice.end is not None, False)
    return _listed([after, *_before(walk, choice, start, error.node)])


def _listed(ways: list[str]) -> str:
    found = [way for way in dict.fromkeys(ways) if way]
    taken = f"take a part with {' or '.join(found)}" if found else "wc.ReLUNetwork([W1, ...]) takes matrices"
    return f"; {taken}"


def _after(walk: Walk, choice: Selection, start: str, end: str, to: bool, begin: bool) -> str:
    """The way from the first value from which `end` can be reached."""
    made = [name for node in walk.between(start, end) for name in node.outputs[:1] if name in walk.varying]
    for name in [start, *made[-_TRIES:]] if begin else made[-_TRIES:]:
        try:
            steps = walk.path(name, end).steps
        except InvalidInput:
            continue
        given = name != start or len(walk.inputs) > 1
        if way := _way(steps, choice, name if given else "", end if to else ""):
            return way
    return ""


def _before(walk: Walk, choice: Selection, start: str, node: Node) -> list[str]:
    """The ways to the last values before a node that can be reached."""
    found, names = [], list(node.inputs)
    for name in names:
        if name == start or name not in walk.varying or len(names) > _TRIES:
            continue
        try:
            way = _way(walk.path(start, name).steps, choice, "" if choice.begin is None else start, name)
        except InvalidInput:
            way = ""
        if way:
            found.append(way)
        elif name in walk.maker:
            names += walk.maker[name].inputs  # the loop goes on with them
    return found


def _way(steps: tuple[Step, ...], choice: Selection, begin: str, end: str) -> str:
    layers = [step for step in steps if isinstance(step, Dense)]
    if not layers or not (begin + end).isprintable():
        return ""
    widths = list(map(str, [layers[0].W.shape[1], *(layer.W.shape[0] for layer in layers)]))
    options = [f"--{name} {in_quotes(value)}" for name, value in (("from", begin), ("to", end)) if value]
    dims = "-".join(widths if len(widths) < 12 else [*widths[:8], "...", widths[-1]])
    return f"{' '.join(options)}{choice.beside(*needs(steps))} ({dims})"
