"""One round of branch and bound: prove deviation <= t on every box, a batch of tasks at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wdccheck.engines.proving.compiled_subtrees import provable, prove_subtrees
from wdccheck.engines.proving.depth_first import Explored, explore
from wdccheck.protocol.condition import Condition
from wdccheck.protocol.proof import BoxProof, Regions
from wdccheck.running.run import Run

__all__ = ["RoundState", "one_round"]

_TASK = 500  # regions a task may visit at least
_TASKS = 32  # tasks between two looks at the clock; fixed, so that results do not depend on workers
_PIECE = 256  # regions a task starts from


@dataclass(frozen=True, eq=False)
class RoundState:
    """Where a round stands; `outcome` is None while it goes on."""

    visited: int
    outcome: str | None = None
    value: float = 0.0
    witness: Mapping[str, np.ndarray] | None = None


def one_round(
    condition: Condition, proof: BoxProof, roots: Regions, t: float, run: Run, nodes: float
) -> Iterator[RoundState]:
    """Prove deviation <= t below `roots`, a batch of tasks at a time."""
    method = _SUBTREES if provable(proof, roots) else _REGIONS
    stack: list[Regions] = method.pieces([roots])
    visited = 0
    while stack:
        if visited >= nodes or run.expired():
            yield RoundState(visited, "nodes" if visited >= nodes else "time")
            return
        batch = [stack.pop() for _ in range(min(_TASKS, len(stack)))]
        budget = int(np.clip(visited // method.ramp, _TASK, method.most))  # independent of `nodes`
        task = partial(method.task, condition, t, budget, run.deadline)
        explored = list(run.map(task, batch, short=budget <= method.short))
        visited += sum(e.visited for e in explored)
        best = max(explored, key=lambda e: e.value)
        if best.value > t:
            yield RoundState(visited, "refuted", best.value, best.witness)
            return
        if any(e.stuck for e in explored):
            yield RoundState(visited, "stuck")
            return
        stack += method.pieces([regions for e in reversed(explored) for regions in e.left])
        yield RoundState(visited)
    yield RoundState(visited, "proved")


@dataclass(frozen=True)
class _Method:
    """How a round is divided: what a task does, how many regions it may visit, and its part of the stack.

    The budget of a task is 1/`ramp` of the nodes visited so far, up to `most`; one up to `short` is not
    worth sending.
    """

    task: Callable[[Condition, float, int, float, Any], Explored]
    ramp: int
    most: int
    short: int
    pieces: Callable[[list[Regions]], list[Regions]]


def _in_pieces(parts: list[Regions]) -> list[Regions]:
    """Pieces of at most `_PIECE` neighbors."""
    return [part.take(slice(i, i + _PIECE)) for part in parts for i in range(0, len(part), _PIECE)]


def _dealt(parts: list[Regions]) -> list[Regions]:
    """Pieces of about equal size, one per task: a depth-first search leaves parts of all sizes."""
    if not parts:
        return []
    regions = parts[0].join(parts)
    return [regions.take(slice(i, None, _TASKS)) for i in range(min(_TASKS, len(regions)))]


_REGIONS = _Method(explore, 16, 40_000, 0, _in_pieces)
_SUBTREES = _Method(prove_subtrees, 4, 200_000, 4000, _dealt)
