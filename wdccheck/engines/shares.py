"""Who gets how much of the time: engines in a sequence, a search that rises no more, a proof that waits."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wdccheck.brackets import Bracket
from wdccheck.linalg import cost
from wdccheck.protocol.condition import Condition, entries_of
from wdccheck.running.run import Engine, Run
from wdccheck.stops import Reason, Stop

__all__ = ["Plateau", "proof_follows", "share", "unaffordable"]

_CALM, _RISE = 1.0, 1e-3  # seconds within which a search has to rise by this part, where a proof waits
_ROUND = 8  # blocks that a slow machine may finish first


@dataclass(frozen=True)
class Plateau:
    """The lower bound from which a rise is counted; since when, and for how many blocks, none counted.

    Examples
    --------
    >>> from wdccheck.engines.shares import Plateau
    >>> calm = Plateau(1.0, 0.0)
    >>> for block in range(8):
    ...     calm = calm.after(1.0005, 0.1 * block)
    >>> calm.long(0.9), calm.long(1.1), calm.after(1.002, 1.0).long(1.9)
    (False, True, False)
    """

    level: float
    since: float
    blocks: int = 0

    def after(self, lower: float, now: float) -> Plateau:
        """With what one more block has found."""
        if lower > self.level * (1 + _RISE):
            return Plateau(lower, now)
        return replace(self, blocks=self.blocks + 1)

    def long(self, now: float) -> bool:
        """Whether a search should end, so that a proof gets the time."""
        return now - self.since >= _CALM and self.blocks >= _ROUND

    def stop(self, known: Bracket) -> Stop:
        """The reason for the lower bound."""
        done = f"{known.engines[-1].work:,} {known.engines[-1].unit}; " if known.engines else ""
        return Stop(Reason.BUDGET, f"{done}no rise by 0.1 % within a second; the proof gets the time")


def share(engines: Sequence[Engine], position: int, run: Run) -> Run:
    """The run of one engine: an equal share for a search, all that is left for formulas and for a proof.

    Where others follow it, a proof has to lower the upper bound in half of that.

    Examples
    --------
    >>> import time
    >>> from wdccheck import Ascent, BranchAndBound
    >>> from wdccheck.engines.shares import share
    >>> from wdccheck.running.run import Run
    >>> engines, run = (Ascent(), BranchAndBound(), Ascent()), Run(deadline=time.monotonic() + 60)
    >>> [round(share(engines, i, run).deadline - run.deadline) for i in range(3)]
    [-30, 0, 0]
    """
    begun, left = time.monotonic(), run.remaining()
    later = engines[position + 1:]
    if engines[position].unit == "nodes" and all(one.unit != "nodes" for one in later):
        patience = begun + left / 2 if later else math.inf
        return run.with_(seed=run.block_seed(position), began=begun, patience=patience)
    if engines[position].unit == "formulas":
        return run.with_(seed=run.block_seed(position), began=begun)
    proofs = [i for i, one in enumerate(later, 1) if one.unit == "nodes"]
    share = left / (proofs[-1] + 1 if proofs else len(later) + 1)  # what comes after the last proof is spare
    return run.with_(seed=run.block_seed(position), deadline=begun + share, began=begun)


def proof_follows(engines: Sequence[Engine], position: int, run: Run) -> bool:
    """Whether a proof can use the time that this search does not need."""
    search = engines[position].unit != "nodes"
    return search and run.deadline < math.inf and any(e.unit == "nodes" for e in engines[position + 1:])


def unaffordable(condition: Condition, engine: Engine, run: Run) -> str:
    """Why a search is left out: it could not evaluate one witness; "" where there is time for more."""
    if engine.unit == "nodes":
        return ""
    return cost.left_out(type(engine).__name__, cost.evaluation(entries_of(condition)), run.deadline)
