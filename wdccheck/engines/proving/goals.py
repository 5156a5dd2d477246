"""What the engines of upper bounds share: caps first, groups in time, and when the gap is small enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TypeVar

from wdccheck.brackets import Bracket
from wdccheck.errors import InvalidInput, OutOfTime
from wdccheck.linalg.inputs import MOST, limit_value
from wdccheck.protocol.condition import Condition, theorems_of
from wdccheck.protocol.theorems import Cap
from wdccheck.running.run import Engine, Run
from wdccheck.stops import Reason, Stop

__all__ = ["capped", "check_budget", "ended", "exact", "goal_of", "in_time", "latest", "node_limit",
           "stopped"]

T = TypeVar("T")

_NODES = 10**7  # where nothing else ends the search
_MATRICES = 2 * 10**8  # the same where a node is a matrix of a proof by thresholds: about a minute


def check_budget(gap: float, rtol: float, nodes: float | None) -> dict[str, float]:
    """Refuse what no search can stop at; gap and rtol as floats, whatever scalars they were."""
    found = {"gap": limit_value("gap", gap, finite=False), "rtol": limit_value("rtol", rtol)}
    if not found["rtol"] < 1:
        raise InvalidInput("rtol", "a number in [0, 1)", repr(rtol)[:60])
    if nodes is not None and not 1 <= nodes <= MOST:
        raise InvalidInput("nodes", f"an integer from 1 to {MOST:,}, or None", repr(nodes)[:60])
    return found


def node_limit(nodes: int | None, run: Run, matrices: bool = False) -> float:
    """How many nodes may be visited: None leaves it to the time limit where there is one."""
    if nodes is not None:
        return nodes
    return math.inf if not math.isinf(run.deadline) else _MATRICES if matrices else _NODES


def goal_of(known: Bracket, gap: float, rtol: float) -> float:
    """The upper bound that is small enough: ``upper - lower <= max(gap, rtol * upper)``."""
    nearly = 1 - 1e-9  # so that upper - lower, itself rounded, stays within the gap asked for
    return max(known.lower + nearly * gap, known.lower / (1 - nearly * rtol))


def capped(condition: Condition, known: Bracket, run: Run, engine: Engine) -> Iterator[Bracket]:
    """Brackets with the closed upper bounds, where there is none yet; to stop at one that is exact.

    The engine is recorded, so that they can be proved again where nothing else is done.
    """
    theorems = theorems_of(condition)
    for cap in () if theorems is None or known.upper < math.inf else theorems.caps(run.deadline):
        if cap.value < known.upper:
            known = replace(known, upper=cap.value, upper_by=cap.reason,
                            engines=known.engines or (run.work(engine, 0),))
            yield known
        if cap.exact and cap.value == known.upper:
            known = stopped(known, exact(cap))
            yield known


def exact(cap: Cap) -> Stop:
    """The reason to stop at a formula for epsilon itself."""
    return Stop(Reason.EXACT, f"{cap.reason}: epsilon itself, rounded up")


def in_time(find: Callable[[float], T], run: Run) -> T | Stop:
    """What `find` gives by the deadline, or why the time did not suffice."""
    try:
        return find(run.deadline)
    except OutOfTime as late:
        return Stop(Reason.TIME, str(late))


def ended(known: Bracket, run: Run, visited: int) -> Stop:
    """Why a search that has reached its goal is over."""
    if answer := run.answer(known):
        return answer
    return Stop(Reason.EXACT if known.closed else Reason.GAP, f"gap {known.gap:.3g} after {visited:,} nodes")


def latest(found: Iterator[Bracket], known: Bracket) -> Generator[Bracket, None, Bracket]:
    """Yield all brackets and return the last one: what is known after a step."""
    for bracket in found:
        known = bracket
        yield known
    return known


def stopped(known: Bracket, stop: Stop) -> Bracket:
    """The bracket with the reason why its upper bound is no smaller."""
    return replace(known, stopped={**known.stopped, "upper": stop})
