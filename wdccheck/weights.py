"""Weight files to networks, or the reason why not. The files are untrusted: nothing is unpickled.

Every size is known, and small enough, before anything of that size is allocated.
"""

from __future__ import annotations

import io
import math
import os
import re
import stat
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from wdccheck import arrays
from wdccheck.errors import InvalidInput
from wdccheck.network import ReLUNetwork, check_chain

__all__ = ["LIMIT", "SUFFIXES", "read_matrix", "read_network"]

LIMIT = 2**30
"""Bytes: what a file, its arrays together, or these as float64 may occupy."""
SUFFIXES = (".npy", ".npz")
"""The files that can be read."""

_HEADER = 4096  # bytes; the header of a matrix takes 128
_DIRECTORY = 2**18  # bytes of a zip directory
_MEMBERS = 1024
_DEFLATE = 1032  # no deflated stream expands more than this


def read_network(path: str | os.PathLike[str]) -> ReLUNetwork:
    """Read the layers of a network.

    Parameters
    ----------
    path : path-like
        ``.npz``: one array W_i of shape (n_i, n_{i-1}) per layer, in natural order of their
        names (W2 before W10). ``.npy``: one layer.

    Raises
    ------
    InvalidInput
        The file is missing, malformed or too large, or an array is no layer; the message names
        the file and the array.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "net.npz")
    >>> np.savez(path, W1=np.ones((4, 2)), W2=np.ones((3, 4)))
    >>> read_network(path).dims
    (2, 4, 3)
    """
    layers = _read(path)
    check_chain(list(layers.values()), list(layers))
    return ReLUNetwork(tuple(layers.values()))


def read_matrix(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one matrix, read-only float64 of shape (n, k), from ``.npy`` or a one-array ``.npz``.

    Raises
    ------
    InvalidInput
        As for :func:`read_network`, or there are several arrays.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "A.npy")
    >>> np.save(path, np.eye(2, dtype=np.float32))
    >>> read_matrix(path).dtype
    dtype('float64')
    """
    found = _read(path)
    if len(found) > 1:
        raise InvalidInput(os.fspath(path), "one array", f"{len(found)}")
    return next(iter(found.values()))


def _read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The matrices of a file by the names messages give them, in order; at least one."""
    source = _regular_file(path)
    try:
        with _Bounded(source) as stream:
            magic = stream.read(len(npy.MAGIC_PREFIX))
            stream.seek(0)
            if source.suffix == ".npz":
                if not magic.startswith(b"PK"):
                    raise InvalidInput(str(source), "a zip archive of .npy arrays", _kind(magic))
                return dict(_archive(str(source), stream))
            if magic != npy.MAGIC_PREFIX:
                raise InvalidInput(str(source), "an array in .npy format", _kind(magic))
            return {str(source): _matrix(str(source), stream, source.stat().st_size, LIMIT)}
    except OSError as error:
        raise InvalidInput(str(source), "a readable file", error.strerror or str(error)) from None


