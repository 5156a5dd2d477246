"""The engine of closed formulas: the points and the caps that theorems give, both sides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wdccheck.brackets import Bracket
from wdccheck.engines.proving.goals import exact
from wdccheck.errors import InvalidInput
from wdccheck.linalg import cost
from wdccheck.protocol.condition import Condition, entries_of, theorems_of
from wdccheck.running.run import Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["Spectral"]


@dataclass(frozen=True)
class Spectral:
    """Evaluates a condition's starts and caps (for the WDC: Facts 5 to 9).

    Formulas that take longer than the time left are left out; the bound of a cheaper one remains.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> result = wc.bracket(wc.WDC(np.eye(3)), wc.Spectral())
    >>> result.lower > 0.999 and result.upper < 1.001
    True
    """

    unit = "formulas"

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield one bracket with the best cap and the best start."""
        theorems = theorems_of(condition)
        if theorems is None:
            raise InvalidInput(type(condition).__name__, "theorems", "none: Spectral has nothing to evaluate")
        done, late, longest = 0, "", cost.evaluation(entries_of(condition))
        for cap in theorems.caps(run.deadline):
            done += 1
            late = cap.left_out or late
            if cap.empty:
                nothing = Stop(Reason.EMPTY, cap.reason)
                yield replace(known, upper=0.0, upper_by=cap.reason, lower_by=cap.reason,
                              stopped={"lower": nothing, "upper": nothing}, engines=(run.work(self, done),))
                return
            if cap.value < known.upper:
                known = replace(known, upper=cap.value, upper_by=cap.reason)
            if cap.value == known.upper:  # also where a run is resumed
                stop = exact(cap) if cap.exact else Stop(Reason.CAP_ONLY, "a closed formula, not searched")
                known = replace(known, stopped={**known.stopped, "upper": stop})
        if late:
            known = replace(known, stopped={**known.stopped, "upper": Stop(Reason.TIME, late)})
        for start in theorems.starts():
            if late := cost.left_out("witnesses of theorems", longest, run.deadline):
                known = replace(known, stopped={**known.stopped, "lower": Stop(Reason.TIME, late)})
                break
            done, begun = done + 1, time.monotonic()
            value = condition.lower_bound(start.point)
            longest = max(longest, time.monotonic() - begun)
            if value > known.lower or known.witness is None:
                known = raised(known, condition, start.point, value, start.reason)
            if run.expired():
                break
        run.report("Spectral", known, done, None, self.unit)
        if known.closed:
            both = Stop(Reason.EXACT, "the two formulas meet")
            known = replace(known, stopped={"lower": both, "upper": both})
        elif "lower" not in known.stopped:
            stop = Stop(Reason.TIME if run.expired() else Reason.BUDGET, f"{done} closed formulas evaluated")
            known = replace(known, stopped={**known.stopped, "lower": stop})
        yield replace(known, engines=(run.work(self, done),))
