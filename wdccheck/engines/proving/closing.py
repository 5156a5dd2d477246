"""What the engines of upper bounds share: caps first, roots in time, and when the gap is small enough."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from wdccheck.brackets import Bracket, Reason, Stop
from wdccheck.errors import InvalidInput, OutOfTime
from wdccheck.protocol.condition import Condition
from wdccheck.protocol.proof import Regions
from wdccheck.running.run import Run

__all__ = ["capped", "check_budget", "goal_of", "node_limit", "roots_in_time", "stopped"]

_NODES = 10**7  # where nothing else ends the search


def check_budget(gap: float, rtol: float, nodes: float | None) -> None:
    """Refuse what no search can stop at."""
    if not gap >= 0:
        raise InvalidInput("gap", "a number >= 0", repr(gap)[:60])
    if not 0 <= rtol < 1:
        raise InvalidInput("rtol", "a number in [0, 1)", repr(rtol)[:60])
    if nodes is not None and not nodes >= 1:
        raise InvalidInput("nodes", "an integer >= 1, or None", repr(nodes)[:60])


def node_limit(nodes: int | None, run: Run) -> float:
    """How many regions may be visited: None leaves it to the time limit where there is one."""
    if nodes is not None:
        return nodes
    return _NODES if math.isinf(run.deadline) else math.inf


def goal_of(known: Bracket, gap: float, rtol: float) -> float:
    """The upper bound that is small enough: ``upper - lower <= max(gap, rtol * upper)``."""
    nearly = 1 - 1e-9  # so that upper - lower, itself rounded, stays within the gap asked for
    return max(known.lower + nearly * gap, known.lower / (1 - nearly * rtol))


def capped(condition: Condition, known: Bracket) -> Iterator[Bracket]:
    """Brackets with the closed upper bounds."""
    for cap in condition.caps():
        if cap.value < known.upper:
            known = replace(known, upper=cap.value, upper_by=cap.reason)
            yield known


def roots_in_time(condition: Condition, run: Run) -> Regions | Stop | None:
    """The regions of the condition, or why the time did not suffice for them."""
    try:
        return condition.regions(run.deadline)
    except OutOfTime as late:
        return Stop(Reason.TIME, f"{late}; the upper bound is a closed formula")


def stopped(known: Bracket, stop: Stop) -> Bracket:
    """The bracket with the reason why its upper bound is no smaller."""
    return replace(known, stopped={**known.stopped, "upper": stop})
