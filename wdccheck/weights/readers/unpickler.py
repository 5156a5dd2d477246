"""The pickle of a PyTorch file without pickle: opcodes that build plain data and name tensors, no others.

Nothing is imported and nothing is called; a global is a name, and only those listed are understood.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import one_line, shown

__all__ = ["PICKLE", "Global", "Inert", "plain_data"]

PICKLE = 2**24
"""Bytes of a pickle."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
           "SHORT_BINSTRING", "BINSTRING", "BINBYTES", "SHORT_BINBYTES", "LONG4", "BINUNICODE8", "BINBYTES8",
           "BYTEARRAY8"}
_NEUTRAL = {"PROTO", "FRAME", "STOP"}
_FOREIGN = {"builtins", "__builtin__", "os", "nt", "posix", "sys", "subprocess", "runpy", "importlib",
            "shutil", "pty", "commands", "socket", "ctypes", "code", "codecs", "webbrowser", "operator",
            "pickle", "asyncio", "pip", "cProfile", "timeit", "pdb", "bdb", "functools", "types", "marshal"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Global:
    """The name of something of a module, never looked up."""

    name: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Inert:
    """A value that only stands in a file: it is not made, and what is put into it is dropped."""

    name: str

    def __repr__(self) -> str:
        return self.name


class _Mark:
    """Where the items of a collection begin on the stack."""


def plain_data(
    thing: str, data: bytes | io.BytesIO, understood: Callable[[str], bool],
    reduce: Callable[[str, tuple[Any, ...]], Any], tensor: Callable[[Any], Any],
) -> Any:
    """What a pickle describes.

    Parameters
    ----------
    thing : str
        The name of the pickle in messages.
    data : bytes or BytesIO
        The pickle, or a stream that stands at its start and is left after it.
    understood : callable
        Whether a global of this name may occur.
    reduce : callable
        What a global applied to arguments stands for.
    tensor : callable
        What a persistent id stands for.

    Raises
    ------
    InvalidInput
        Anything but plain data and these globals.
    """
    if isinstance(data, bytes) and len(data) > PICKLE:
        raise InvalidInput(thing, f"at most {PICKLE} bytes", f"{len(data)}")
    machine, at = _Machine(thing, understood, reduce, tensor), 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            at = position or 0
            machine.step(opcode.name, argument)
        (result,) = machine.stack
    except InvalidInput:
        raise
    except Exception as error:  # malformed bytes: an empty stack, an unknown opcode, a list as a key
        why = f": {one_line(error, named=False)}" if type(error) is ValueError else ""
        raise InvalidInput(thing, "a well-formed pickle of plain data",
                           f"a damaged one, at byte {at}{why} (torch.save writes it again)") from None
    return result


class _Machine:
    def __init__(
        self, thing: str, understood: Callable[[str], bool], reduce: Callable[[str, tuple[Any, ...]], Any],
        tensor: Callable[[Any], Any],
    ) -> None:
        self.thing, self.understood, self.reduce, self.tensor = thing, understood, reduce, tensor
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode; the caller catches whatever a malformed pickle makes fail."""
        push, pop = self.stack.append, self.stack.pop
        if name in _VALUES:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name == "MARK":
            push(_Mark())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            found = argument.replace(" ", ".") if name == "GLOBAL" else ".".join([pop(), pop()][::-1])
            push(self._global(found))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = pop(), pop()
            if not (isinstance(function, Global) and isinstance(arguments, tuple)):
                raise ValueError("a call of something that is no function")
            push(self.reduce(function.name, arguments))
        elif name == "BINPERSID":
            push(self.tensor(pop()))
        elif name == "BUILD":
            state, value = pop(), self.stack[-1]
            if not isinstance(value, Inert) and not (isinstance(value, dict) and isinstance(state, dict)):
                raise ValueError("attributes of something that is no dictionary")  # else _metadata: unused
        elif not self._collection(name) and name not in _NEUTRAL:
            raise InvalidInput(self.thing, "a pickle of plain data", f"the opcode {name}")

    def _collection(self, name: str) -> bool:
        push, pop = self.stack.append, self.stack.pop
        if name in _TUPLES:
            count = _TUPLES[name]
            if len(self.stack) < count:
                raise ValueError("an empty stack")
            items = self.stack[len(self.stack) - count:]
            del self.stack[len(self.stack) - count:]
            push(tuple(items))
        elif name == "TUPLE":
            push(tuple(self._marked()))
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            push({} if name == "EMPTY_DICT" else [])
        elif name in ("EMPTY_SET", "FROZENSET"):
            if name == "FROZENSET":
                self._marked()
            push(Inert("set"))
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = [pop()] if name == "APPEND" else self._marked()
            if not isinstance(self.stack[-1], Inert):
                list.extend(self.stack[-1], items)
        elif name in ("SETITEM", "SETITEMS"):
            pairs = [pop(), pop()][::-1] if name == "SETITEM" else self._marked()
            if isinstance(self.stack[-1], Inert):
                return True
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                # the hash of a tuple may take forever
                word = key if isinstance(key, str | int | float | None) else shown(key)
                if word in self.stack[-1]:
                    raise InvalidInput(self.thing, "every name once", f"{shown(word)} twice")
                dict.__setitem__(self.stack[-1], word, value)
        else:
            return False
        return True

    def _marked(self) -> list[Any]:
        """The items above the last mark, popped with it."""
        items: list[Any] = []
        while not isinstance(item := self.stack.pop(), _Mark):
            items.append(item)
        return items[::-1]

    def _global(self, name: str) -> Global:
        if not self.understood(name):
            raise InvalidInput(self.thing, "tensors and plain data, as torch.save(model.state_dict(), ...) "
                               "writes", f"{shown(name)}, which is not executed{_instead(name)}")
        return Global(name)


def _instead(name: str) -> str:
    """What writes a file without this name; nothing for one that has no place beside weights."""
    if name.partition(".")[0] in _FOREIGN:
        return ""
    load = "torch.load(FILE, weights_only=False)"
    return (f" (if you trust the file: torch.save({load}.state_dict(), 'net.pt') of a whole model, "
            f"torch.save({load}['state_dict'], 'net.pt') of a checkpoint with this key)")
