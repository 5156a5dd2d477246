"""``.safetensors``: a length, a JSON header, raw little-endian entries. bfloat16 is read exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import Bounded, Room, decoded, json_object, natural, shown

__all__ = ["read_safetensors"]

_CODES = {"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4", "I16": "i2",
          "I8": "i1", "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1"}
_HEADER = 2**20  # bytes of the header


def read_safetensors(source: str, stream: Bounded, size: int) -> dict[str, np.ndarray]:
    """The arrays of a file of `size` bytes, in natural order of their names."""
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
    room, found, spans = Room(), {}, []
    for name in sorted(header, key=natural):
        thing = f"{source}: array {shown(name)}"
        code, shape, begin, end = _entry(thing, header[name], len(data))
        room.take(thing, shape)
        found[name] = decoded(data[begin:end], code).reshape(shape)
        spans.append((begin, end))
    ends = [0, *(end for _, end in sorted(spans))]
    if [begin for begin, _ in sorted(spans)] != ends[:-1] or ends[-1] != len(data):
        raise InvalidInput(source, "arrays side by side that fill the file", "overlaps, gaps or more bytes")
    return found


def _entry(thing: str, entry: Any, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """Code of the numbers, shape, first byte and the byte after the last of an array."""
    try:
        code, shape = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        counts = [*shape, begin, end]
        if not all(type(n) is int and 0 <= n <= size for n in counts) or begin > end or len(shape) > 8:
            raise ValueError
    except (TypeError, KeyError, ValueError):
        raise InvalidInput(thing, "dtype, shape and data_offsets within the file", shown(entry)) from None
    if not isinstance(code, str) or code not in _CODES:
        raise InvalidInput(thing, f"one of the dtypes {', '.join(_CODES)}", shown(code))
    itemsize = 2 if code == "BF16" else np.dtype(_CODES[code]).itemsize
    if math.prod(shape) * itemsize != end - begin:
        raise InvalidInput(thing, f"{shown(math.prod(shape) * itemsize)} bytes for shape {shape} of {code}",
                           f"{end - begin} bytes")
    return _CODES[code], shape, begin, end
