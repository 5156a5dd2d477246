"""SIGINT and SIGTERM: one way to end a command, held back where an exception would do harm."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Held", "Interruptions", "from_keyboard"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO = 1.0  # seconds in which a second signal means the first: a shell and a parent may both send one
_SOON = 0.01  # seconds until an interruption that Python swallowed comes again


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


class Interruptions:
    """While a command runs, SIGTERM is a `KeyboardInterrupt` like Ctrl-C; `number` is the first signal heard.

    A signal that the caller's caller ignores stays ignored, as under ``nohup``. An interruption that meets a
    finalizer, where Python drops exceptions, comes again. After it, threads of joblib end in silence.

    Examples
    --------
    >>> import signal
    >>> from wdccheck.running.signals import Interruptions
    >>> with Interruptions() as heard:
    ...     try:
    ...         signal.raise_signal(signal.SIGTERM)
    ...     except KeyboardInterrupt:
    ...         print(heard.status)
    143
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._at = 0.0
        self._before: dict[int, Any] = {}
        self._hooks: tuple[Any, Any] = (sys.unraisablehook, threading.excepthook)

    @property
    def status(self) -> int:
        """The exit status that a shell gives to a command that this signal ended."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def __enter__(self) -> Interruptions:
        if _in_main_thread():
            for number in _SIGNALS:
                if isinstance(outer := signal.getsignal(number), Interruptions):
                    return outer
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = signal.signal(number, self)
            if self._before:
                sys.unraisablehook, threading.excepthook = self._unraisable, self._in_thread
        return self

    def __exit__(self, *_: object) -> None:
        if self._before:
            sys.unraisablehook, threading.excepthook = self._hooks
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def over(self) -> None:
        """Ignore what comes now: the command is done, and Python has to tidy up."""
        self._before = dict.fromkeys(self._before, signal.SIG_IGN)
        self.__exit__()

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        now = time.monotonic()
        if self.number is not None and now - self._at < _ECHO:
            return
        if self.number is None:
            self.number = number
        self._at = now
        raise KeyboardInterrupt

    def _unraisable(self, dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            self._hooks[0](dropped)
        elif hasattr(signal, "setitimer"):
            self._at = 0.0
            signal.signal(signal.SIGALRM, lambda *_: self(self.number or signal.SIGINT, None))
            signal.setitimer(signal.ITIMER_REAL, _SOON)

    def _in_thread(self, ended: Any) -> None:
        if self.number is None:
            self._hooks[1](ended)


class Held:
    """Signals that arrive in this context act at its end: an exception in the middle would do harm.

    A second one, a second later, acts at once: the context may wait for something that never comes.

    Examples
    --------
    >>> import signal
    >>> from wdccheck.running.signals import Held, Interruptions
    >>> try:
    ...     with Interruptions(), Held():
    ...         signal.raise_signal(signal.SIGTERM)
    ...         print("whole")
    ... except KeyboardInterrupt:
    ...     print("ended")
    whole
    ended
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._kept: int | None = None
        self._at, self._on = 0.0, True

    def __enter__(self) -> Held:
        if _in_main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._on = False  # from here on a signal passes, whatever handler is set
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._kept is not None:
            signal.raise_signal(self._kept)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal, later."""
        now = time.monotonic()
        if self._on and (self._kept is None or now - self._at < _ECHO):
            self._kept, self._at = number, self._at if self._kept else now
        else:
            self._before[number](number, frame)


def from_keyboard(error: BaseException) -> bool:
    """Whether an interruption led to this error: it broke into the middle of something.

    Examples
    --------
    >>> from wdccheck.running.signals import from_keyboard
    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     finally:
    ...         raise RuntimeError("cannot join thread before it is started")
    ... except RuntimeError as error:
    ...     from_keyboard(error)
    True
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
