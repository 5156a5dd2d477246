"""A zip archive whose directory is checked before any member is opened."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from typing import IO, TypeVar

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers import source as limits
from wdccheck.weights.readers.source import Bounded, one_line, shown

__all__ = ["Archive"]

T = TypeVar("T")

_DIRECTORY = 2**18  # bytes of a zip directory
_MEMBERS = 1024
_DEFLATE = 1032  # no deflated stream expands more than this


class Archive:
    """The members of a zip file, by name, in the order of its directory.

    Parameters
    ----------
    source : str
        The name of the file.
    stream : Bounded
        Its content.
    thing : callable
        What messages call a member of a given name.
    what : str
        What members are, in messages.

    Raises
    ------
    InvalidInput
        The directory is malformed, too long, or claims the impossible.
    """

    def __init__(self, source: str, stream: Bounded, thing: Callable[[str], str], what: str) -> None:
        self._thing, self._what = thing, what
        stream.largest = _DIRECTORY
        try:
            self._zip = zipfile.ZipFile(stream)
        except Exception as error:  # zipfile promises no particular exception for malformed bytes
            raise InvalidInput(source, "a complete zip archive", _damage(error)) from None
        finally:
            stream.largest = limits.LIMIT
        self._members = self._checked(source)

    @property
    def names(self) -> list[str]:
        """The names of the members."""
        return list(self._members)

    def size(self, name: str) -> int:
        """Bytes that a member claims to hold."""
        return self._members[name].file_size

    def read(self, name: str, most: int = limits.LIMIT) -> bytes:
        """All bytes of a member, if it claims at most so many: nothing is inflated before.

        Raises
        ------
        InvalidInput
            It claims more, or as for :meth:`use`.
        """
        if name in self._members and self.size(name) > most:
            raise InvalidInput(self._thing(name), f"at most {most} bytes", f"{self.size(name)} bytes")
        return self.use(name, lambda stream, size: stream.read(size))

    def use(self, name: str, reader: Callable[[IO[bytes], int], T]) -> T:
        """What `reader` makes of the stream of a member and its size.

        Raises
        ------
        InvalidInput
            There is no such member, or it is damaged.
        """
        if name not in self._members:
            raise InvalidInput(self._thing(name), f"{self._what} of this name in the archive", "none")
        member = self._members[name]
        try:
            with self._zip.open(member) as stream:
                return reader(stream, member.file_size)
        except InvalidInput:
            raise
        except Exception as error:  # as above, and zlib
            raise InvalidInput(self._thing(name), "an undamaged member of the archive",
                               _damage(error)) from None

    def _checked(self, source: str) -> dict[str, zipfile.ZipInfo]:
        directory = self._zip.infolist()
        if not 0 < len(directory) <= _MEMBERS:
            raise InvalidInput(source, f"1 to {_MEMBERS} {self._what}s", f"{len(directory) or 'none'}")
        total = sum(member.file_size for member in directory)
        if total > limits.LIMIT:
            raise InvalidInput(source, f"{self._what}s of at most {limits.LIMIT} bytes together",
                               f"{total} bytes")
        found: dict[str, zipfile.ZipInfo] = {}
        for member in directory:
            thing = self._thing(member.filename)
            if member.filename in found:
                raise InvalidInput(thing, f"one {self._what} of this name", "two")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
                raise InvalidInput(thing, f"a stored or deflated {self._what}",
                                   "another compression, or encryption")
            if member.file_size > _DEFLATE * (member.compress_size + 1):
                raise InvalidInput(thing, "a size that its compressed bytes can hold",
                                   f"{shown(member.file_size)} bytes in {member.compress_size}")
            found[member.filename] = member
        return found


def _damage(error: Exception) -> str:
    """What zipfile says of a damaged archive, if it says it in words."""
    told = isinstance(error, zipfile.BadZipFile | zlib.error | NotImplementedError)
    return f"a damaged one: {one_line(error, named=False)}" if told else "a damaged one"
