"""Whole Keras models, ``.keras`` and ``.h5``: layers by configuration, kernels transposed to (out, in)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers import hdf5
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.chain import Activation, Chain, Relabel, Step, dense, norm
from wdccheck.weights.readers.selection import Selection, listed
from wdccheck.weights.readers.source import JSON, Bounded, json_object, kind, one_line, shown, word

__all__ = ["read_h5", "read_keras"]

_NEUTRAL = {"InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
            "ActivityRegularization", "Identity", "Flatten"}
_ACTIVATIONS = {"LeakyReLU", "PReLU", "ELU", "Softmax", "ThresholdedReLU"}
_PARTS = {"Dense": ("kernel", "bias"),
          "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance")}
_SWITCHES = {"bias": "use_bias", "gamma": "scale", "beta": "center"}  # options that say if a part is there


def read_keras(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
    """The chain of a ``.keras`` archive of Keras 3.

    Raises
    ------
    InvalidInput
        h5py is not installed, the file is damaged, or the model is no chain of dense layers.
    """
    magic = stream.read(min(size, 8))
    if not magic.startswith(b"PK"):
        raise InvalidInput(source, "the zip archive that model.save('....keras') writes", kind(magic))
    archive = Archive(source, stream, lambda name: f"{source}: member {shown(name)}", "member")
    config = json_object(f"{source}: config.json", archive.read("config.json", JSON))
    tree = hdf5.read_tree(source, archive.read("model.weights.h5"), "layers")
    return _chain(source, config, _Saved(source, tree), choice)


def read_h5(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
    """The chain of a model in one HDF5 file.

    Raises
    ------
    InvalidInput
        As for :func:`read_keras`, or the file holds weights only.
    """
    tree = hdf5.read_tree(source, stream.read(size), "model_weights")
    text = tree.attributes[""].get("model_config")
    if not isinstance(text, str):
        raise InvalidInput(source, "a whole Keras model, as model.save writes",
                           "weights only: neither their order nor the activations are known")
    return _chain(source, json_object(f"{source}: model_config", text), _Legacy(source, tree), choice)


def _chain(source: str, config: dict[str, Any], held: _Saved | _Legacy, choice: Selection) -> Chain:
    """The chain of a configuration with these weights, or of the part of it that was chosen."""
    choice.only(source, "a model of Keras", "--from", "--to")
    try:
        layers, unused = _ordered(source, config, choice)
        _of_vectors(source, layers)
        every = config["config"]["layers"]
        steps = [step for layer in layers for step in _steps(source, layer, every, held)]
    except InvalidInput:
        raise
    except Exception as error:  # a configuration may lack anything
        raise InvalidInput(source, "the configuration of a Keras model", one_line(error)) from None
    return Chain(source, tuple(steps), "order of the model's layers", unused=unused, evaluate=_evaluated)


def _evaluated(_: np.ndarray, inner: bool) -> np.ndarray:
    raise InvalidInput("forward check", "an evaluator", "nothing here evaluates models of Keras")


def _ordered(
    source: str, config: dict[str, Any], choice: Selection,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The configurations of the layers, first to last, of a model that is one path; names of others."""
    layers: list[dict[str, Any]] = config["config"]["layers"]
    names = [one["config"]["name"] for one in layers]
    if len(set(names)) < len(names):
        raise InvalidInput(source, "every layer name once", "one twice")
    for option, name in (("--from", choice.begin), ("--to", choice.end)):
        if name is not None and name not in names:
            raise InvalidInput(f"{source}: {option} {shown(name)}", "a layer of the model",
                               f"none such; there are {listed(map(shown, names))}")
    if config["class_name"] == "Sequential":
        begin = 0 if choice.begin is None else names.index(choice.begin)
        end = len(names) if choice.end is None else names.index(choice.end) + 1
        return layers[begin:end], tuple(map(shown, names[:begin] + names[max(begin, end):]))
    if config["class_name"] not in ("Functional", "Model"):
        raise InvalidInput(source, "a Sequential or functional model", shown(config["class_name"]))
    before = {name: _before(source, name, layer) for name, layer in zip(names, layers, strict=True)}
    out = _called(config["config"]["output_layers"])
    if choice.begin or choice.end:
        names, out = _between(source, names, before, choice, out)
        before = {name: [one for one in before[name] if one in names] for name in names}
        layers = [layer for layer in layers if layer["config"]["name"] in names]
    unused = tuple(shown(one["config"]["name"]) for one in config["config"]["layers"] if one not in layers)
    after: dict[str, list[str]] = {name: [] for name in names}
    first = [name for name in names if not before[name]]
    for name in names:
        for one in before[name]:
            after[one].append(name)
    path = first[:1]
    while path and len(after[path[-1]]) == 1 and len(path) <= len(names):
        path += after[path[-1]]
    if len(first) != 1 or len(path) != len(names) or out != path[-1:]:
        branch = next((name for name in names if len(after[name]) > 1), first[0] if first else "none")
        raise InvalidInput(f"{source}: layer {shown(branch)}",
                           "one path through every layer, without branches or skip connections, or "
                           "--from and --to",
                           f"it leads to {', '.join(map(shown, after.get(branch, [])))}"[:120])
    return [layers[names.index(name)] for name in path], unused


