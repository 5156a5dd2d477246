"""``.mat`` of version 5 (MATLAB's ``-v6`` and ``-v7``): full real matrices by name, also in cell arrays.

The format is read here rather than by scipy.io, which allocates what an element claims to hold.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers import source as limits
from wdccheck.weights.readers.selection import Arrays
from wdccheck.weights.readers.source import Bounded, Room, kind, shown

__all__ = ["read_mat"]

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix",
           16: "a function", 17: "an object"}
_CELL = 1
_CELLS = 2**27  # bytes of a cell array
_MATRIX, _COMPRESSED = 14, 15
_ELEMENTS = 1024
_HEAD = 4096  # bytes: flags, dimensions and name of an array take less than 300


def read_mat(source: str, stream: Bounded, size: int) -> Arrays:
    """The arrays of a file of `size` bytes, in its order, which MATLAB makes alphabetical."""
    head = stream.read(128)
    mark = head[124:128]
    if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise InvalidInput(source, "a .mat file of version 5, as save(..., '-v7') writes", "version 7.3")
    if not head.startswith(b"MATLAB") or mark not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise InvalidInput(source, "a .mat file of version 5, as save(..., '-v7') writes", kind(head[:8]))
    order = "<" if mark.endswith(b"IM") else ">"
    data = stream.read(size - 128)
    room = Room()
    found: dict[str, Callable[[], np.ndarray]] = {}
    for number, (code, body) in enumerate(_elements(source, data, order), 1):
        if number > _ELEMENTS:
            raise InvalidInput(source, f"at most {_ELEMENTS} arrays", "more")
        claim = _claim(source, code, body, order)
        for name, read in _matrices(source, claim, order, room):
            if name in found:
                raise InvalidInput(f"{source}: array {shown(name)}", "one array of this name", "two")
            found[name] = read
            if len(found) > _ELEMENTS:
                raise InvalidInput(source, f"at most {_ELEMENTS} arrays", "more")
    if not found:
        raise InvalidInput(source, "at least one array", "none")
    return Arrays(source, found, sorts=True)


def _elements(thing: str, data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of the elements side by side in `data`."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise InvalidInput(thing, "whole elements", f"{len(data) - at} bytes after the last")
        code, length = struct.unpack(f"{order}II", data[at:at + 8])
        if code >> 16:  # a small element: length and type share a word, the content follows in the next
            code, length, begin, until = code & 0xFFFF, code >> 16, at + 4, at + 8
            if length > 4:
                raise InvalidInput(thing, "at most 4 bytes in a small element", f"{length}")
        else:
            begin = at + 8
            until = begin + length + (0 if code == _COMPRESSED else -length % 8)
        if begin + length > len(data):
            raise InvalidInput(thing, f"an element of {length} bytes", f"{len(data) - begin} bytes")
        yield code, data[begin:begin + length]
        at = until


@dataclass(frozen=True)
class _Claim:
    """A matrix element: its first bytes, how long it says it is, and what gives it whole."""

    head: bytes
    length: int
    whole: Callable[[], bytes]


def _claim(source: str, code: int, body: bytes, order: str) -> _Claim:
    """An element, or the one in a compressed element, of which only the head is inflated here."""
    claim = _Claim(body[:_HEAD], len(body), lambda: body)
    if code == _COMPRESSED:
        try:
            inflated = zlib.decompressobj().decompress(body, 8 + _HEAD)
            code, length = struct.unpack(f"{order}II", inflated[:8])
        except (zlib.error, struct.error) as error:
            raise InvalidInput(source, "an undamaged compressed element", limits.one_line(error)) from None
        if length > limits.LIMIT + _HEAD:
            raise InvalidInput(source, f"arrays of at most {limits.LIMIT} bytes together",
                               f"an element that claims {length} bytes")
        claim = _Claim(inflated[8:8 + length], length, lambda: _inflated(source, body, length))
    if code != _MATRIX:
        raise InvalidInput(source, "matrices only", f"an element of type {code}")
    return claim


def _inflated(source: str, body: bytes, length: int) -> bytes:
    """The one element that a compressed element holds; no more than it claims is inflated."""
    stream = zlib.decompressobj()
    try:
        stream.decompress(body, 8)
        data = stream.decompress(stream.unconsumed_tail, length) if length else b""
        rest = stream.decompress(stream.unconsumed_tail, 8) + stream.unused_data
    except zlib.error as error:
        raise InvalidInput(source, "an undamaged compressed element", limits.one_line(error)) from None
    if len(data) != length or rest.strip(b"\0") or not stream.eof:
        raise InvalidInput(source, f"a compressed element of {length} bytes", "fewer or more")
    return data


def _matrices(source: str, claim: _Claim, order: str, room: Room,
              ) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """The name of an array, and what reads it; those of a cell array as MATLAB calls them, ``W{1}``."""
    parts = list(islice(_elements(source, claim.head, order), 3))
    if [code for code, _ in parts] != [6, 5, 1] or len(parts[0][1]) != 8:
        raise InvalidInput(source, "flags, dimensions and a name in every array", "others")
    name = parts[2][1].decode("latin1")
    thing = f"{source}: array {shown(name)}"
    if struct.unpack(f"{order}I", parts[0][1][:4])[0] & 0xFF != _CELL:
        yield name, lambda: _entries(thing, parts, claim, order, room)
        return
    if claim.length > _CELLS:
        raise InvalidInput(thing, f"a cell array of at most {_CELLS} bytes (save one matrix per layer)",
                           f"{claim.length} bytes")
    room.take(thing, (claim.length // 8,))
    cells = islice(_elements(thing, claim.whole(), order), 3, None)
    for number, (code, body) in enumerate(cells, 1):
        if number > _ELEMENTS:
            raise InvalidInput(thing, f"at most {_ELEMENTS} cells", "more")
        inner = f"{name}{{{number}}}"
        if code != _MATRIX:
            raise InvalidInput(f"{source}: array {shown(inner)}", "a matrix", f"an element of type {code}")
        yield inner, partial(_cell, f"{source}: array {shown(inner)}", body, order, room)


def _cell(thing: str, body: bytes, order: str, room: Room) -> np.ndarray:
    """The numbers of one cell."""
    if not body:
        raise InvalidInput(thing, "a full array of real numbers (W(cellfun(@isempty, W)) = [] drops "
                           "such cells)", "an empty cell")
    claim = _Claim(body[:_HEAD], len(body), lambda: body)
    parts = list(islice(_elements(thing, claim.head, order), 3))
    if [code for code, _ in parts] != [6, 5, 1] or len(parts[0][1]) != 8:
        raise InvalidInput(thing, "flags, dimensions and a name in every array", "others")
    return _entries(thing, parts, claim, order, room)


def _entries(
    thing: str, parts: list[tuple[int, bytes]], claim: _Claim, order: str, room: Room
) -> np.ndarray:
    """The numbers of an array, whose head and size are looked at before the rest is inflated."""
    (flags,) = struct.unpack(f"{order}I", parts[0][1][:4])
    sort = flags & 0xFF
    if sort not in _CLASSES or flags & 0x0A00:  # complex, logical
        raise InvalidInput(thing, "a full array of real numbers (save('net.mat', 'W1', 'W2', '-v7') "
                           "writes some, full(W) makes one)",
                           _OTHERS.get(sort, "another kind, complex or logical"))
    if len(parts[1][1]) % 4:
        raise InvalidInput(thing, "dimensions and one block of numbers", "others")
    shape = tuple(int(n) for n in np.frombuffer(parts[1][1], f"{order}i4"))
    if not 2 <= len(shape) <= 32 or min(shape) < 1:
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {shown(shape)}")
    room.take(thing, shape)
    if claim.length > _HEAD + 8 * math.prod(shape):
        raise InvalidInput(thing, f"at most {8 * math.prod(shape)} bytes of data for shape {shape}",
                           f"an element of {claim.length} bytes")
    parts = list(islice(_elements(thing, claim.whole(), order), 5))
    if len(parts) != 4 or parts[3][0] not in _NUMBERS:
        raise InvalidInput(thing, "dimensions and one block of numbers", "others")
    stored = np.dtype(order + _NUMBERS[parts[3][0]])  # integers are stored in fewer bytes where they fit
    if math.prod(shape) * stored.itemsize != len(parts[3][1]):
        raise InvalidInput(thing, f"{math.prod(shape) * stored.itemsize} bytes of data for shape {shape}",
                           f"{len(parts[3][1])} bytes")
    values = np.frombuffer(parts[3][1], stored)
    return values.reshape(shape, order="F")
