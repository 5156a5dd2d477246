"""A weight file before anything in it is trusted: which file, how large, how much may be read from it."""

from __future__ import annotations

import io
import json
import math
import os
import re
import reprlib
import shlex
import stat
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput

__all__ = [
    "JSON", "LIMIT", "Bounded", "Room", "decoded", "in_quotes", "json_object", "kind", "natural", "one_line",
    "regular_file", "shown", "word",
]

LIMIT = 2**30
"""Bytes: what a file, its arrays together, or these as float64 may occupy."""

JSON = 2**22
"""Bytes of a description of a network."""


class Bounded(io.FileIO):
    """A file that reads at most `largest` bytes at once: the sizes in it are only claims."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.largest = LIMIT

    def read(self, size: int | None = -1) -> bytes:
        """Like a file's; a reader that gets less than it wants refuses the file."""
        unlimited = size is None or size < 0
        return super().read(self.largest if unlimited else min(size or 0, self.largest)) or b""


class Room:
    """The bytes that the arrays of one file may still take; each takes its own before it is allocated."""

    def __init__(self) -> None:
        self.left = LIMIT

    def take(self, thing: str, shape: tuple[int, ...], itemsize: int = 8) -> None:
        """Reserve an array of this shape, as float64 or as stored, whichever takes more.

        Raises
        ------
        InvalidInput
            There is no room for it.
        """
        size = math.prod(shape) * max(8, itemsize)
        if size > self.left:
            raise InvalidInput(thing, f"arrays of at most {LIMIT} bytes together as float64",
                               f"shape {shown(shape)}")
        self.left -= size


def regular_file(path: str | os.PathLike[str], suffixes: tuple[str, ...] = ()) -> Path:
    """`path` as a file that is not too large, with one of these suffixes where there are any.

    Raises
    ------
    InvalidInput
        It is none.
    """
    try:
        source = Path(path)
        status = source.stat()
    except (OSError, TypeError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(str(path), "a readable file", found) from None
    if not stat.S_ISREG(status.st_mode):
        found = "a directory" if stat.S_ISDIR(status.st_mode) else "something else"
        raise InvalidInput(str(source), "a regular file", found)
    if suffixes and source.suffix not in suffixes:
        *others, last = ("*" + suffix for suffix in suffixes)
        names = f"{', '.join(others)} or {last}" if others else last
        raise InvalidInput(str(source), f"a file named {names}",
                           f"the suffix {source.suffix!r}")
    if status.st_size > LIMIT:
        raise InvalidInput(str(source), f"at most {LIMIT} bytes", f"{status.st_size} bytes")
    return source


def decoded(data: bytes, code: str, order: str = "<") -> np.ndarray:
    """Raw entries as an array: NumPy kinds like ``f4``, and ``bf16``, which float32 holds exactly.

    Examples
    --------
    >>> from wdccheck.weights.readers.source import decoded
    >>> decoded(bytes.fromhex("803f"), "bf16")
    array([1.], dtype=float32)
    """
    if code == "bf16":
        return (np.frombuffer(data, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, order + code)


def json_object(thing: str, text: bytes | str) -> dict[str, Any]:
    """A JSON object without duplicate names.

    Raises
    ------
    InvalidInput
        The text is not one, or too long.
    """
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(thing, "every name once", f"{shown(twice)} twice")
        return found

    if len(text) > JSON:
        raise InvalidInput(thing, f"at most {JSON} bytes of JSON", f"{len(text)} bytes")
    try:
        found = json.loads(text, object_pairs_hook=unique)
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidInput(thing, "JSON", one_line(error)) from None
    if not isinstance(found, dict):
        raise InvalidInput(thing, "a JSON object", shown(found))
    return found


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts W2 before W10: digits compare as numbers of any length."""
    parts = re.split("([0-9]+)", name)
    keys = [(0, part) if i % 2 == 0 else (len(part.lstrip("0")), part.lstrip("0"))
            for i, part in enumerate(parts)]
    return keys, name


def kind(magic: bytes) -> str:
    """What a file that begins with `magic` seems to be, in words."""
    if not magic:
        return "an empty file"
    if magic[0] == 0x80 and magic[1:2] and magic[1] <= 5:
        return ("a pickle, which is never loaded (if you trust it: np.savez('net.npz', W1=..., W2=...) of "
                "its arrays; wc.ReLUNetwork.from_sklearn(joblib.load(FILE)) of a model of scikit-learn)")
    if 0x80 < magic[0] < 0x90 and magic[1:2] and 0xA0 < magic[1] < 0xC0:  # a small map, then a short text
        return ("MessagePack, as Flax serializes (np.savez('net.npz', **flax.traverse_util.flatten_dict("
                "flax.serialization.msgpack_restore(open(FILE, 'rb').read()), sep='/')))")
    return f"a file that begins with {magic[:8]!r}"


def one_line(error: Exception, named: bool = True) -> str:
    """An exception in at most 100 characters, with the name of its class or without."""
    return " ".join(f"{f'{type(error).__name__}: ' * named}{error}".split())[:100]


def in_quotes(name: str) -> str:
    """As a shell takes it whole, whatever is in it."""
    return f"'{name}'" if "'" not in name else shlex.quote(name)


def word(name: object) -> str:
    """A name in a file: as it is if it is a plain word, else `shown`."""
    return name if isinstance(name, str) and name.isidentifier() and len(name) <= 60 else shown(name)


def shown(value: object) -> str:
    """A value in at most 60 characters."""
    short = reprlib.Repr()  # a value of a few bytes of pickle may take gigabytes to write out
    short.maxlevel, short.maxtuple, short.maxstring = 2, 8, 60
    try:
        return short.repr(value)[:60]
    except ValueError:  # an integer of thousands of digits
        return f"a {type(value).__name__}"
