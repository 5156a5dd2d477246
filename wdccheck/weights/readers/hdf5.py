"""An HDF5 file as plain dictionaries, read by a process of its own.

The HDF5 library never returns from some damaged files, and crashes on others. So h5py runs in a child
process with little memory and little time, and any end of the child is an answer. The child follows
links within the file only and opens nothing else.
"""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import Room, one_line, shown

__all__ = ["SECONDS", "Tree", "child", "read_tree"]

SECONDS = 60
"""What the child may take; a model of 1 GiB takes ten."""

_FILTERS = {1, 2, 3}  # deflate, shuffle, checksum: those of HDF5 itself
_ATTRIBUTES = ("model_config", "weight_names", "name")
_ATTRIBUTE = 2**22  # bytes
_OBJECTS = 10_000
# isolated, and the folders of the parent last: a json.py beside the weights must not be imported
_START = """import json, sys
sys.path += json.loads(sys.argv[1])
from wdccheck.weights.readers.hdf5 import child
child(sys.argv[2], int(sys.argv[3]))"""


@dataclass(frozen=True)
class Tree:
    """What was found under a group: arrays by path, why others are refused, attributes by path and name."""

    arrays: dict[str, np.ndarray]
    refused: dict[str, str]
    attributes: dict[str, dict[str, Any]]

    def array(self, thing: str, path: str) -> np.ndarray:
        """The array at `path`.

        Raises
        ------
        InvalidInput
            There is none.
        """
        if path not in self.arrays:
            raise InvalidInput(thing, f"an array of real numbers at {shown(path)}",
                               self.refused.get(path, "none"))
        return self.arrays[path]


def read_tree(source: str, data: bytes, top: str) -> Tree:
    """The groups and arrays under the group `top` of a file, and the attributes of the file itself.

    Raises
    ------
    InvalidInput
        h5py is not installed, or it cannot read the file within `SECONDS` of CPU time.
    """
    try:
        missing = find_spec("h5py") is None
    except ValueError:  # a module without a specification
        missing = True
    if missing:
        raise InvalidInput(source, "h5py (pip install 'wdccheck[weights]')", "no such package")
    if not data.startswith(b"\x89HDF"):
        raise InvalidInput(source, "an HDF5 file", f"one that begins with {data[:8]!r}")
    folders = json.dumps([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    command = [sys.executable, "-I", "-c", _START, folders, top, str(SECONDS)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=2 * SECONDS,
                              env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        if done.returncode:
            raise ValueError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                             or f"one that h5py cannot read in {SECONDS} s, status {done.returncode}")
        with np.load(io.BytesIO(done.stdout), allow_pickle=False) as found:
            said = json.loads(found["said"].tobytes())
            arrays = {path: found[str(i)] for i, path in enumerate(said["paths"])}
    except Exception as error:
        raise InvalidInput(source, "an undamaged HDF5 file", one_line(error)) from None
    return Tree(arrays, said["refused"], said["attributes"])


def _walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Groups and datasets that hard links lead to, by path."""
    import h5py

    yield path, group
    for name in group if isinstance(group, h5py.Group) else ():
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and path.count("/") < 32:
            yield from _walk(group[name], f"{path}/{name}".lstrip("/"))


def _attributes(found: Any) -> dict[str, Any]:
    kept = {}
    for name in _ATTRIBUTES:
        held = found.attrs.get_id(name) if name in found.attrs else None
        if held is not None and math.prod(held.shape or ()) * held.dtype.itemsize <= _ATTRIBUTE:
            value = found.attrs[name]
            kept[name] = ([_text(one) for one in value.ravel()[:_OBJECTS]] if isinstance(value, np.ndarray)
                          else _text(value))
    return kept


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refusal(found: Any, room: Room) -> str:
    """Why a dataset is not read; nothing if it is."""
    if found.shape is None or found.dtype.kind not in "fiu":
        return f"dtype {found.dtype}"[:80]
    if found.external or found.is_virtual:
        return "external data"
    if found.chunks is not None:
        properties = found.id.get_create_plist()
        used = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
        if not used <= _FILTERS:
            return f"compression by the filters {sorted(used)}"[:80]
        if math.prod(found.chunks) * found.dtype.itemsize > room.left:
            return f"chunks of shape {shown(found.chunks)}"
    try:
        room.take("", found.shape, found.dtype.itemsize)
    except InvalidInput as error:
        return f"{error.found}: too large"
    return ""


def child(top: str, seconds: int) -> None:
    """The child process: read a file from standard input, write what `Tree` holds to standard output."""
    try:
        _child(top, seconds)
    except Exception as error:
        sys.exit(one_line(error))


def _child(top: str, seconds: int) -> None:
    import h5py

    data = sys.stdin.buffer.read()
    _limit(seconds, 2**31 + 4 * len(data))
    arrays: dict[str, np.ndarray] = {}
    said: dict[str, Any] = {"paths": [], "refused": {}, "attributes": {}}
    room = Room()
    with h5py.File(io.BytesIO(data), "r") as file:
        said["attributes"][""] = _attributes(file)
        objects = _walk(file[top], "") if isinstance(file.get(top, getlink=True), h5py.HardLink) else ()
        for count, (path, found) in enumerate(objects):
            if count > _OBJECTS:
                raise ValueError(f"more than {_OBJECTS} groups and arrays")
            if not isinstance(found, h5py.Dataset):
                said["attributes"].setdefault(path, _attributes(found))
            elif reason := _refusal(found, room):
                said["refused"][path] = reason
            else:
                arrays[str(len(arrays))] = np.asarray(found[()])
                said["paths"].append(path)
    out = io.BytesIO()
    np.savez(out, said=np.frombuffer(json.dumps(said).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    sys.stdout.buffer.write(out.getbuffer())


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:  # not a Unix: the parent's clock remains
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
