"""What a row means in words, what would make it pass, and what would close it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from wdccheck.brackets import Work
from wdccheck.kinds import named
from wdccheck.reports import thresholds
from wdccheck.reports.closeness import CLOSED
from wdccheck.reports.row import Row
from wdccheck.rounded_text import between, down, shortest, up
from wdccheck.stops import Reason

__all__ = ["asked", "closing", "facts", "meaning", "passing"]

_GROWTH = (0.25, 2.5)  # nodes grew like gap^-p, with p in here, where it was tried


def facts(row: Row, depth: int | None) -> list[tuple[str, str]]:
    """Everything said of a row, as labels and sentences; `depth` as for :func:`asked`."""
    known = row.bracket
    found = [("bounds", row.bounds + (f" ({row.state})" if row.state else ""))]
    if row.least is not None:
        if row.scope == "pair":
            found.append(("over all alpha", between(row.least.lower, "min eps/alpha", row.least.upper)))
        below = row.least.lower_by + (" (Fact 4)" if row.least.witnesses else "")
        found.append(("minimum bounded by", f"{below} from below, {row.least.upper_by} from above"))
    if row.alpha is not None:
        found += [("alpha", shortest(row.alpha) + (f", {row.note}" if row.note else "")),
                  ("at this alpha", f"{row.at_alpha}; {between(known.lower, 'eps', known.upper)}")]
    return [*found, ("what this number means", meaning(row)),
            ("what would make it pass", " ".join(passing(row, depth))),
            ("what would close the gap", closing(row)),
            ("lower bound by", known.lower_by), ("upper bound by", known.upper_by)]


def meaning(row: Row) -> str:
    """What the number says of the layer or of the measurements.

    A matrix of zeros has eps/alpha = sup ||Q||, that is 1/2 (1/4 for two inequalities). Below that
    A_{r,r} >= (alpha/2 - eps) I > 0 for every r. For measurements and u = v,
    (1 - eps)|u|^2 <= |A u|^2 <= (1 + eps)|u|^2.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.reports.meaning import meaning
    >>> from wdccheck.reports.row import Row
    >>> "nothing is lost" in meaning(Row(wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())))
    False
    """
    kind = named(row.kind)
    begun = f"It is {kind.measures}. {kind.best} "
    if row.empty:
        return begun + "Here there is nothing to compare."
    lower, _, upper = row.headline
    if row.vacuous and row.scope != "pair":
        return begun + kind.hopeless
    if lower >= kind.critical:
        return begun + kind.above
    return begun + (kind.below if upper < kind.critical else kind.between)


def asked(row: Row, depth: int | None) -> float | None:
    """What the explicit threshold asks of the row's eps/alpha; None where there is none.

    Parameters
    ----------
    row : Row
    depth : int or None
        Number of layers; None for a pair, of which no explicit threshold speaks.
    """
    return thresholds.explicit(depth) if row.kind in thresholds.EXPLICIT and depth is not None else None


def passing(row: Row, depth: int | None) -> Iterator[str]:
    """What would make the row pass, a sentence each."""
    needed = asked(row, depth)
    lower, _, upper = row.headline
    if needed is None:
        yield ("No theorem asks for a number here: " + (thresholds.TOO_SHALLOW if depth == 1 else
               "the constants of those that use this condition are not given in the papers") + ".")
    elif lower >= needed:
        # the quotient and this product err by 2^-53 each: (1 + 2^-53)^2 (1 - 2^-52) < 1
        factor = thresholds.margin(lower, needed) * (1 - 2**-52)
        yield (f"{thresholds.EXPLICIT[row.kind]} needs eps/alpha < {down(needed, 3)}; found is at least "
               f"{down(lower, 3)} at {'this' if row.least is None else 'every'} alpha, "
               f"{down(factor, 3)} times too large. "
               "No further search changes that.")
        yield from _wider(row, needed)
    elif upper < needed:
        yield f"It passes: eps/alpha < {down(needed, 3)} is needed, at most {up(upper, 3)} proved."
    else:
        yield f"Not decided: eps/alpha < {down(needed, 3)} is needed, which lies within the bounds."
    if named(row.kind).advice:
        yield named(row.kind).advice


def _wider(row: Row, needed: float) -> Iterator[str]:
    """What another shape of the layer would do: Fact 6, and the law of Gaussian layers."""
    kind = named(row.kind)
    if kind.over_range or not kind.per_layer:
        return
    n, k = row.shape
    if n < 2 * k:
        yield (f"No weights of this shape can pass: n = {n} is less than 2k = {2 * k}, so some direction "
               "opens fewer than k rows (Fact 6).")
    if k > 1:
        low, high = thresholds.gaussian_expansion(needed)
        yield (f"Estimate, not a bound: a Gaussian layer would need n/k of about {down(low, 2)} to "
               f"{up(high, 2)}; here it is {n / k:.3g}.")


def closing(row: Row) -> str:
    """What would bring the two bounds together, or why nothing is left to do."""
    stop, lower_by_time = row.bracket.stopped.get("upper"), "More time raises the lower bound only"
    if row.empty:
        return "Nothing: there is nothing to bound."
    if (met := _met(row)) is not None:
        return met
    if stop is None:
        return "Unknown: it is not recorded why the search ended."
    if stop.reason is Reason.TARGET:
        return f"The question that was asked is {row.state}; without it the search would go on."
    if stop.reason is Reason.INTERRUPTED:
        return "It was interrupted; with --checkpoint a later call goes on from there."
    work = next((w for w in reversed(row.bracket.engines) if w.unit == "nodes" and w.work > 0), None)
    detail = stop.detail or stop.reason.value
    if stop.reason is Reason.EXACT:
        return f"The upper bound is exact: {detail}. {lower_by_time}."
    if stop.reason is Reason.EXHAUSTED:
        return (f"The proof can go no further ({detail}). {lower_by_time}; a smaller upper one takes a "
                "better relaxation.")
    if stop.reason is Reason.CAP_ONLY:
        if row.bracket.upper_by.startswith(f"Fact 12: {named(row.kind).dominated_by} of"):
            return f"The upper bound is that of another row: {row.bracket.upper_by}. See what would close it."
        return (f"No branch and bound here: {row.bracket.upper_by} ({detail}). {lower_by_time}; a smaller "
                "upper one takes a better formula or relaxation.")
    if row.capped:
        return (f"The upper bound is a closed formula: {row.bracket.upper_by}. Dimension {row.dimension} is "
                f"too large for branch and bound to lower it. {lower_by_time}.")
    if work is None:
        longer = " A longer time limit may lower the upper bound." if stop.reason is Reason.TIME else ""
        return f"The search for upper bounds was over before branch and bound began: {detail}.{longer}"
    return _more_nodes(row, work, detail)


def _met(row: Row) -> str | None:
    """How closely the bounds meet that count, or else those at the row's alpha; None where neither do."""
    lower, name, upper = row.headline
    if row.settled or row.state == "closed":
        by = f", up to {up(upper - lower, 2)}" if lower < upper else ""
        return f"Nothing: the bounds of {name} meet{by}."
    if not row.state.startswith("closed"):
        return None
    return (f"At this alpha the bounds meet, up to {up(row.ratio_upper - row.ratio_lower, 2)}. The minimum "
            "over all alpha is less well known: the search for it (--alpha best) takes more time.")


