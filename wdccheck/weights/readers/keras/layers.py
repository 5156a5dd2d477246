"""What the layers of a Keras model do: matrices, scales and activations, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers import hdf5
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.chain import (
    Activation,
    Chain,
    Dense,
    Relabel,
    Scale,
    Step,
    dense,
    first_odd,
    needs,
    norm,
)
from wdccheck.weights.readers.keras.models import every_layer, ordered
from wdccheck.weights.readers.keras.stored import Legacy, Placed, Saved, name_of
from wdccheck.weights.readers.selection import Selection
from wdccheck.weights.readers.source import JSON, Bounded, in_quotes, json_object, kind, shown, word

__all__ = ["read_h5", "read_keras"]

_NEUTRAL = {"InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
            "ActivityRegularization", "Identity", "Flatten"}
_ACTIVATIONS = {"ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "ThresholdedReLU"}
_TRIES = 64  # layers at which a part may begin or end
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
    return _chain(source, config, Saved(source, tree), choice)


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
        raise InvalidInput(source, "a whole Keras model, as model.save('net.keras') writes (after "
                           "model.load_weights of this file)",
                           "weights only: neither their order nor the activations are known")
    return _chain(source, json_object(f"{source}: model_config", text), Legacy(source, tree), choice)


def _chain(source: str, model: dict[str, Any], held: Saved | Legacy, choice: Selection) -> Chain:
    """The chain of a configuration with these weights, or of the part of it that was chosen."""
    choice.only(source, "a model of Keras", "--from", "--to")
    try:
        try:
            steps, unused = _followed(source, model, held, choice)
        except InvalidInput as error:
            ways = _ways(source, model, held, choice)
            raise InvalidInput(error.thing, error.required, error.found + ways) from None
    except InvalidInput:
        raise
    except Exception:  # a configuration may lack anything
        raise InvalidInput(source, "the configuration of a Keras model (model.save('net.keras') writes one)",
                           "one that lacks parts") from None
    return Chain(source, tuple(steps), "order of the model's layers", unused=unused, evaluate=_evaluated)


def _followed(source: str, model: dict[str, Any], held: Saved | Legacy, choice: Selection,
              ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps of the part that was chosen, and the names of other layers."""
    layers, unused = ordered(source, model, choice)
    _of_vectors(source, [one.layer for one in layers])
    steps: list[Step] = []
    for placed in layers:
        if placed.layer["class_name"] == "Flatten":  # undoes a change of shape
            at = max((i for i, step in enumerate(steps) if isinstance(step, Dense)), default=-1) + 1
            steps[at:] = [step for step in steps[at:] if not isinstance(step, Relabel)]
        steps += _steps(source, placed, held)
    odd = first_odd(steps)
    if odd is not None:
        raise InvalidInput(f"{source}: {odd.thing}", odd.required, odd.found)
    return _wide(steps), tuple(unused)


def _wide(steps: Sequence[Step]) -> tuple[Step, ...]:
    """With the numbers of a rescaling for every entry."""
    found: list[Step] = []
    for i, step in enumerate(steps):
        if isinstance(step, Scale) and len(step.scale) == 1:
            before = [one.W.shape[0] for one in steps[:i] if isinstance(one, Dense)]
            after = [one.W.shape[1] for one in steps[i:] if isinstance(one, Dense)]
            width = before[-1] if before else after[0] if after else 1
            step = Scale(step.label, np.full(width, step.scale[0]), np.full(width, step.shift[0]))
        found.append(step)
    return tuple(found)


