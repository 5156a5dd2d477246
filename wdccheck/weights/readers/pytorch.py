"""``.pt``, ``.pth``: the zip files of PyTorch >= 1.6, without PyTorch and without unpickling."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.source import Bounded, Room, decoded, kind, shown
from wdccheck.weights.readers.unpickler import Global, plain_data

__all__ = ["read_torch"]

_STORAGES = {"Double": ("f8", 8), "Float": ("f4", 4), "Half": ("f2", 2), "BFloat16": ("bf16", 2),
             "Long": ("i8", 8), "Int": ("i4", 4), "Short": ("i2", 2), "Char": ("i1", 1), "Byte": ("u1", 1),
             "Bool": ("?", 1)}
_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "generator", "decoder", "weights")
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


def read_torch(source: str, stream: Bounded) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of the one that a checkpoint holds, in the order of the file."""
    magic = stream.read(8)
    if not magic.startswith(b"PK"):
        raise InvalidInput(source, "the zip archive that torch.save of PyTorch >= 1.6 writes", kind(magic))
    archive = Archive(source, stream, lambda name: f"{source}: member {shown(name)}", "member")
    pickles = [name for name in archive.names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise InvalidInput(source, "one data.pkl in the archive", f"{len(pickles)}")
    top = pickles[0].removesuffix("data.pkl")
    order = ">" if top + "byteorder" in archive.names and archive.read(top + "byteorder") == b"big" else "<"
    data = plain_data(f"{source}: member {shown(pickles[0])}", archive.read(pickles[0]), _understood,
                      _reduced, _stored)
    prefix, state = _state_dict(source, data)
    room = Room()
    found: dict[str, np.ndarray] = {}
    load = functools.cache(functools.partial(_block, source, archive, top, order))
    for name, value in state.items():
        thing = f"{source}: array {shown(prefix + str(name))}"
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise InvalidInput(thing, "a name and a tensor", shown(value))
        found[name] = _strided(thing, value, load, room)
    return found


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


def _state_dict(source: str, data: Any) -> tuple[str, dict[Any, Any]]:
    """The dictionary of tensors, and the key of the checkpoint that leads to it."""
    if isinstance(data, dict) and any(isinstance(value, _Tensor) for value in data.values()):
        return "", data
    held = [key for key in _KEYS if isinstance(data, dict) and isinstance(data.get(key), dict)
            and any(isinstance(value, _Tensor) for value in data[key].values())]
    if len(held) != 1:
        keys = ", ".join(map(shown, list(data)[:8])) if isinstance(data, dict) else type(data).__name__
        raise InvalidInput(source, f"a state dict, or one under one of {', '.join(_KEYS)}",
                           f"{', '.join(held)}" if held else keys or "an empty dictionary")
    return f"{held[0]}: ", data[held[0]]


def _block(source: str, archive: Archive, top: str, order: str, storage: _Storage) -> np.ndarray:
    if storage.code not in _STORAGES:
        raise InvalidInput(source, f"storages of {', '.join(_STORAGES)}", shown(storage.code))
    code, itemsize = _STORAGES[storage.code]
    name = f"{top}data/{storage.key}"
    data = archive.read(name)
    if len(data) != itemsize * storage.count:
        raise InvalidInput(f"{source}: member {shown(name)}",
                           f"{shown(itemsize * storage.count)} bytes for {shown(storage.count)} entries of "
                           f"{storage.code}", f"{len(data)} bytes")
    return decoded(data, code, order)


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