def _regular_file(path: str | os.PathLike[str]) -> Path:
    try:
        source = Path(path)
        status = source.stat()
    except (OSError, TypeError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(str(path), "a readable file", found) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "something else"
        raise InvalidInput(str(source), "a regular file", kind)
    if source.suffix not in SUFFIXES:
        raise InvalidInput(str(source), f"a file named {' or '.join('*' + s for s in SUFFIXES)}",
                           f"the suffix {source.suffix!r}")
    if status.st_size > LIMIT:
        raise InvalidInput(str(source), f"at most {LIMIT} bytes", f"{status.st_size} bytes")
    return source


class _Bounded(io.FileIO):
    """A file that reads at most `largest` bytes at once: a zip directory's size is only a claim."""

    largest = LIMIT

    def read(self, size: int | None = -1) -> bytes:
        """As a file's; a read cut short makes the reader of the directory refuse it."""
        unlimited = size is None or size < 0
        return super().read(self.largest if unlimited else min(size or 0, self.largest)) or b""


def _archive(source: str, stream: _Bounded) -> Iterator[tuple[str, np.ndarray]]:
    stream.largest = _DIRECTORY
    try:
        archive = zipfile.ZipFile(stream)
    except Exception as error:  # zipfile promises no particular exception for malformed bytes
        raise InvalidInput(source, "a complete zip archive", _one_line(error)) from None
    with archive:
        stream.largest = LIMIT
        room = LIMIT
        for name, member in _members(source, archive.infolist()):
            try:
                with archive.open(member) as entry:
                    matrix = _matrix(name, entry, member.file_size, room)
            except InvalidInput:
                raise
            except Exception as error:  # as above, and zlib
                raise InvalidInput(name, "an undamaged member of the archive", _one_line(error)) from None
            room -= matrix.nbytes
            yield name, matrix


def _members(source: str, directory: list[zipfile.ZipInfo]) -> list[tuple[str, zipfile.ZipInfo]]:
    """The members in natural order of their names, their claimed sizes checked."""
    if not 0 < len(directory) <= _MEMBERS:
        raise InvalidInput(source, f"1 to {_MEMBERS} arrays", f"{len(directory) or 'none'}")
    total = sum(member.file_size for member in directory)
    if total > LIMIT:
        raise InvalidInput(source, f"arrays of at most {LIMIT} bytes together", f"{total} bytes")
    named: dict[str, zipfile.ZipInfo] = {}
    for member in directory:
        name = f"{source}: array {_shown(member.filename.removesuffix('.npy'))}"
        if not member.filename.endswith(".npy"):
            raise InvalidInput(source, "members named *.npy", _shown(member.filename))
        if member.filename in (other.filename for other in named.values()):
            raise InvalidInput(name, "one array of this name", "two")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise InvalidInput(name, "a stored or deflated array", "another compression, or encryption")
        if member.file_size > _DEFLATE * (member.compress_size + 1):
            raise InvalidInput(name, "a size that its compressed bytes can hold",
                               f"{member.file_size} bytes in {member.compress_size}")
        named[name] = member
    return sorted(named.items(), key=lambda item: _natural(item[1].filename.removesuffix(".npy")))


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """W2 before W10: digits compare as numbers of any length."""
    parts = re.split("([0-9]+)", name)
    keys = [(0, part) if i % 2 == 0 else (len(part.lstrip("0")), part.lstrip("0"))
            for i, part in enumerate(parts)]
    return keys, name


def _matrix(thing: str, stream: IO[bytes], size: int, room: int) -> np.ndarray:
    """The array of a stream of `size` bytes, if it is a matrix that takes `room` bytes at most."""
    head = stream.read(_HEADER)
    shape, fortran, dtype, offset = _header(thing, head)
    if dtype.kind not in "fiu":
        raise InvalidInput(thing, "an array of real numbers", f"dtype {dtype.name}")
    if len(shape) != 2 or min(shape) < 1:
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {_shown(shape)}")
    count = math.prod(shape)
    if 8 * count > room or dtype.itemsize * count > room:
        raise InvalidInput(thing, f"arrays of at most {LIMIT} bytes together as float64",
                           f"shape {_shown(shape)}")
    if dtype.itemsize * count != size - offset:
        raise InvalidInput(thing, f"{dtype.itemsize * count} bytes of data for shape {shape} of {dtype.name}",
                           f"{size - offset} bytes")
    data = head[offset:] + stream.read(max(0, size - len(head)))
    if len(data) != dtype.itemsize * count:
        raise InvalidInput(thing, f"{dtype.itemsize * count} bytes of data", f"{len(data)} bytes")
    flat = np.frombuffer(data, dtype)
    return arrays.weights(thing, flat.reshape(shape, order="F" if fortran else "C"))


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
        raise InvalidInput(thing, "a header of the .npy format", _one_line(error)) from None
    return shape, fortran, dtype, stream.tell()


def _kind(magic: bytes) -> str:
    if not magic:
        return "an empty file"
    if magic[0] == 0x80 and magic[1:2] and magic[1] <= 5:
        return "a pickle, which is never loaded"
    return f"a file that begins with {magic!r}"


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:100]


def _shown(value: object) -> str:
    return repr(value)[:60]