def _ways(source: str, model: dict[str, Any], held: Saved | Legacy, choice: Selection) -> str:
    """The options that read a part: from the first layer that leads to the end, or up to the last one."""
    def described(part: Selection) -> str:
        try:
            steps, _ = _followed(source, model, held, part)
        except Exception:  # as above
            return ""
        layers = [step for step in steps if isinstance(step, Dense)]
        widths = [layers[0].W.shape[1], *(one.W.shape[0] for one in layers)] if layers else []
        return f"{choice.beside(*needs(steps))} ({'-'.join(map(str, widths))})" if layers else ""

    if model["class_name"] not in ("Sequential", "Functional", "Model"):
        return ""
    names = [name for name in map(name_of, every_layer(model)) if name.isprintable()][:_TRIES]
    found = []
    if choice.begin is None:
        tried = ((name, described(replace(choice, begin=name))) for name in names)
        found += [f"--from {in_quotes(name)}{rest}" for name, rest in tried if rest][:1]
    if choice.end is None:
        tried = ((name, described(replace(choice, end=name))) for name in reversed(names))
        found += [f"--to {in_quotes(name)}{rest}" for name, rest in tried if rest][:1]
    taken = f"take a part with {' or '.join(found)}" if found else "wc.ReLUNetwork([K1.T, ...]) takes kernels"
    return f"; {taken}"


def _evaluated(_: np.ndarray, inner: bool) -> np.ndarray:
    raise InvalidInput("forward check", "an evaluator", "nothing here evaluates models of Keras")


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


def _steps(source: str, placed: Placed, held: Saved | Legacy) -> list[Step]:
    """What a layer does."""
    layer, label = placed.layer, placed.label
    sort, config = layer["class_name"], layer["config"]
    if layer.get("registered_name") or not str(layer.get("module") or "keras").startswith("keras"):
        raise InvalidInput(f"{source}: {label}", "a layer of Keras itself", "a custom one")
    if sort in _NEUTRAL:
        return []
    if sort == "Reshape":
        return [Relabel(label)]
    if sort == "Activation":
        return _activation(label, config["activation"])
    if sort == "Rescaling":
        scale, shift = (np.ravel(np.asarray(config[one], np.float64)) for one in ("scale", "offset"))
        if scale.size != 1 or shift.size != 1:
            raise InvalidInput(f"{source}: {label}", "one scale and one offset", "several")
        return [Scale(label, scale, shift)]
    if sort in _ACTIVATIONS:
        return [Activation(label, _kind_of(sort, config))]
    if sort not in _PARTS:
        raise InvalidInput(f"{source}: {label}", "Dense, BatchNormalization, ReLU, Activation, Rescaling, "
                           "Dropout or Flatten", f"{shown(sort)}, {_word(str(sort))}")
    parts = tuple(part for part in _PARTS[sort] if config.get(_SWITCHES.get(part, ""), True))
    found = dict(zip(parts, held.fetch(placed, parts), strict=True))
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


def _activation(label: str, given: Any) -> list[Step]:
    """The activation of a layer: a name, or a layer of its own."""
    if given in ("linear", None):
        return []
    if isinstance(given, dict) and given.get("class_name") in _ACTIVATIONS and not given.get(
            "registered_name"):
        return [Activation(label, _kind_of(given["class_name"], given["config"]))]
    return [Activation(label, word(given))]


def _kind_of(sort: str, config: dict[str, Any]) -> str:
    """"relu" where an activation is one, whatever it is called; else its name."""
    if sort == "ReLU":
        odd = {key: value for key, value in config.items()
               if (key == "max_value" and value is not None)
               or (key in ("negative_slope", "alpha", "threshold") and value)}
        return f"ReLU with {shown(odd)}" if odd else "relu"
    slope = {"LeakyReLU": ("negative_slope", "alpha"), "ELU": ("alpha",), "ThresholdedReLU": ("theta",)}
    given = [config[key] for key in slope.get(sort, ()) if key in config]
    return "relu" if given and all(one == 0 and type(one) in (int, float) for one in given) else sort


def _word(sort: str) -> str:
    words = {"Conv": "a convolution", "Pool": "pooling", "Normalization": "another normalization",
             "Add": "a skip connection", "Concatenate": "a skip connection"}
    return next((words[part] for part in words if part in sort), "which the theory does not cover")
