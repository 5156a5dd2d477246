"""Bounds that follow from others: from a row above (Fact 12), of the minimum over alpha (Fact 4)."""

from __future__ import annotations

from collections.abc import Sequence

from wdccheck import checker, kinds
from wdccheck.checker import Check, Outcome
from wdccheck.engines import dominance
from wdccheck.kinds import named
from wdccheck.reports.row import Row
from wdccheck.verification.reports import Entry

__all__ = ["carried", "least_bounds"]


def carried(entry: Entry, before: Sequence[Entry]) -> Check | None:
    """Fact 12: the upper bound, where the row of the same layer that dominates it gives it; else None."""
    above = _dominating(entry, before)
    if above is None or above.proof is None or above.proof.outcome is not Outcome.PROVED:
        return None
    if dominance.upper_at(above.known, float(entry.known.condition["alpha"])) > entry.known.upper:
        return None
    return Check("upper bound", Outcome.PROVED,
                 f"Fact 12: the {above.place[0]} of layer {entry.place[1]} gives it, proved above",
                 entry.known.upper)


def least_bounds(entry: Entry, lower: Check, before: Sequence[Entry]) -> list[Check]:
    """Both bounds on the minimum of epsilon/alpha over alpha, where the file has some.

    Its upper bound follows from the one at the alpha of the bracket, from what every large alpha gives
    (Facts 9 and 12), or from the minimum of a condition that dominates this one at every alpha (Fact 12).
    """
    least = entry.least
    if least is None:
        return []
    below = Check("least eps/alpha, lower bound", Outcome.NOT_PROVED, "the witness was not evaluated")
    if lower.outcome is Outcome.PROVED:
        below = checker.reevaluate_least(entry.known.to_dict(), least)
    what, upper = "least eps/alpha, upper bound", float(least["upper"])
    above, own = _dominating(entry, before), Row(entry.known)
    proved = entry.proof is not None and entry.proof.outcome is Outcome.PROVED
    reason = ""
    if upper >= entry.kind.critical:
        reason = f"every large alpha has {entry.kind.critical} (Fact 9)"
    elif proved and upper >= own.ratio_upper:
        reason = f"{own.ratio_upper!r} at alpha = {own.alpha!r}, proved above"
    elif above is not None and above.least_proved and above.least and upper >= above.least["upper"]:
        reason = f"Fact 12: the {above.place[0]} has {above.least['upper']!r}"
    if reason:
        return [below, Check(what, Outcome.PROVED, f"{reason}, recorded {upper!r}")]
    recorded = entry.proof is not None and entry.proof.outcome is Outcome.RECORDED
    return [below, Check(what, Outcome.RECORDED if recorded else Outcome.NOT_PROVED,
                         f"{upper!r} by {least['upper_by']}, which is not proved again")]


def _dominating(entry: Entry, before: Sequence[Entry]) -> Entry | None:
    """The row above of the same matrix that bounds this one (Fact 12)."""
    name, layer, of = entry.place
    over = named(name).dominated_by if kinds.known(name) else None
    above = next((one for one in before if over is not None and one.place == (over, layer, of)), None)
    layers = entry.matrices if above is not None else None
    if above is None or layers is None:
        return None
    return above if checker.sha256_of(layers[-1]) == above.known.condition["sha256"] else None