def _between(
    source: str, names: list[str], before: dict[str, list[str]], choice: Selection, out: list[str],
) -> tuple[list[str], list[str]]:
    """The layers on paths from one to another, both included, and the last."""
    after = {choice.begin} if choice.begin else set(names)
    for _ in names if choice.begin else ():
        after |= {name for name in names if after & set(before[name])}
    into = {choice.end} if choice.end else set(out)
    for _ in names:
        into |= {one for name in into if name is not None for one in before[name]}
    found = [name for name in names if name in after and name in into]
    if not found:
        raise InvalidInput(source, "a path of layers between --from and --to", "none")
    return found, [choice.end] if choice.end else out


def _of_vectors(source: str, layers: list[dict[str, Any]]) -> None:
    """Refuse an input of more axes that nothing flattens: a Dense layer would act on every position of it."""
    shape = None
    for layer in layers:
        config = layer["config"]
        built = (layer.get("build_config") or {}).get("input_shape") if layer is layers[0] else None
        shape = config.get("batch_shape") or config.get("batch_input_shape") or built or shape
        if layer["class_name"] in _PARTS and shape is not None and len(shape) != 2:
            raise InvalidInput(source, "an input of vectors, or Flatten before the first layer",
                               f"an input of shape {shown(shape)}")
        if layer["class_name"] in _PARTS or layer["class_name"] == "Flatten":
            return


def _before(source: str, name: str, layer: dict[str, Any]) -> list[str]:
    """The layer whose output a layer takes, or none for the input."""
    found = _called(layer["inbound_nodes"])
    if len(found) > 1:
        raise InvalidInput(f"{source}: layer {shown(name)}", "one input, without skip connections",
                           f"{len(found)}: {', '.join(map(shown, found))}"[:120])
    return found


def _called(node: Any) -> list[str]:
    """The layers whose outputs a part of a configuration takes, as Keras 3 or Keras 2 writes them."""
    if isinstance(node, dict):
        history = node.get("keras_history")
        parts = node.values() if history is None else [history]
    elif isinstance(node, list) and len(node) >= 3 and isinstance(node[0], str) and type(node[1]) is int:
        return [node[0]]
    else:
        parts = node if isinstance(node, list) else []
    return [name for part in parts for name in _called(part)]


def _steps(
    source: str, layer: dict[str, Any], every: list[dict[str, Any]], held: _Saved | _Legacy,
) -> list[Step]:
    """What a layer does, which is one of `every` in the model."""
    sort, config = layer["class_name"], layer["config"]
    label = f"{word(sort)} {shown(config['name'])}"
    if layer.get("registered_name") or not str(layer.get("module") or "keras").startswith("keras"):
        raise InvalidInput(f"{source}: {label}", "a layer of Keras itself", "a custom one")
    if sort in _NEUTRAL:
        return []
    if sort == "Reshape":
        return [Relabel(label)]
    if sort == "Activation":
        return _activation(label, config["activation"])
    if sort in _ACTIVATIONS:
        return [Activation(label, sort)]
    if sort == "ReLU":
        odd = {key: value for key, value in config.items()
               if (key == "max_value" and value is not None)
               or (key in ("negative_slope", "alpha", "threshold") and value)}
        return [Activation(label, f"ReLU with {shown(odd)}" if odd else "relu")]
    if sort not in _PARTS:
        raise InvalidInput(f"{source}: {label}", "Dense, BatchNormalization, ReLU, Activation, Dropout or "
                           "Flatten", f"{shown(sort)}, {_word(str(sort))}")
    parts = tuple(part for part in _PARTS[sort] if config.get(_SWITCHES.get(part, ""), True))
    sorts = [one["class_name"] for one in every[:every.index(layer) + 1]]
    found = dict(zip(parts, held.fetch(label, config["name"], sorts, parts), strict=True))
    return _weighted(source, label, config, found)


