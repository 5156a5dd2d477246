"""``.pt``, ``.pth``: the zip files of PyTorch >= 1.6, without PyTorch and without unpickling."""

from __future__ import annotations

import functools
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.selection import Arrays, Selection, listed
from wdccheck.weights.readers.source import Bounded, Room, decoded, kind, shown
from wdccheck.weights.readers.unpickler import PICKLE, Global, plain_data

__all__ = ["read_torch"]

_STORAGES = {"Double": ("f8", 8), "Float": ("f4", 4), "Half": ("f2", 2), "BFloat16": ("bf16", 2),
             "Long": ("i8", 8), "Int": ("i4", 4), "Short": ("i2", 2), "Char": ("i1", 1), "Byte": ("u1", 1),
             "Bool": ("?", 1)}
_DEEPEST, _CONTAINERS = 1000, 4096  # characters of a key; dictionaries and lists of a checkpoint
_REBUILD = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"


@dataclass(frozen=True)
class _Storage:
    """One block of numbers of the archive."""

    key: str
    code: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; bounds are checked when it is read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Held:
    """A dictionary or list of a checkpoint that holds tensors, and where it is."""

    key: str
    tensors: dict[Any, _Tensor]
    rest: tuple[str, ...] = ()

    @property
    def has_matrices(self) -> bool:
        return any(len(tensor.shape) > 1 for tensor in self.tensors.values())

    def __str__(self) -> str:
        names = listed((shown(name) for name in self.tensors), 2)
        return f"{shown(self.key)} ({names})" if self.key else f"'' (the top: {names})"


