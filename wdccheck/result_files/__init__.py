"""A result as a file: plain data to JSON and back, every field of it checked."""

from __future__ import annotations

from wdccheck.result_files.files import (
    LIMIT,
    SCHEMA,
    decode_float,
    encode_float,
    printable,
    read,
    text_of,
    write,
)
from wdccheck.result_files.targets import check_target, saved, write_all, write_bytes

__all__ = [
    "LIMIT", "SCHEMA", "check_target", "decode_float", "encode_float", "printable", "read", "saved",
    "text_of", "write", "write_all", "write_bytes",
]
