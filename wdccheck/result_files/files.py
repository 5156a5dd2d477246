"""A result as a file: plain data to JSON and back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.result_files.targets import write_all

__all__ = ["LIMIT", "SCHEMA", "decode_float", "encode_float", "printable", "read", "text_of", "write"]

SCHEMA = 2
_READABLE = (1, 2)
LIMIT = 64 * 2**20
"""Bytes: a larger file is refused before it is read."""


def encode_float(value: float) -> float | None:
    """A bound as JSON has it: infinity, which JSON lacks, becomes null."""
    return None if math.isinf(value) else float(value)


def decode_float(value: Any, thing: str) -> float:
    """Inverse of :func:`encode_float`; anything but a finite number >= 0 or null is refused."""
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(thing, "a number or null", repr(value)[:60])
    if not (math.isfinite(value) and value >= 0):
        raise InvalidInput(thing, "a finite number >= 0 or null", repr(value))
    return float(value)


def text_of(data: Mapping[str, Any]) -> str:
    """`data` as the JSON of a result file."""
    return json.dumps({"schema": SCHEMA, **data}, indent=1, allow_nan=False) + "\n"


def write(path: str | os.PathLike[str], data: Mapping[str, Any], *, new: bool = False) -> None:
    """Write `data` as JSON, atomically: a reader sees the old file or the new one, whole.

    With `new`, a file that is there stays, also one that another process has just written.
    """
    write_all({Path(path): text_of(data).encode()}, new=new)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a JSON object of schema 1 or 2, or say why the file is none.

    Its strings are printable: what would move the cursor of a terminal is written as an escape.

    Raises
    ------
    InvalidInput
        Missing, unreadable, too large, not JSON, of another schema, or a key stands twice in an object.
    """
    source = Path(path)
    try:
        size = source.stat().st_size
        if size > LIMIT:
            raise InvalidInput(str(source), f"at most {LIMIT} bytes", f"{size} bytes")
        data = _shown(json.loads(source.read_text(encoding="utf-8"), parse_constant=_refuse_constant,
                                 parse_float=_finite, object_pairs_hook=_once))
    except OSError as error:
        raise InvalidInput(str(source), "a readable file", error.strerror or "none") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(str(source), "JSON", str(error)[:100]) from None
    if not isinstance(data, dict) or data.get("schema") not in _READABLE or data["schema"] is True:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        known = " or ".join(map(str, _READABLE))
        raise InvalidInput(str(source), f"a result of schema {known}", ascii(found)[:60])
    return data


def printable(text: str) -> str:
    """`text` on one line: what would move the cursor, or hide, is written as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _shown(data: Any) -> Any:
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, list):
        return [_shown(one) for one in data]
    return {printable(key): _shown(value) for key, value in data.items()} if isinstance(data, dict) else data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(f"{digits[:20]} is no float64")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
