"""Standard output and error that break no command: closed ones, full devices, pipes without a reader."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["Outlet", "outlets"]


class Outlet:
    """A text stream that drops what cannot be written; `error` says why.

    What its encoding lacks is written as an escape.
    """

    buffer = None  # click would write to that instead where the encoding is ASCII

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error = OSError() if stream is None else None  # one that was closed before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop, `text`."""
        if self.error is None:
            try:
                return int(self._stream.write(text))
            except UnicodeEncodeError:
                known = self._stream.encoding
                return self.write(text.encode(known, "backslashreplace").decode(known))
            except (OSError, ValueError) as error:
                self._broken(error)
        return len(text)

    def flush(self) -> None:
        """Flush, unless nothing gets through any more."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._broken(error)

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        return self.error is None and bool(self._stream.isatty())

    def _broken(self, error: Exception) -> None:
        self.error = error if isinstance(error, OSError) else OSError(str(error))
        with contextlib.suppress(OSError, ValueError):  # else Python complains when it closes the stream
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextlib.contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """In this context, standard output and error are outlets; those that were closed lead nowhere."""
    out, err = Outlet(sys.stdout), Outlet(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield out, err
        finally:
            out.flush()
            err.flush()
