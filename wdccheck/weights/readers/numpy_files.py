"""``.npy`` and ``.npz``: arrays by name. Nothing is unpickled."""

from __future__ import annotations

import functools
import io
import math
import warnings
from typing import IO

import numpy as np
from numpy.lib import format as npy

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.selection import Arrays
from wdccheck.weights.readers.source import Bounded, Room, kind, one_line, shown

__all__ = ["read_npy", "read_npz"]

_HEADER = 4096  # bytes; the header of a matrix takes 128


def read_npy(source: str, stream: Bounded, size: int) -> Arrays:
    """The one array of a ``.npy`` file, under the empty name."""
    magic = stream.read(len(npy.MAGIC_PREFIX))
    if magic != npy.MAGIC_PREFIX:
        raise InvalidInput(source, "an array in .npy format", kind(magic))
    stream.seek(0)
    return Arrays.read(source, {"": _array(source, stream, size, Room())})


def read_npz(source: str, stream: Bounded, size: int) -> Arrays:
    """The arrays of a ``.npz`` file; they are read while the stream is open."""
    magic = stream.read(min(size, len(npy.MAGIC_PREFIX)))
    if not magic.startswith(b"PK"):
        raise InvalidInput(source, "a zip archive of .npy arrays", kind(magic))

    def thing(name: str) -> str:
        return f"{source}: array {shown(name.removesuffix('.npy'))}"

    archive = Archive(source, stream, thing, "array")
    for name in archive.names:
        if not name.endswith(".npy"):
            raise InvalidInput(source, "members named *.npy", shown(name))
    if {"format.npy", "indptr.npy", "indices.npy"} <= set(archive.names):
        raise InvalidInput(source, "dense arrays", "a sparse matrix of scipy.sparse.save_npz; in Python, "
                           "wc.WDC(scipy.sparse.load_npz(...)) takes it")
    room = Room()

    def read(name: str) -> np.ndarray:
        return archive.use(name, lambda entry, size: _array(thing(name), entry, size, room))

    return Arrays(source, {name.removesuffix(".npy"): functools.partial(read, name)
                           for name in archive.names})


def _array(thing: str, stream: IO[bytes], size: int, room: Room) -> np.ndarray:
    """The array of a stream of `size` bytes, if there is room for it."""
    head = stream.read(_HEADER)
    shape, fortran, dtype, offset = _header(thing, head)
    if dtype.kind not in "fiuc":  # complex ones are refused later, unless asked for
        nested = "" if dtype.kind != "O" else (
            "; np.savez('net.npz', **flax.traverse_util.flatten_dict(params, sep='/')) writes nested ones")
        raise InvalidInput(thing, "an array of real numbers", f"dtype {dtype.name}{nested}")
    if min(shape, default=1) < 1:
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {shown(shape)}")
    room.take(thing, shape, dtype.itemsize)
    count = math.prod(shape)
    if dtype.itemsize * count != size - offset:
        raise InvalidInput(thing, f"{dtype.itemsize * count} bytes of data for shape {shape} of {dtype.name}",
                           f"{size - offset} bytes")
    data = head[offset:] + stream.read(max(0, size - len(head)))
    if len(data) != dtype.itemsize * count:
        raise InvalidInput(thing, f"{dtype.itemsize * count} bytes of data", f"{len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(thing: str, head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    stream = io.BytesIO(head)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header written by Python 2, odd escapes
            version = npy.read_magic(stream)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"version {version}")
            # 3.0 differs from 2.0 only in names of fields, and arrays with fields are refused
            parse = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = parse(stream, max_header_size=_HEADER)
    except Exception as error:  # numpy evaluates a literal: it may raise nearly anything
        raise InvalidInput(thing, "a header of the .npy format", one_line(error)) from None
    return shape, fortran, dtype, stream.tell()
