"""The dictionaries and lists of tensors in a checkpoint, and layers that are spread over several."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.roles import role, says_role
from wdccheck.weights.readers.source import shown
from wdccheck.weights.readers.tensors import Tensor

__all__ = ["Container", "containers"]

_DEEPEST, _MOST = 1000, 4096  # characters of a key; dictionaries and lists of a checkpoint


@dataclass(frozen=True)
class Container:
    """A dictionary or list that holds tensors.

    Attributes
    ----------
    key : str
        Where it is: names of dictionaries with dots between, empty at the top.
    tensors : dict of str to Tensor
        By name; entries of a list by number, a vector right after a matrix of as many rows as its bias.
    rest : tuple of str
        Names of what else stands in it.
    parent, name : str
        The key of what it stands in, and its name there.
    is_list : bool
        Whether it is a list or tuple.
    inside : bool
        Whether another one, joined of several, has its tensors, too.
    """

    key: str
    tensors: dict[str, Tensor]
    rest: tuple[str, ...] = ()
    parent: str = ""
    name: str = ""
    is_list: bool = False
    inside: bool = False

    @property
    def matrices(self) -> list[Tensor]:
        """Those that may be layers."""
        return [one for one in self.tensors.values() if one.may_be_a_matrix]

    @property
    def loose(self) -> bool:
        """Whether nothing suggests that these are layers: no name of one, no matrix that follows another."""
        shapes = [one.shape for one in self.matrices]
        return not any(map(says_role, self.tensors)) and not any(
            before[:1] == after[1:] for before, after in pairwise(shapes))


def containers(source: str, data: Any) -> list[Container]:
    """All of them from the top down, but for the state of an optimizer.

    Raises
    ------
    InvalidInput
        There are too many, or a name is there twice.
    """
    found: list[Container] = []
    waiting: deque[tuple[str, str, str, Any]] = deque([("", "", "", data)])
    seen: set[int] = set()
    while waiting:
        key, parent, own, value = waiting.popleft()
        if id(value) in seen or (isinstance(value, dict) and {"state", "param_groups"} <= value.keys()):
            continue
        seen.add(id(value))
        if len(key) > _DEEPEST or len(seen) > _MOST:
            raise InvalidInput(source, f"at most {_MOST} dictionaries and lists, not deep in each other",
                               "more")
        items = _items(value)
        if any(len(name) > _DEEPEST for name, _ in items):  # many keys of one long name would take gigabytes
            raise InvalidInput(source, f"names of at most {_DEEPEST} characters", "a longer one")
        tensors = {name: one for name, one in items if isinstance(one, Tensor)}
        if len(tensors) < sum(isinstance(one, Tensor) for _, one in items):
            raise InvalidInput(source, "every name once", f"one of {shown(list(tensors))} twice")
        if tensors:
            rest = tuple(name for name, one in items if not isinstance(one, Tensor | dict | list | tuple))
            found.append(Container(key, tensors, rest, parent, own, not isinstance(value, dict)))
        waiting += [(f"{key}.{name}" if key else name, key, name, one) for name, one in items
                    if isinstance(one, dict | list | tuple) and one]
    return _joined(found)


def _items(value: Any) -> list[tuple[str, Any]]:
    """What a dictionary or a list holds, by name."""
    if isinstance(value, dict):
        return [(name if isinstance(name, str) else shown(name), one) for name, one in value.items()]
    if not isinstance(value, list | tuple):
        return []
    names = list(map(str, range(len(value))))
    for i in range(1, len(value)):
        if _is_bias(value[i], value[i - 1]):
            names[i - 1], names[i] = f"{i - 1}.weight", f"{i - 1}.bias"
    return list(zip(names, value, strict=True))


def _is_bias(vector: Any, matrix: Any) -> bool:
    return (isinstance(matrix, Tensor) and isinstance(vector, Tensor) and len(matrix.shape) == 2
            and vector.shape == matrix.shape[:1])


def _joined(found: Sequence[Container]) -> list[Container]:
    """Before layers of one network that are containers of their own, one container of them all."""
    families: dict[str, list[Container]] = {}
    for one in found:
        if one.key:
            families.setdefault(one.parent, []).append(one)
    whole = {parent: tensors for parent, family in families.items()
             if (tensors := _layers(family) or _weights_and_biases(family))}
    return ([Container(parent, tensors) for parent, tensors in whole.items()]
            + [replace(one, inside=bool(one.key) and one.parent in whole) for one in found])


def _layers(family: Sequence[Container]) -> dict[str, Tensor]:
    """{"fc1": {"weight": W, "bias": b}, ...} or [(W, b), ...] as one state dict."""
    def plain(one: Container, name: str) -> str:
        return name.removeprefix("0.") if one.is_list else name

    if len(family) < 2 or not all(
            len(one.matrices) == 1 and all(says_role(plain(one, name)) and not role(plain(one, name))[0]
                                           for name in one.tensors) for one in family):
        return {}
    return {f"{one.name}.{plain(one, name)}": tensor
            for one in family for name, tensor in one.tensors.items()}


def _weights_and_biases(family: Sequence[Container]) -> dict[str, Tensor]:
    """{"weights": [W1, ...], "biases": [b1, ...]} as one state dict."""
    if len(family) != 2 or not all(one.is_list for one in family):
        return {}
    first, second = sorted(family, key=lambda one: not one.matrices)
    pairs = list(zip(first.tensors.values(), second.tensors.values(), strict=False))
    if len(first.tensors) != len(second.tensors) or not all(_is_bias(b, W) for W, b in pairs):
        return {}
    return {f"{i}.{what}": one for i, (W, b) in enumerate(pairs)
            for what, one in (("weight", W), ("bias", b))}
