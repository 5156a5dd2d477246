"""The layers of a Keras model in their order, those of models within it included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.keras.stored import Placed, name_of
from wdccheck.weights.readers.selection import Selection, listed
from wdccheck.weights.readers.source import shown

__all__ = ["every_layer", "ordered"]

_MODELS = ("Sequential", "Functional", "Model")
_DEPTH = 16  # models within models


def every_layer(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The configurations of the layers of a model; before Keras 2.2.3 that of a Sequential was a list."""
    config = model["config"]
    return list(config if isinstance(config, list) else config["layers"])


def ordered(source: str, model: dict[str, Any], choice: Selection, within: tuple[Placed, ...] = (),
            ) -> tuple[list[Placed], list[str]]:
    """The layers of a model that is one path, or of the part that was chosen, and the names of others.

    Raises
    ------
    InvalidInput
        It is no one path, or a layer that was chosen is not in it.
    """
    if len(within) > _DEPTH:
        raise InvalidInput(source, f"at most {_DEPTH} models within one another", "more")
    if model["class_name"] not in _MODELS:
        raise InvalidInput(source, "a Sequential or functional model (model.decoder.save('decoder.keras') "
                           "saves a part of a class of its own)", shown(model["class_name"]))
    every = every_layer(model)
    names = [name_of(one) for one in every]
    if len(set(names)) < len(names):
        raise InvalidInput(source, "every layer name once", "one twice")
    (begin, first), (end, last) = (_parted(source, option, name, names) for option, name in (
        ("--from", choice.begin), ("--to", choice.end)))
    own = replace(choice, begin=begin, end=end)
    chosen = (_sequential(names, own) if model["class_name"] == "Sequential"
              else _functional(source, model, names, own))
    found: list[Placed] = []
    unused = [_path(within, name) for name in names if name not in chosen]
    for name in chosen:
        layer = every[names.index(name)]
        placed = Placed(layer, within, every)
        if layer["class_name"] not in _MODELS:
            found.append(placed)
            continue
        inner = replace(choice, begin=first if name == begin else None, end=last if name == end else None)
        inside, others = ordered(source, layer, inner, (*within, placed))
        found += inside
        unused += others
    return found, unused


def _parted(source: str, option: str, name: str | None, names: list[str]) -> tuple[str | None, str | None]:
    """A layer of this model, and one within it."""
    if name is None or name in names:
        return name, None
    outer, _, inner = name.partition("/")
    if outer not in names or not inner:
        raise InvalidInput(f"{source}: {option} {shown(name)}", "a layer of the model",
                           f"none such; there are {listed(map(shown, names))}")
    return outer, inner


def _path(within: tuple[Placed, ...], name: str) -> str:
    return shown("/".join([*(name_of(one.layer) for one in within), name]))


def _sequential(names: list[str], choice: Selection) -> list[str]:
    begin = 0 if choice.begin is None else names.index(choice.begin)
    end = len(names) if choice.end is None else names.index(choice.end) + 1
    return names[begin:end]


def _functional(source: str, model: dict[str, Any], names: list[str], choice: Selection) -> list[str]:
    before = {name: _called(layer["inbound_nodes"])
              for name, layer in zip(names, every_layer(model), strict=True)}
    out = _called(model["config"]["output_layers"])
    if choice.begin or choice.end:
        names, out = _between(source, names, before, choice, out)
    for name in names:
        if len(before[name]) > 1 and name != choice.begin:
            raise InvalidInput(f"{source}: layer {shown(name)}", "one input, without skip connections",
                               f"{len(before[name])}: {', '.join(map(shown, before[name]))}"[:120])
    before = {name: [one for one in before[name] if one in names] for name in names}
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
    return path


def _between(
    source: str, names: list[str], before: dict[str, list[str]], choice: Selection, out: list[str],
) -> tuple[list[str], list[str]]:
    """The layers on paths from one to another, both included, and the last."""
    after = {choice.begin} if choice.begin else set(names)
    for _ in names if choice.begin else ():
        after |= {name for name in names if after & set(before[name])}
    into = {choice.end} if choice.end else set(out)
    for _ in names:
        into |= {one for name in into if name is not None for one in before.get(name, [])}
    found = [name for name in names if name in after and name in into]
    if not found:
        raise InvalidInput(source, "a path of layers between --from and --to", "none")
    return found, [choice.end] if choice.end else [name for name in out if name in after]


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
