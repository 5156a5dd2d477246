"""Where the weights of a layer lie in a Keras file, of a layer within a model within the model, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.hdf5 import Tree
from wdccheck.weights.readers.source import shown, word

__all__ = ["Legacy", "Placed", "Saved", "name_of"]


def name_of(layer: dict[str, Any]) -> str:
    """The name of a layer; models of Keras before 2.2.3 have none in their configuration."""
    config = layer["config"]
    return str(config["name"] if isinstance(config, dict) else layer.get("name", ""))


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer and where it stands.

    Attributes
    ----------
    layer : dict
        Its configuration.
    within : tuple of Placed
        The models around it but for the outermost, outer ones first.
    every : sequence of dict
        All layers of the model that it is in.
    """

    layer: dict[str, Any]
    within: tuple[Placed, ...]
    every: Sequence[dict[str, Any]]

    @property
    def name(self) -> str:
        """With those of the models around it."""
        return "/".join([*(name_of(one.layer) for one in self.within), name_of(self.layer)])

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{word(self.layer['class_name'])} {shown(self.name)}"


class Saved:
    """The weights of a ``.keras`` archive: numbered within groups that name their layer."""

    def __init__(self, source: str, tree: Tree) -> None:
        self.source, self.tree = source, tree
        self.groups: dict[tuple[str, str], str] = {}  # a group of layers and the name of one to its group
        for path, found in tree.attributes.items():
            group, _, last = path.rpartition("/")
            if last != "vars" or "name" not in found:
                continue
            inside = group.rpartition("/")[0]
            if self.groups.setdefault((inside, found["name"]), group) != group:
                raise InvalidInput(source, "one group per layer", f"two of {shown(found['name'])}")

    def fetch(self, placed: Placed, parts: tuple[str, ...]) -> list[np.ndarray]:
        """The arrays of a layer."""
        group = ""
        for one in (*placed.within, placed):
            group = self._group(f"{group}/layers" if group else "", one)
        thing = f"{self.source}: {placed.label}"
        held = [path for path in self.tree.arrays if path.startswith(f"{group}/vars/")]
        if group and len(held) != len(parts):
            raise InvalidInput(thing, f"the arrays {', '.join(parts)}", f"{len(held)} arrays")
        return [self.tree.array(f"{thing}, {part}", f"{group}/vars/{i}") for i, part in enumerate(parts)]

    def _group(self, inside: str, placed: Placed) -> str:
        """That of a layer; Keras 3.0 names them by class, and later ones those of models, too."""
        named = self.groups.get((inside, name_of(placed.layer)))
        if named is not None:
            return named
        sort = placed.layer["class_name"]
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", sort).lower()
        number = [one["class_name"] for one in placed.every[:placed.every.index(placed.layer)]].count(sort)
        return f"{inside}/{snake}{f'_{number}' * (number > 0)}".lstrip("/")


def _scopes(layer: dict[str, Any], around: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The names of all layers in a layer that is a model, with those of the models around them."""
    config, scope = layer["config"], (*around, name_of(layer))
    inside = config if isinstance(config, list) else config.get("layers")
    return [scope] if inside is None else [found for one in inside for found in _scopes(one, scope)]


class Legacy:
    """The weights of one HDF5 file: groups by the names of the outermost layers, with the names of arrays."""

    def __init__(self, source: str, tree: Tree) -> None:
        self.source, self.tree = source, tree

    def fetch(self, placed: Placed, parts: tuple[str, ...]) -> list[np.ndarray]:
        """The arrays of a layer."""
        thing, name = f"{self.source}: {placed.label}", name_of(placed.layer)
        outer = name_of(placed.within[0].layer) if placed.within else name
        paths = self.tree.attributes.get(outer, {}).get("weight_names", [])
        if placed.within:  # those of all layers of a model stand together, with some of the names around
            scope = (*(name_of(one.layer) for one in placed.within), name)
            every = _scopes(placed.within[0].layer, ())
            alike = [sum(one[-depth:] == scope[-depth:] for one in every)
                     for depth in range(1, len(scope) + 1)]
            least = 1 + next((i for i, count in enumerate(alike) if count == 1), 0)
            for depth in range(least, len(scope) + 1):
                inside = [path for path in paths
                          if tuple(path.split("/")[:-1][-depth:]) == scope[-depth:]]
                if len({path.rpartition("/")[2] for path in inside}) == len(inside):
                    break
            paths = inside
        leaves = [path.rpartition("/")[2].partition(":")[0] for path in paths]
        found = dict(zip(leaves, paths, strict=True))
        if len(found) != len(leaves) or set(leaves) != set(parts):
            raise InvalidInput(thing, f"the arrays {', '.join(parts)}",
                               f"{', '.join(map(word, leaves))}"[:80] or "none")
        return [self.tree.array(f"{thing}, {part}", f"{outer}/{found[part]}") for part in parts]
