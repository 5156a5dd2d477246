"""Stored numbers of a model: in the file itself, or in files beside it, of which no link leads away."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import LIMIT, Room, decoded, shown

__all__ = ["Tensors"]

_CODES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "b1", 10: "f2", 11: "f8",
          12: "u4", 13: "u8", 16: "bf16"}
_TYPED = {1: "float_data", 11: "double_data", 7: "int64_data", 12: "uint64_data", 13: "uint64_data"}
_INLINE = "onnx.save(onnx.load('{}'), 'one.onnx') puts all into one file"


class Tensors:
    """What reads the tensors of the model in the file `source`."""

    def __init__(self, source: str) -> None:
        self.source, self.room = source, Room()
        self.outside = 0  # bytes that were read from files beside

    def array(self, thing: str, tensor: Any) -> np.ndarray:
        """The entries of a tensor, as stored.

        Raises
        ------
        InvalidInput
            They are no numbers, of another count than its shape says, too many, or not beside the file.
        """
        code, shape = _CODES.get(tensor.data_type), tuple(int(n) for n in tensor.dims)
        if code is None or len(shape) > 8 or min(shape, default=0) < 0:
            raise InvalidInput(thing, "an array of real numbers",
                               f"type {tensor.data_type}, shape {shown(shape)}")
        self.room.take(thing, shape)
        itemsize = 2 if code == "bf16" else np.dtype(code).itemsize
        if tensor.data_location or tensor.external_data:
            given = {one.key: one.value for one in tensor.external_data}
            return decoded(self._beside(thing, given, math.prod(shape) * itemsize), code).reshape(shape)
        if tensor.HasField("raw_data"):
            if len(tensor.raw_data) != math.prod(shape) * itemsize:
                raise InvalidInput(thing, f"{math.prod(shape) * itemsize} bytes for shape {shape}",
                                   f"{len(tensor.raw_data)} bytes")
            return decoded(tensor.raw_data, code).reshape(shape)
        return _listed(thing, tensor, code, shape)

    def _beside(self, thing: str, given: Mapping[str, str], size: int) -> bytes:
        """`size` bytes of a regular file in the folder of the model, or in a folder there; no links."""
        location = given.get("location", "")
        offset, length = (_number(thing, name, given.get(name)) for name in ("offset", "length"))
        if length is not None and length != size:
            raise InvalidInput(thing, f"{size} bytes in {shown(location)}, as its shape and type say",
                               f"a length of {length}")
        parts = [part for part in location.replace("\\", "/").split("/") if part != "."]
        folder = Path(self.source).parent
        if not parts or "\0" in location or ":" in location or not {"", ".."}.isdisjoint(parts):
            raise InvalidInput(thing, "external data in the folder of the file (where you trust it, "
                               f"{_INLINE.format(Path(self.source).name)})", shown(location))
        path = folder.joinpath(*parts)
        if path.is_dir():
            raise InvalidInput(thing, f"a regular file {shown(location)}", "a directory")
        if any(os.path.islink(folder.joinpath(*parts[:i])) for i in range(1, len(parts) + 1)):
            raise InvalidInput(thing, "external data that is no link (copy the files that links lead to: "
                               "cp -L)", f"a link {shown(location)}")
        try:
            return _bytes_of(thing, path, location, offset or 0, size)
        except FileNotFoundError:
            raise InvalidInput(thing, f"{shown(location)} beside {Path(self.source).name} (copy it "
                               "there, or export with external_data=False)", "no such file") from None
        except OSError as error:
            found = error.strerror or "none"
            raise InvalidInput(thing, f"a readable file {shown(location)}", found) from None
        finally:
            self.outside += size


def _bytes_of(thing: str, path: Path, location: str, offset: int, size: int) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
            raise InvalidInput(thing, f"a regular file {shown(location)} of at most {LIMIT} bytes",
                               "another" if not stat.S_ISREG(status.st_mode) else f"{status.st_size} bytes")
        if offset + size > status.st_size:
            raise InvalidInput(thing, f"{size} bytes from {offset} on in {shown(location)} (cut short, or of "
                               "another model: export both again)", f"a file of {status.st_size} bytes")
        stream.seek(offset)
        data = stream.read(size)
    if len(data) != size:
        raise InvalidInput(thing, f"{size} bytes from {offset} on in {shown(location)}", f"{len(data)} bytes")
    return data


def _number(thing: str, name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(thing, f"a {name} of external data that is a number of bytes", shown(text))
    return int(text)


def _listed(thing: str, tensor: Any, code: str, shape: tuple[int, ...]) -> np.ndarray:
    """The entries of a tensor that holds them one by one."""
    stored = getattr(tensor, _TYPED.get(tensor.data_type, "int32_data"))
    if len(stored) != math.prod(shape):
        raise InvalidInput(thing, f"{math.prod(shape)} entries for shape {shape}", f"{len(stored)}")
    if code in ("f2", "bf16"):
        bits = np.array(stored, np.int64)
        if bits.size and not 0 <= bits.min() <= bits.max() < 2**16:
            raise InvalidInput(thing, "16 bits in every entry", "more")
        return decoded(bits.astype("<u2").tobytes(), code).reshape(shape)
    kinds = {"f": code, "b": "b1", "u": "u8"}
    return np.array(stored, kinds.get(code[0], "i8")).reshape(shape)
