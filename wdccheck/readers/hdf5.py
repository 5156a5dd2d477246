"""Datasets of an HDF5 file: nothing outside the file is opened, nothing large is allocated unasked."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.readers.source import Room, one_line, shown

__all__ = ["array", "attribute", "descend", "opened"]

_FILTERS = {1, 2, 3}  # deflate, shuffle, checksum: those of HDF5 itself
_ATTRIBUTE = 2**22  # bytes


def opened(source: str, stream: io.RawIOBase | io.BytesIO) -> Any:
    """An open ``h5py.File``.

    Raises
    ------
    InvalidInput
        h5py is not installed, or the bytes are no HDF5 file.
    """
    try:
        import h5py
    except ImportError:
        raise InvalidInput(source, "h5py (pip install 'wdccheck[weights]')", "no such package") from None
    try:
        return h5py.File(stream, "r")
    except Exception as error:
        raise InvalidInput(source, "an HDF5 file", one_line(error)) from None


def descend(thing: str, group: Any, path: str) -> Any:
    """What lies at `path` under `group`, through groups of the same file only.

    Raises
    ------
    InvalidInput
        There is nothing, or a link to something else.
    """
    import h5py

    found = group
    for part in path.split("/"):
        link = found.get(part, getlink=True) if part and isinstance(found, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise InvalidInput(thing, f"{shown(path)} in the file", "nothing, or a link")
        found = found[part]
    return found


def attribute(thing: str, holder: Any, name: str) -> Any:
    """An attribute of moderate size, or None."""
    if name not in holder.attrs:
        return None
    size = holder.attrs.get_id(name).get_storage_size()
    if size > _ATTRIBUTE:
        raise InvalidInput(thing, f"an attribute {name} of at most {_ATTRIBUTE} bytes", f"{size} bytes")
    return holder.attrs[name]


def array(thing: str, group: Any, path: str, room: Room) -> np.ndarray:
    """The dataset at `path`, if it is one of real numbers for which there is room.

    Raises
    ------
    InvalidInput
        It is none.
    """
    import h5py

    found = descend(thing, group, path)
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise InvalidInput(thing, "a dataset", type(found).__name__)
    if found.dtype.kind not in "fiu":
        raise InvalidInput(thing, "an array of real numbers", f"dtype {found.dtype}"[:80])
    if found.external or found.is_virtual:
        raise InvalidInput(thing, "entries in the file itself", "external data")
    room.take(thing, found.shape, found.dtype.itemsize)
    if found.chunks is not None:
        filters = found.id.get_create_plist()
        used = {filters.get_filter(i)[0] for i in range(filters.get_nfilters())}
        if not used <= _FILTERS:
            raise InvalidInput(thing, "no compression but deflate", f"filters {sorted(used)}"[:80])
        if math.prod(found.chunks) * found.dtype.itemsize > room.left:
            raise InvalidInput(thing, "chunks of moderate size", f"chunks of shape {shown(found.chunks)}")
    return np.asarray(found[()])
