"""Progress as an object with `update` and `close`; :class:`Silent` shows nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from wdccheck.errors import InvalidInput
from wdccheck.rounded_text import between, up

__all__ = ["Bar", "Event", "Progress", "Silent", "Terminal", "resolve"]


@dataclass(frozen=True)
class Event:
    """What an engine knows at one moment.

    Attributes
    ----------
    engine : str
        Name of the engine at work.
    lower, upper : float
        The bracket so far.
    done : int
        Units of work finished.
    total : int or None
        Units in the engine's budget, if it has one.
    unit : str
        What is counted: samples, starts, nodes.
    elapsed : float
        Seconds since the call began.
    """

    engine: str
    lower: float
    upper: float
    done: int
    total: int | None
    unit: str
    elapsed: float


class Progress(Protocol):
    """Anything with these two methods is a progress display."""

    def update(self, event: Event) -> None:
        """Show `event`."""

    def close(self) -> None:
        """The run is over."""


@dataclass(frozen=True)
class Silent:
    """Shows nothing."""

    def update(self, event: Event) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


@dataclass
class Terminal:
    """On a terminal a live line; elsewhere a plain line per engine and tenfold work."""

    title: str = ""
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _bar: Any = None
    _last: tuple[str, int] = ("", 0)

    def update(self, event: Event) -> None:
        """Show both bounds, gap, work and time."""
        if self.stream.isatty():
            self._draw(event)
            return
        magnitude = len(str(event.done))
        if (event.engine, magnitude) != self._last:
            self._last = (event.engine, magnitude)
            print(f"{self.title}{describe(event)}", file=self.stream, flush=True)

    def _draw(self, event: Event) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(file=self.stream, bar_format="{desc}", leave=False, dynamic_ncols=True)
        self._bar.set_description_str(f"{self.title}{describe(event)}")

    def close(self) -> None:
        """Clear the live line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@dataclass
class Bar:
    """On a terminal a bar with the time left; elsewhere plain lines, at most one per tenth."""

    title: str = ""
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _bar: Any = None
    _tenth: int = -1

    def update(self, event: Event) -> None:
        """Show how much of the work is done; the first event says what was done before."""
        if self.stream.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(desc=self.title, total=event.total, initial=event.done, unit=event.unit,
                                 file=self.stream, dynamic_ncols=True)
            self._bar.update(event.done - self._bar.n)
            return
        tenth = 10 * event.done // max(event.total or 1, 1)
        if tenth != self._tenth:
            self._tenth = tenth
            print(f"{self.title}: {event.done:,}/{event.total:,} {event.unit}, {event.elapsed:.1f} s",
                  file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def describe(event: Event) -> str:
    """`event` as one line."""
    title = f"{event.engine}, {event.elapsed:.1f} s"
    if event.done == 0 and math.isinf(event.upper):
        return title
    of_total = f"/{event.total:,}" if event.total else ""
    return (
        f"{title}: {between(event.lower, 'eps', event.upper)}"
        f"  gap {up(event.upper - event.lower, 3)}"
        f"  {event.done:,}{of_total} {event.unit}"
    )


def resolve(progress: Progress | Callable[[Event], None] | bool | None) -> Progress:
    """True: a terminal display on stderr; None or False: silence; a function is called."""
    if progress is None or progress is False:
        return Silent()
    if progress is True:
        return Terminal()
    if callable(progress):
        return _Calling(progress)
    if not hasattr(progress, "update"):
        raise InvalidInput("progress", "True, None, a function or a Progress", repr(progress)[:60])
    return progress


@dataclass(frozen=True)
class _Calling:
    function: Callable[[Event], None]

    def update(self, event: Event) -> None:
        self.function(event)

    def close(self) -> None:
        pass
