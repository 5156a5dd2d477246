"""What a schema is made of: functions that refuse a value of another form, and name it."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

from wdccheck.errors import InvalidInput

__all__ = [
    "Shape", "all_of", "boolean", "bound", "hexadecimal", "integer", "little_endian", "many", "named",
    "nothing", "null_or", "number", "one_of", "open_record", "plain", "record", "refuse", "text",
]

Shape = Callable[[Any, str], None]
"""Called with a value and the name of its place; raises InvalidInput."""


def refuse(thing: str, required: str, found: Any) -> InvalidInput:
    """The error of a value that is not what is required."""
    return InvalidInput(thing, required, ascii(found)[:60])


def plain(value: Any, thing: str) -> None:
    """Anything that JSON can hold."""


def nothing(value: Any, thing: str) -> None:
    """null."""
    if value is not None:
        raise refuse(thing, "null", value)


def text(value: Any, thing: str) -> None:
    """A string."""
    if not isinstance(value, str):
        raise refuse(thing, "a string", value)


def hexadecimal(digits: int) -> Shape:
    """So many hexadecimal digits."""
    def shape(value: Any, thing: str) -> None:
        if not isinstance(value, str) or len(value) != digits or not set(value) <= set("0123456789abcdef"):
            raise refuse(thing, f"{digits} hexadecimal digits", value)
    return shape


def boolean(value: Any, thing: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise refuse(thing, "true or false", value)


def number(value: Any, thing: str) -> None:
    """A finite number that is a float64."""
    try:
        finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise refuse(thing, "a finite number", value)


def bound(value: Any, thing: str, least: float = 0.0) -> None:
    """A finite number >= 0."""
    number(value, thing)
    if not value >= least:
        raise refuse(thing, "a number >= 0", value)


def integer(least: int) -> Shape:
    """An integer, not below `least`."""
    def shape(value: Any, thing: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise refuse(thing, f"an integer >= {least}", value)
    return shape


def one_of(*values: str) -> Shape:
    """One of these strings."""
    def shape(value: Any, thing: str) -> None:
        if not (isinstance(value, str) and value in values):
            raise refuse(thing, f"one of {', '.join(values)}", value)
    return shape


def null_or(other: Shape) -> Shape:
    """Null, or what another shape allows."""
    def shape(value: Any, thing: str) -> None:
        if value is not None:
            other(value, thing)
    return shape


def all_of(*shapes: Shape) -> Shape:
    """What all of them allow."""
    def shape(value: Any, thing: str) -> None:
        for one in shapes:
            one(value, thing)
    return shape


def many(item: Shape, least: int = 0, most: float = math.inf) -> Shape:
    """A list of so many items."""
    def shape(value: Any, thing: str) -> None:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            size = f"{least} " if least == most else f"{least} or more " if least else ""
            raise refuse(thing, f"a list of {size}items", value)
        for i, one in enumerate(value, 1):
            item(one, f"{thing} {i}")
    return shape


def named(item: Shape, *names: str) -> Shape:
    """An object, each value of which has the same shape; any names, or no others than these."""
    def shape(value: Any, thing: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(thing, "an object", value)
        for name, one in value.items():
            if names and name not in names:
                raise refuse(thing, f"no other fields than {', '.join(names)}", name)
            item(one, f"{thing}: {name}")
    return shape


def open_record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields, and perhaps others."""
    fields = {**required, **(optional or {})}

    def shape(value: Any, thing: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(thing, "an object", value)
        for name in required:
            if name not in value:
                raise refuse(thing, f"the field {name}", sorted(map(str, value)))
        for name, one in value.items():
            fields.get(name, plain)(one, f"{thing}: {name}")
    return shape


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields and no others."""
    known = {*required, *(optional or {})}

    def closed(value: Any, thing: str) -> None:
        if others := [name for name in value if name not in known]:
            raise refuse(thing, "no other fields", others)
    return all_of(open_record(required, optional), closed)


def little_endian(value: Any, thing: str) -> bytes:
    """The bytes of a base64 string."""
    text(value, thing)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise refuse(thing, "base64", value) from None