def _more_nodes(row: Row, work: Work, detail: str) -> str:
    """An extrapolation of nodes against gap, where there is a law to continue."""
    begun = (f"Branch and bound ended after {work.work:,} nodes with "
             f"{up(row.ratio_upper - row.ratio_lower, 3)} between the bounds of {row.ratio_name}")
    begun += "" if detail == f"{work.work:,} nodes" else f" ({detail})"
    if named(row.kind).over_range and row.layer != 1:  # layer 1 has boxes
        return (f"{begun}. How much more it takes cannot be estimated: bounds over pairs of activation cones "
                "need not close, however many nodes are visited.")
    goal = CLOSED * row.bracket.upper
    if not (goal > 0 and math.isfinite(row.bracket.gap)) or "BranchAndBound" not in row.bracket.upper_by:
        return f"{begun}. It has not lowered the closed formula yet, so nothing can be extrapolated."
    few, many = (work.work * max(row.bracket.gap / goal, 1.0) ** p for p in _GROWTH)
    speed = work.work / max(work.seconds, 1e-9)
    return (f"{begun}. Estimate, not a bound: if nodes grow like gap^-{_GROWTH[0]:g} to "
            f"gap^-{_GROWTH[1]:g}, as in trials, a gap of {100 * CLOSED:g} % takes {_about(few)} to "
            f"{_about(many)} of them, {_span(few / speed)} to {_span(many / speed)} as fast as here.")


def _span(seconds: float) -> str:
    """A duration to one digit."""
    for unit, length in (("years", 3.15e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * length:
            return f"{_about(seconds / length)} {unit}"
    return f"{max(seconds, 1.0):.0f} seconds"


def _about(value: float) -> str:
    """A number to one digit."""
    text = f"{value:.0e}"
    return f"{float(text):,.0f}" if value < 1e5 else text.replace("e+0", "e").replace("e+", "e")
