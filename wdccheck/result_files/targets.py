"""Bytes into files: whole or not at all, and no other file is left, however the writer ends."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from wdccheck.errors import InvalidInput, NotSaved

__all__ = ["check_target", "saved", "write_all", "write_bytes"]

_OPEN_FILES = ("/dev/fd/", "/dev/std", "/proc/")  # names of what this process has open


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` as a file, atomically."""
    write_all({Path(path): data})


def write_all(files: Mapping[Path, bytes], *, new: bool = False) -> None:
    """Write several files: each atomically, and none before all of them are on the disk.

    A link stays, and the file behind it is replaced. A device, a pipe or an open file (``/dev/stdout``) is
    written to. With `new`, a file that is there stays.

    Raises
    ------
    InvalidInput
        One cannot be written.
    """
    ready: list[_Ready] = []
    target = Path()
    try:
        for target, data in files.items():
            if (place := _place(target)) is not None:
                ready.append(_Ready(place, data))
        for one in ready:
            target = one.place
            one.moved(new)
        for target, data in files.items():
            if _place(target) is None:
                _append(target, data)
    except (OSError, ValueError) as error:
        raise InvalidInput(str(target), "a file that can be written", _reason(error)) from None
    finally:
        for one in ready:
            one.close()


def check_target(path: str | os.PathLike[str], thing: str = "") -> None:
    """Try a file before the work that fills it: refuse a place where nothing can be written.

    Raises
    ------
    InvalidInput
        `thing`, or the path, cannot be written.
    """
    try:
        if not os.fspath(path):
            raise ValueError("an empty name")
        place = _place(Path(path))
        if place is not None:
            _Ready(place, b"").close()
        elif not os.access(path, os.W_OK):
            raise PermissionError(0, "Permission denied")
    except (OSError, ValueError) as error:
        found = f"{os.fspath(path)!r}: {_reason(error)}" if thing else _reason(error)
        raise InvalidInput(thing or str(path), "a file that can be written", found) from None


def saved(save: Callable[[], None], then: str) -> bool:
    """Whether `save` could write; otherwise a warning says that it could not, and what happens `then`."""
    try:
        save()
    except InvalidInput as error:
        warnings.warn(f"{error}; {then}", NotSaved, stacklevel=3)
        return False
    return True


def _place(target: Path) -> Path | None:
    """The file behind all links; None for what is written to as it is."""
    if os.path.abspath(target).startswith(_OPEN_FILES):
        return None
    place = Path(os.path.realpath(target))
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return place
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "a folder")
    return place if stat.S_ISREG(mode) else None


def _append(target: Path, data: bytes) -> None:
    with open(target, "ab", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest):]


class _Ready:
    """A file on the disk that has no name yet, or where a disk wants one, that of a hidden file beside it."""

    def __init__(self, place: Path, data: bytes) -> None:
        self.place, self._data, self._name = place, data, ""
        try:
            if not os.path.exists("/proc/self/fd"):
                raise OSError
            self._handle = os.open(place.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
        except (OSError, AttributeError):
            self._handle = self._named()
        self._fill()

    def _named(self) -> int:
        handle, self._name = tempfile.mkstemp(dir=self.place.parent, prefix=".wdccheck-")
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(self._name, 0o666 & ~mask)
        return handle

    def _fill(self) -> None:
        try:
            rest = memoryview(self._data)
            while rest:
                rest = rest[os.write(self._handle, rest):]
        except BaseException:
            self.close()
            raise

    def moved(self, new: bool) -> None:
        """Give the file its name; with `new`, unless there is one of that name."""
        try:
            if self._name and new:
                self._linked(self.place)
                return
            if not self._name:
                if self._linked(self.place) or new:
                    return
                name = self.place.parent / f".wdccheck-{secrets.token_hex(8)}"
                self._linked(name)
                self._name = str(name)
        except OSError:  # a disk without links
            if not self._name:
                self.close()
                self._handle = self._named()
                self._fill()
        os.replace(self._name, self.place)
        self._name = ""

    def _linked(self, to: Path) -> bool:
        """Whether the file got this name, which another one may have."""
        try:
            if self._name:
                os.link(self._name, to)
            else:  # src_dir_fd makes Python call linkat, which follows the link of /proc
                os.link(f"/proc/self/fd/{self._handle}", to, src_dir_fd=self._handle, follow_symlinks=True)
        except FileExistsError:
            return False
        return True

    def close(self) -> None:
        """Forget a file that has no other name by now."""
        if self._name:
            Path(self._name).unlink(missing_ok=True)
            self._name = ""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)