def _weighted(source: str, label: str, config: dict[str, Any], found: dict[str, np.ndarray]) -> list[Step]:
    """A Dense or BatchNormalization layer of these arrays."""
    if "moving_mean" not in found:
        if config.get("lora_rank") or config.get("quantization_config"):
            raise InvalidInput(f"{source}: {label}", "a plain kernel", "one with LoRA or quantization")
        kernel = found["kernel"]
        if kernel.ndim != 2:
            raise InvalidInput(f"{source}: {label}", "a kernel of shape (n_in, n_out)",
                               f"shape {kernel.shape}")
        return [dense(source, label, kernel.T, found.get("bias")), *_activation(label, config["activation"])]
    axis = config.get("axis", -1)
    if axis not in (-1, 1, [-1], [1]):
        raise InvalidInput(f"{source}: {label}", "axis -1", f"axis {shown(axis)}")
    return [norm(source, label, found["moving_mean"], found["moving_variance"], found.get("gamma"),
                 found.get("beta"), float(config["epsilon"]))]


def _activation(label: str, name: Any) -> list[Step]:
    if name in ("linear", None):
        return []
    return [Activation(label, word(name))]


def _word(sort: str) -> str:
    words = {"Conv": "a convolution", "Pool": "pooling", "Normalization": "another normalization",
             "Add": "a skip connection", "Concatenate": "a skip connection"}
    return next((words[part] for part in words if part in sort), "which the theory does not cover")


class _Saved:
    """The weights of a ``.keras`` archive: numbered within groups that name their layer."""

    def __init__(self, source: str, tree: hdf5.Tree) -> None:
        self.source, self.tree = source, tree
        self.groups: dict[str, str] = {}  # the name of a layer to its group
        for path, found in tree.attributes.items():
            whose = found.get("name") if path.endswith("/vars") and path.count("/") == 1 else None
            if whose is not None and self.groups.setdefault(whose, path) != path:
                raise InvalidInput(source, "one group per layer", f"two of {shown(whose)}")

    def fetch(self, label: str, name: str, sorts: list[str], parts: tuple[str, ...]) -> list[np.ndarray]:
        """The arrays of a layer; `sorts` ends with its class, which names the groups of Keras 3.0."""
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", sorts[-1]).lower()
        number = sorts.count(sorts[-1]) - 1
        group = self.groups.get(name, "") if self.groups else f"{snake}{f'_{number}' * (number > 0)}/vars"
        thing = f"{self.source}: {label}"
        held = sorted(path for path in self.tree.arrays if path.startswith(f"{group}/"))
        if group and len(held) != len(parts):
            raise InvalidInput(thing, f"the arrays {', '.join(parts)}", f"{len(held)} arrays")
        return [self.tree.array(f"{thing}, {part}", f"{group}/{i}") for i, part in enumerate(parts)]


class _Legacy:
    """The weights of one HDF5 file: groups by the names of layers, with the names of arrays."""

    def __init__(self, source: str, tree: hdf5.Tree) -> None:
        self.source, self.tree = source, tree

    def fetch(self, label: str, name: str, sorts: list[str], parts: tuple[str, ...]) -> list[np.ndarray]:
        """The arrays of a layer."""
        thing = f"{self.source}: {label}"
        names = self.tree.attributes.get(name, {}).get("weight_names", [])
        leaves = tuple(path.rpartition("/")[2].partition(":")[0] for path in names)
        if leaves != parts:
            raise InvalidInput(thing, f"the arrays {', '.join(parts)}",
                               f"{', '.join(map(word, leaves))}"[:80] or "none")
        return [self.tree.array(f"{thing}, {part}", f"{name}/{path}")
                for part, path in zip(parts, names, strict=True)]