def read_torch(source: str, stream: Bounded, choice: Selection) -> Arrays:
    """The tensors of a state dict, or of the one that a checkpoint holds, in the order of the file.

    They are read while the stream is open.
    """
    magic = stream.read(8)
    if not magic.startswith(b"PK"):
        raise InvalidInput(source, "the zip archive that torch.save of PyTorch >= 1.6 writes", kind(magic))
    archive = Archive(source, stream, lambda name: f"{source}: member {shown(name)}", "member")
    pickles = [name for name in archive.names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise InvalidInput(source, "one data.pkl in the archive", f"{len(pickles)}")
    top = pickles[0].removesuffix("data.pkl")
    written = archive.read(top + "byteorder", 16) if top + "byteorder" in archive.names else b""
    order = ">" if written == b"big" else "<"
    data = plain_data(f"{source}: member {shown(pickles[0])}", archive.read(pickles[0], PICKLE),
                      _understood, _reduced, _stored)
    if isinstance(data, _Tensor):
        data = {"": data}
    held = _held(source, data)
    one = _chosen(source, data, held, choice)
    room = Room()
    load = functools.cache(functools.partial(_block, source, archive, top, order))

    def read(name: str) -> np.ndarray:
        thing = f"{source}: array {shown(f'{one.key}: ' * bool(one.key) + name)}"
        return _strided(thing, one.tensors[name], load, room)

    for name in one.tensors:
        if not isinstance(name, str):
            raise InvalidInput(f"{source}: array {shown(name)}", "a name", type(name).__name__)
    others = [f"{listed(map(shown, other.tensors), 2)} of {shown(other.key) if other.key else 'the top'}"
              for other in held if other is not one]
    return Arrays(source, {name: functools.partial(read, name) for name in one.tensors}, key=one.key,
                  elsewhere=(*one.rest, *others))


def _understood(name: str) -> bool:
    storage = name.removeprefix("torch.").removesuffix("Storage")
    return (name in (_REBUILD, _PARAMETER, "collections.OrderedDict", "torch.Size")
            or (name == f"torch.{storage}Storage" and storage in _STORAGES))


def _reduced(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name == "torch.Size" and len(arguments) == 1 and isinstance(arguments[0], tuple):
        return arguments[0]
    if name == _PARAMETER and arguments and isinstance(arguments[0], _Tensor):
        return arguments[0]
    if name == _REBUILD and len(arguments) >= 4:
        storage, offset, shape, strides = arguments[:4]
        if any(arguments[6:]):  # requires_grad and hooks come before
            raise ValueError("a tensor with the negative or conjugate bit")
        numbers = [offset, *shape, *strides]
        if (isinstance(storage, _Storage) and len(shape) == len(strides) <= 8
                and all(type(n) is int and 0 <= n < 2**62 for n in numbers)):
            return _Tensor(storage, offset, tuple(shape), tuple(strides))
    raise ValueError(f"{name} of unexpected arguments")


def _stored(identity: Any) -> _Storage:
    word, sort, key, _, count = identity
    if not (word == "storage" and isinstance(sort, Global) and isinstance(key, str) and type(count) is int):
        raise ValueError("a persistent id that names no storage")
    return _Storage(key, sort.name.removeprefix("torch.").removesuffix("Storage"), count)


def _held(source: str, data: Any) -> list[_Held]:
    """Every dictionary or list in a checkpoint that holds tensors, but for the state of an optimizer."""
    found: list[_Held] = []
    waiting: deque[tuple[str, Any]] = deque([("", data)])
    seen: set[int] = set()
    while waiting:
        key, value = waiting.popleft()
        if id(value) in seen or (isinstance(value, dict) and {"state", "param_groups"} <= value.keys()):
            continue
        seen.add(id(value))
        items = (dict(value) if isinstance(value, dict)
                 else {str(i): one for i, one in enumerate(value)} if isinstance(value, list) else {})
        tensors = {name: one for name, one in items.items() if isinstance(one, _Tensor)}
        if tensors:
            rest = [name for name, one in items.items() if not isinstance(one, _Tensor | dict)]
            found.append(_Held(key, tensors, tuple(f"{shown(name)}, no tensor" for name in rest)))
        waiting += [(f"{key}.{name}" if key else str(name)[:200], one) for name, one in items.items()
                    if isinstance(one, dict | list) and one]
        if len(key) > _DEEPEST or len(seen) > _CONTAINERS:
            raise InvalidInput(source, f"at most {_CONTAINERS} dictionaries and lists, not deep in each "
                               "other", "more")
    return found


def _chosen(source: str, data: Any, held: list[_Held], choice: Selection) -> _Held:
    """The dictionary of tensors that is meant: the one of this key, or the only one that has matrices."""
    matrices = [one for one in held if one.has_matrices] or held
    if choice.key is not None:
        exact = [one for one in held if one.key == choice.key]
        found = exact or [one for one in matrices if one.key.startswith(f"{choice.key}.")]
        required = f"a key of a dictionary that holds tensors, and not {shown(choice.key)},"
    else:
        found = matrices
        if choice.arrays and len(found) > 1:  # the names may say which
            found = [one for one in matrices if choice.fits(one.tensors)]
        required = "one dictionary of tensors, or --key to choose one"
    if len(found) == 1:
        return found[0]
    if not held:
        keys = listed(map(shown, data)) if isinstance(data, dict) else type(data).__name__
        raise InvalidInput(source, "a state dict, or a checkpoint that holds one", keys)
    several = [one for one in found or matrices if one.has_matrices] or held
    left = f" and {len(several) - 4} more" if len(several) > 4 else ""
    raise InvalidInput(source, required, f"{len(several)}: " + " or ".join(
        f"--key {one}" for one in several[:4]) + left)


def _block(source: str, archive: Archive, top: str, order: str, storage: _Storage) -> np.ndarray:
    if storage.code not in _STORAGES:
        raise InvalidInput(source, f"storages of {', '.join(_STORAGES)}", shown(storage.code))
    code, itemsize = _STORAGES[storage.code]
    name = f"{top}data/{storage.key}"
    if name in archive.names and archive.size(name) != itemsize * storage.count:
        raise InvalidInput(f"{source}: member {shown(name)}",
                           f"{shown(itemsize * storage.count)} bytes for {shown(storage.count)} entries of "
                           f"{storage.code}", f"{archive.size(name)} bytes")
    return decoded(archive.read(name), code, order)


def _strided(thing: str, tensor: _Tensor, load: Any, room: Room) -> np.ndarray:
    """The entries of a tensor, if they lie within its storage and there is room for them."""
    room.take(thing, tensor.shape)
    block = load(tensor.storage)
    steps = [(n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
    if 0 not in tensor.shape and tensor.offset + sum(steps) >= len(block):
        raise InvalidInput(thing, f"entries within the {len(block)} of its storage",
                           f"shape {shown(tensor.shape)}, strides {shown(tensor.strides)}, offset "
                           f"{shown(tensor.offset)}")
    if 0 in tensor.shape:
        return np.zeros(tensor.shape)
    strides = [stride * block.itemsize if n > 1 else 0
               for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
    view = np.lib.stride_tricks.as_strided(block[tensor.offset:], tensor.shape, strides, writeable=False)
    return view.copy()
