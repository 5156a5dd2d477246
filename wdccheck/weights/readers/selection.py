"""Which part of a file is the network: arrays by name, a key of a checkpoint, values of a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import natural, shown

__all__ = ["Ambiguous", "Arrays", "Selection", "listed"]


@dataclass(frozen=True)
class Selection:
    """What is taken out of a file; by default all that is in it.

    Attributes
    ----------
    arrays : tuple of str
        Names or patterns of arrays, in the order of the layers.
    key : str or None
        Where in a checkpoint the dictionary of arrays is: names of dictionaries with dots between.
    begin, end : str or None
        Where in a graph the network begins and ends.
    transpose : bool
        Whether the file stores matrices as (n_in, n_out).
    alone : bool
        Whether one matrix is wanted rather than a network: what else the file holds does not matter.
    treated : frozenset of str
        Options that were given about what the theory does not cover.
    """

    arrays: tuple[str, ...] = ()
    key: str | None = None
    begin: str | None = None
    end: str | None = None
    transpose: bool = False
    alone: bool = False
    treated: frozenset[str] = frozenset()

    @staticmethod
    def of(arrays: str | Iterable[str] | None, key: str | None, begin: str | None, end: str | None,
           transpose: bool, alone: bool = False) -> Selection:
        """What a caller asked for, looked at.

        Raises
        ------
        InvalidInput
            `arrays` are no names, or another part is no text.
        """
        wanted = (arrays,) if isinstance(arrays, str) else () if arrays is None else arrays
        names = tuple(wanted) if isinstance(wanted, Iterable) else (wanted,)
        if not all(isinstance(name, str) and name for name in names) or (arrays is not None and not names):
            raise InvalidInput("arrays", "names or patterns of arrays, like 'decoder.*'", shown(arrays))
        for what, value in (("key", key), ("from", begin), ("to", end)):
            if value is not None and not isinstance(value, str):
                raise InvalidInput(what, "a name", shown(value))
        return Selection(names, key, begin, end, bool(transpose), alone)

    def fits(self, names: Collection[Any]) -> bool:
        """Whether each of `arrays` chooses one of these names."""
        return all(any(part == name or (isinstance(name, str) and fnmatchcase(name, part)) for name in names)
                   for one in self.arrays for part in _parts(one, names))

    def beside(self, biased: bool, normed: bool, ended: bool = False) -> str:
        """The options that layers with biases, batch norm or another end need besides those given."""
        wanted = ["--fold-batchnorm"] if normed else []
        if (biased or normed) and not self.treated & {"--ignore-bias", "--lift-bias"}:
            wanted.append("--lift-bias")
        if ended and "--last-activation" not in self.treated:
            wanted.append("--last-activation ignore")
        return "".join(f" {option}" for option in wanted if option not in self.treated)

    def only(self, source: str, kind: str, *allowed: str) -> None:
        """Refuse what a kind of file does not have.

        Raises
        ------
        InvalidInput
            Something else than `allowed` was asked for.
        """
        given = {"--arrays": self.arrays or None, "--key": self.key, "--from": self.begin, "--to": self.end,
                 "--transpose": self.transpose or None}
        for option, value in given.items():
            if value is not None and option not in allowed:
                raise InvalidInput(f"{source}: {option}", f"an option for {kind} ({', '.join(allowed)})",
                                   "one for other files")


class Ambiguous(InvalidInput):
    """A file that may hold more than one network.

    Attributes
    ----------
    ways : tuple of str
        Options that read one of them, each with its widths.
    """

    def __init__(self, thing: str, required: str, found: str, ways: Iterable[str] = ()) -> None:
        self.ways = tuple(ways)
        taken = f"; take one with {' or '.join(self.ways)}" if self.ways else ""
        drop = "; --ignore-bias instead drops the biases" if "--lift-bias" in taken else ""
        super().__init__(thing, required, found + taken + drop)


@dataclass(frozen=True, eq=False)
class Arrays:
    """Arrays of a file by name, in its order; each is read when it is called for.

    Attributes
    ----------
    source : str
        The name of the file.
    entries : mapping of str to callable
        What reads the array of a name.
    sorts : bool
        Whether writers of such files sort names, so that an alphabetical order says nothing.
    key : str
        The key of the checkpoint that led to them.
    elsewhere : tuple of str
        Other dictionaries of arrays in the file.
    """

    source: str
    entries: Mapping[str, Callable[[], np.ndarray]]
    sorts: bool = False
    key: str = ""
    elsewhere: tuple[str, ...] = ()

    @staticmethod
    def read(source: str, arrays: Mapping[str, np.ndarray], sorts: bool = False) -> Arrays:
        """Of arrays that were read already.

        Examples
        --------
        >>> import numpy as np
        >>> from wdccheck.weights.readers.selection import Arrays
        >>> Arrays.read("net.npz", {"W": np.eye(2)}).selected(["*"])
        ['W']
        """
        return Arrays(source, {name: partial(arrays.__getitem__, name) for name in arrays}, sorts)

    def reader(self) -> Callable[[str], np.ndarray]:
        """What reads an array by its name, once."""
        return cache(lambda name: self.entries[name]())

    def keeps_order(self, names: Sequence[str]) -> bool:
        """Whether the order in which the file has these says anything."""
        return not self.sorts or list(names) != sorted(names)

    def selected(self, wanted: Iterable[str], order: Callable[[str], Any] = natural) -> list[str]:
        """The names that names or patterns choose, in the order given.

        What a pattern chooses stands in the order of the file, or sorted by `order` where that says nothing.

        Raises
        ------
        InvalidInput
            There is no array of such a name, or one is named twice.
        """
        found: dict[str, None] = {}
        names = list(self.entries)
        ordered = names if self.keeps_order(names) else sorted(names, key=order)
        for pattern in (part for one in wanted for part in _parts(one, names)):
            thing = f"{self.source}: --arrays {shown(pattern)}"
            if pattern in self.entries:
                if pattern in found:
                    raise InvalidInput(thing, "every array once", "twice")
                found[pattern] = None
                continue
            matches = [name for name in ordered if fnmatchcase(name, pattern)]
            if not matches:
                raise InvalidInput(thing, "the name of an array, or a pattern like 'decoder.*'",
                                   f"none such; there are {listed(map(shown, names))}")
            found |= dict.fromkeys(matches)
        if not found:
            raise InvalidInput(f"{self.source}: --arrays", "names or patterns", shown(tuple(wanted)))
        return list(found)


def _parts(text: str, names: Collection[Any]) -> list[str]:
    """Names between commas, unless there is an array of this very name."""
    return [text] if text in names else [part.strip() for part in text.split(",") if part.strip()]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names between commas, the first of many."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "") or "none"
