"""One call's circumstances: clock, seeds, workers, progress, target. Engines only read it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from wdccheck.brackets import Bracket, Work
from wdccheck.protocol.condition import Condition, Parted
from wdccheck.protocol.limit import Limit
from wdccheck.running import parallel
from wdccheck.running.parcels import Shared
from wdccheck.running.progress import Event, Progress, Silent
from wdccheck.seeds import seed_of
from wdccheck.stops import Reason, Stop

__all__ = ["Engine", "Run", "block_seed", "raised"]

_START = 2.0  # seconds that new workers take until they are of use

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Anything with a repr that rebuilds it, a unit of work, and `improve`."""

    @property
    def unit(self) -> str:
        """What the engine counts: samples, starts, nodes."""

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield ever better brackets, each valid; stop when there is no more to do."""


@dataclass(frozen=True)
class Run:
    """What an engine may use besides the condition.

    Attributes
    ----------
    seed : numpy.random.SeedSequence
        Root of every random number of this engine.
    workers : int
        Worker processes of :meth:`map`.
    deadline : float
        In seconds of ``time.monotonic()``; inf without a limit.
    target : float or None
        Stop once ``lower > target`` or ``upper <= target``.
    progress : Progress
        Where events go.
    started : float
        Beginning of the whole call, same clock as `deadline`.
    began : float
        Beginning of this engine's share.
    patience : float
        Deadline of a proof that has lowered nothing yet, where others can use the time.
    shared : Shared
        What the workers have already.
    root : numpy.random.SeedSequence
        That of the whole call, of which `seed` is a part.
    """

    seed: np.random.SeedSequence = field(default_factory=lambda: np.random.SeedSequence(0))
    workers: int = 1
    deadline: float = math.inf
    target: float | None = None
    progress: Progress = field(default_factory=Silent)
    started: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)
    patience: float = math.inf
    shared: Shared = field(default_factory=Shared, repr=False)
    root: np.random.SeedSequence = None  # type: ignore[assignment]  # `seed`, unless it is given

    def __post_init__(self) -> None:
        if self.root is None:
            object.__setattr__(self, "root", self.seed)
        object.__setattr__(self, "deadline", parallel.Moment(self.deadline))  # tasks carry it elsewhere

    def remaining(self) -> float:
        """Seconds left; inf without a limit."""
        return self.deadline - time.monotonic()

    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.remaining() <= 0

    def decided(self, known: Bracket) -> bool:
        """Whether `known` already settles the target."""
        target = self.target
        return target is not None and (known.upper <= target or known.lower > target)

    def answer(self, known: Bracket) -> Stop | None:
        """The reason to stop where `known` settles the target: what was compared."""
        if self.target is None or not self.decided(known):
            return None
        return Stop(Reason.TARGET, f"whether {Limit(self.target)} is decided")

    def block_seed(self, *block: int) -> np.random.SeedSequence:
        """The seed of one block of work: a function of the root and the block's number alone."""
        return block_seed(self.seed, *block)

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, short: bool = False
    ) -> Iterator[Result]:
        """Apply `function` to `items` over the workers; results in order.

        `function` is a `partial` whose first argument, the condition, goes to every worker once. `short`
        items, or a single one, are done here: sending takes longer; so are all where the time ends before
        workers have started.
        """
        if short or len(items) == 1 or (self.remaining() < _START and not self.shared.used):
            return map(function, items)
        return parallel.ordered_map(function, items, self.workers, self.shared, self.deadline)

    def report(self, engine: str, known: Bracket, done: int, total: float | None, unit: str) -> None:
        """Send an event to the progress display; a `total` of inf, or None, is not known."""
        whole = None if total is None or math.isinf(total) else int(total)
        elapsed = time.monotonic() - self.started
        self.progress.update(Event(engine, known.lower, known.upper, done, whole, unit, elapsed))

    def work(self, engine: Engine, done: int) -> Work:
        """What `engine` has done so far, as provenance."""
        seconds = time.monotonic() - self.began
        return Work(repr(engine), seed_of(self.root), done, engine.unit, seconds)

    def with_(self, **changes: Any) -> Run:
        """A copy with some attributes changed."""
        return replace(self, **changes)


def block_seed(root: np.random.SeedSequence, *block: int) -> np.random.SeedSequence:
    """See :meth:`Run.block_seed`."""
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *block))


def raised(
    known: Bracket, condition: Condition, witness: Mapping[str, np.ndarray], value: float, by: str
) -> Bracket:
    """`known` with the lower bound `value` at `witness`, and which inequality attains it."""
    part = None
    if isinstance(condition, Parted):
        parts = condition.parts(witness)
        part = max(parts, key=lambda name: float(parts[name]))
    return replace(known, lower=value, witness=witness, part=part, lower_by=by)
