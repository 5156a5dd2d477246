"""Where a command writes: tried, and compared with each other, before minutes are spent on the content."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import combinations
from pathlib import Path

from wdccheck.errors import InvalidInput

__all__ = ["Output", "apart", "folder", "writable"]


@dataclass(frozen=True)
class Output:
    """What an option writes.

    Attributes
    ----------
    option : str
    path : path or None
        None where the option is not used; "-" is standard output.
    files : tuple of str or None
        Patterns of the files in a folder; None for a file.
    """

    option: str
    path: str | os.PathLike[str] | None
    files: tuple[str, ...] | None = None

    @property
    def place(self) -> Path | None:
        """Behind all links; None for a device or a pipe, and for what is no name of a file."""
        if not self.path or os.fspath(self.path) == "-":
            return None
        try:
            place = Path(os.path.realpath(self.path))
            return place if place.is_file() or place.is_dir() or not place.exists() else None
        except (OSError, ValueError):
            return None

    def takes(self, place: Path) -> bool:
        """Whether a file of this output is at `place`, or at a folder that `place` needs."""
        within = (place, *place.parents)
        if self.files is None:
            return self.place in within
        return any(one.parent == self.place and fnmatch(one.name, pattern)
                   for one in within for pattern in self.files)


def apart(*outputs: Output, read: Iterable[str | None] = ()) -> None:
    """Refuse outputs of one command that cannot all be written, or that replace each other or what is read.

    Parameters
    ----------
    *outputs : Output
    read : iterable of path or None
        The files that the command reads.

    Raises
    ------
    InvalidInput
        Two have the same place; one is at, or inside of, a file of the other; or one is at a file of `read`.

    Examples
    --------
    >>> from wdccheck.cli.outputs import Output, apart
    >>> apart(Output("--json", "study/result.json"), Output("--out", "study", ("results.csv",)))
    >>> apart(Output("--out", "new.png", ()), Output("--plot", "new.png"))
    Traceback (most recent call last):
    wdccheck.errors.InvalidInput: --out and --plot: two places required, found new.png and new.png
    """
    used = [(one, place) for one in outputs if (place := one.place) is not None]
    for (a, here), (b, there) in combinations(used, 2):
        if here == there or a.takes(there) or b.takes(here):
            raise InvalidInput(" and ".join(dict.fromkeys((a.option, b.option))), "two places",
                               f"{a.path} and {b.path}")
    for source in read:
        place = Output("", source).place
        for one, _ in used:
            if place is not None and one.takes(place):
                raise InvalidInput(one.option, "another file than the command reads", str(source))


def writable(option: str, path: str | None) -> None:
    """Refuse a file that cannot be written."""
    from wdccheck import result_files

    if path is not None and path != "-":
        result_files.check_target(path, option)


def folder(path: str | None, option: str, *names: str) -> None:
    """Make a folder in which files of these names can be written, or refuse it."""
    from wdccheck import result_files

    if path is None:
        return
    try:
        if not path:
            raise ValueError("an empty name")
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(option, "a folder", f"{path}: {reason}") from None
    for name in names:
        result_files.check_target(Path(path) / name, option)
