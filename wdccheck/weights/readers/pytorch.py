"""What torch.save writes, without PyTorch and without unpickling: zip files, and those before 1.6."""

from __future__ import annotations

import functools
import io
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.containers import Container, containers
from wdccheck.weights.readers.selection import Arrays, listed
from wdccheck.weights.readers.source import Bounded, Room, kind, shown
from wdccheck.weights.readers.tensors import Storage, Tensor, reduced, stored, strided, understood
from wdccheck.weights.readers.unpickler import PICKLE, Inert, plain_data

__all__ = ["LEGACY", "Held", "read_torch"]

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save of PyTorch before 1.6 begins."""

_VERSION = 1001  # of the format before 1.6

Load = Callable[[Storage], np.ndarray]


@dataclass(frozen=True)
class Held:
    """A dictionary or list of a checkpoint that holds tensors, and where it is.

    Attributes
    ----------
    arrays : Arrays
        Its tensors, which are read while the file is open; ``arrays.key`` says where it is.
    has_matrices : bool
        Whether one of them may be a layer.
    entries : int
        Numbers that they claim to have together.
    inside : bool
        Whether another one has its tensors, too.
    loose : bool
        Whether nothing suggests that they are layers.
    """

    arrays: Arrays
    has_matrices: bool
    entries: int
    inside: bool
    loose: bool

    @property
    def key(self) -> str:
        """Names of dictionaries with dots between; empty at the top."""
        return self.arrays.key

    def __str__(self) -> str:
        names = listed((shown(name) for name in self.arrays.entries), 2)
        return f"{shown(self.key)} ({names})" if self.key else f"'' (the top: {names})"


def read_torch(source: str, stream: Bounded, size: int) -> list[Held]:
    """The dictionaries and lists of tensors in a file, from the top down, in its order; at least one.

    Raises
    ------
    InvalidInput
        The file is malformed, holds what is not understood, or no tensors.
    """
    magic = stream.read(len(LEGACY))
    stream.seek(0)
    if magic.startswith(b"PK"):
        data, load = _zipped(source, stream)
    elif magic == LEGACY:
        data, load = _legacy(source, stream, size)
    else:
        raise InvalidInput(source, "what torch.save writes", kind(magic))
    held = containers(source, {"": data} if isinstance(data, Tensor) else data)
    if not held:
        raise InvalidInput(source, "a tensor, a state dict, or a checkpoint that holds one", _told(data))
    return [_held(source, one, load) for one in held]


def _zipped(source: str, stream: Bounded) -> tuple[Any, Load]:
    """The data of the zip file, and what reads a storage."""
    archive = Archive(source, stream, lambda name: f"{source}: member {shown(name)}", "member")
    pickles = [name for name in archive.names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise InvalidInput(source, "one data.pkl in the archive, as torch.save writes it", f"{len(pickles)}")
    top = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(f"{top}code/") for name in archive.names):
        raise InvalidInput(source, "a state dict or a tensor", "a TorchScript program (if you trust it: "
                           "torch.save(torch.jit.load(FILE).state_dict(), 'net.pt'))")
    written = archive.read(top + "byteorder", 16) if top + "byteorder" in archive.names else b""
    order = ">" if written == b"big" else "<"

    def load(storage: Storage) -> np.ndarray:
        name, size = f"{top}data/{storage.key}", storage.itemsize * storage.count
        if name in archive.names and archive.size(name) != size:
            raise InvalidInput(f"{source}: member {shown(name)}", f"{shown(size)} bytes for "
                               f"{shown(storage.count)} entries of {storage.code}",
                               f"{archive.size(name)} bytes")
        return storage.decoded(archive.read(name), order)

    thing = f"{source}: member {shown(pickles[0])}"
    data = plain_data(thing, archive.read(pickles[0], PICKLE), understood, reduced, stored)
    return data, functools.cache(load)


def _legacy(source: str, stream: Bounded, size: int) -> tuple[Any, Load]:
    """The data of a file before 1.6: pickles of what wrote it, of the data and of keys; then the storages."""
    seen: dict[str, Storage] = {}

    def noted(identity: Any) -> Storage:
        storage = stored(identity)
        if seen.setdefault(storage.key, storage) != storage:
            raise ValueError("two storages of one key")
        return storage

    head = io.BytesIO(stream.read(min(size, PICKLE)))
    parts = [plain_data(source, head, understood, reduced, noted) for _ in range(5)]
    _, version, made_by, data, keys = parts
    if version != _VERSION or not isinstance(made_by, dict) or made_by.get("little_endian") is not True:
        raise InvalidInput(source, "what torch.save wrote on a little-endian machine", "another header")
    at, begins = head.tell(), dict[str, int]()
    for key in keys if isinstance(keys, list) else ():
        stream.seek(min(at, size))
        if key not in seen or stream.read(8) != struct.pack("<q", seen[key].count):
            raise InvalidInput(source, "the storages that its tensors name", f"another one, {shown(key)}")
        begins[key] = at + 8
        at += 8 + seen[key].count * seen[key].itemsize
    if at != size or begins.keys() != seen.keys():
        raise InvalidInput(source, f"{at} bytes for its {len(begins)} storages", f"{size} bytes")

    def load(storage: Storage) -> np.ndarray:
        stream.seek(begins[storage.key])
        return storage.decoded(stream.read(storage.count * storage.itemsize), "<")

    return data, functools.cache(load)


def _held(source: str, one: Container, load: Load) -> Held:
    room = Room()

    def read(name: str) -> np.ndarray:
        thing = f"{source}: array {shown(f'{one.key}: ' * bool(one.key) + name)}"
        return strided(thing, one.tensors[name], load, room)

    arrays = Arrays(source, {name: functools.partial(read, name) for name in one.tensors}, key=one.key,
                    elsewhere=tuple(f"{shown(name)}, no tensor" for name in one.rest))
    entries = sum(math.prod(tensor.shape) for tensor in one.tensors.values())
    return Held(arrays, bool(one.matrices), entries, one.inside, one.loose)


def _told(data: Any) -> str:
    """What the data of a file without tensors are, in words."""
    if isinstance(data, dict) and {"state", "param_groups"} <= data.keys():
        return "the state of an optimizer: torch.save(model.state_dict(), 'net.pt') writes that of the model"
    if isinstance(data, dict):
        inner = [one for one in data.values() if isinstance(one, Inert) and one.name.startswith("numpy.")]
        hint = ("; NumPy arrays among them: np.savez('net.npz', W1=..., W2=...) writes them"
                if inner else "")
        return f"a dictionary without tensors: {listed(map(shown, data))}{hint}"
    if isinstance(data, list | tuple):
        return f"a {type(data).__name__} without tensors"
    return f"a value of the kind {shown(data.name)}" if isinstance(data, Inert) else shown(data)
