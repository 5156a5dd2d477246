"""``.safetensors``: a length, a JSON header, raw little-endian entries. bfloat16 is read exactly."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.selection import Arrays
from wdccheck.weights.readers.source import Bounded, Room, decoded, json_object, shown

__all__ = ["read_safetensors"]

_CODES = {"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4", "I16": "i2",
          "I8": "i1", "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1"}
_HEADER = 2**20  # bytes of the header


def read_safetensors(source: str, stream: Bounded, size: int) -> Arrays:
    """The arrays of a file of `size` bytes. Its library sorts by type, then by name: no order of layers."""
    length = int.from_bytes(stream.read(8), "little")
    if not (size >= 10 and 2 <= length <= min(size - 8, _HEADER)):
        raise InvalidInput(source, f"a header of 2 to {_HEADER} bytes within the file",
                           f"{size} bytes that claim {length}")
    text = stream.read(length)
    if not text.startswith(b"{"):
        raise InvalidInput(source, "a header in JSON", shown(text))
    header = json_object(f"{source}: header", text)
    header.pop("__metadata__", None)
    data = stream.read(size - 8 - length)
    entries = {name: _entry(f"{source}: array {shown(name)}", header[name], len(data)) for name in header}
    spans = sorted((begin, end) for _, _, begin, end in entries.values())
    ends = [0, *(end for _, end in spans)]
    if [begin for begin, _ in spans] != ends[:-1] or ends[-1] != len(data):
        raise InvalidInput(source, "arrays side by side that fill the file", "overlaps, gaps or more bytes")
    room = Room()

    def read(name: str) -> np.ndarray:
        code, shape, begin, end = entries[name]
        thing = f"{source}: array {shown(name)}"
        if code not in _CODES:
            raise InvalidInput(thing, f"one of the dtypes {', '.join(_CODES)}", shown(code))
        room.take(thing, shape)
        return decoded(data[begin:end], _CODES[code]).reshape(shape)

    placed = sorted(entries, key=lambda name: entries[name][2])
    codes = dict.fromkeys(entries[name][0] for name in placed)
    by_type = [name for code in codes for name in sorted(entries) if entries[name][0] == code]
    names = sorted(entries) if placed == by_type else placed
    return Arrays(source, {name: functools.partial(read, name) for name in names}, sorts=True)


def _entry(thing: str, entry: Any, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """Code of the numbers, shape, first byte and the byte after the last of an array."""
    try:
        code, shape = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        counts = [*shape, begin, end]
        if (not all(type(n) is int and 0 <= n <= size for n in counts) or begin > end or len(shape) > 8
                or not isinstance(code, str)):
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise InvalidInput(thing, "dtype, shape and data_offsets within the file", shown(entry)) from None
    itemsize = 2 if code == "BF16" else np.dtype(_CODES[code]).itemsize if code in _CODES else 0
    if itemsize and math.prod(shape) * itemsize != end - begin:
        raise InvalidInput(thing, f"{shown(math.prod(shape) * itemsize)} bytes for shape {shape} of {code}",
                           f"{end - begin} bytes")
    return code, shape, begin, end
