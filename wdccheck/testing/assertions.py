"""Assertions for test suites, which pass only on what is proved."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from wdccheck.brackets import Bracket, Verdict
from wdccheck.errors import InvalidInput, NotProved, Undecided
from wdccheck.kinds import known as is_known
from wdccheck.kinds import named
from wdccheck.protocol.condition import checked
from wdccheck.protocol.limit import Limit
from wdccheck.reports.row import Row
from wdccheck.rounded_text import quotient, up
from wdccheck.seeds import seed_text
from wdccheck.stops import Reason

if TYPE_CHECKING:
    import numpy as np

    from wdccheck.protocol.condition import Condition
    from wdccheck.reports.isometry import Isometry

__all__ = ["assert_holds", "assert_isometry", "assert_violated", "limit_of"]

_SHOWN = 12  # entries of one letter of a witness in a message
_BUDGET = {
    Reason.TIME: "time ran out: raise time_limit",
    Reason.NODES: "the nodes ran out: pass wc.bracket(..., wc.BranchAndBound(nodes=...)) instead of "
                  "the condition",
    Reason.BUDGET: "the budget ran out: pass wc.bracket(..., wc.Ascent(starts=...)) instead of the "
                   "condition",
    Reason.EXHAUSTED: "the proof can go no further: no budget will prove it",
    Reason.MEMORY: "memory ran out: use fewer workers or a larger machine",
    Reason.INTERRUPTED: "it was interrupted: run it again",
    Reason.CAP_ONLY: "only closed upper bounds apply at this size: no budget will prove it",
    Reason.GAP: "the engine stopped at its gap: pass wc.bracket(..., wc.BranchAndBound(gap=...)) with "
                "a smaller one",
}


def assert_holds(
    condition_or_bracket: Condition | Bracket, eps: float | None = None, *, ratio: float | None = None,
    certificate: str | os.PathLike[str] | None = None, time_limit: float | None = None, workers: int = 1,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> Bracket:
    """Pass only if it is proved that ``epsilon <= eps``, or that ``epsilon/alpha <= ratio``.

    Parameters
    ----------
    condition_or_bracket : Condition or Bracket
        A condition is bracketed until the question is decided; a bracket is only read.
    eps, ratio : float
        What epsilon, or epsilon/alpha, is compared with; exactly one of them. A condition without an alpha
        has no `ratio`.
    certificate : path, optional
        A saved bracket to read instead of a new run; it must be of this very condition. Its witness
        is evaluated again, its upper bound is trusted: ``wc.verify`` proves that again.
    time_limit : float, optional
        Seconds.
    workers : int
        Processes; -1 for every core.
    rng : int, SeedSequence or Generator
        Source of the random numbers.

    Returns
    -------
    Bracket
        With ``upper <= eps``, or ``upper <= ratio * alpha``.

    Raises
    ------
    NotProved
        Violated (the message holds the witness), or its subclass ``Undecided`` (the message says what
        is missing). Its attribute ``bracket`` is what is known.
    CertificateMismatch
        The certificate is of another condition.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.testing.assert_holds(wc.WDC(np.eye(2)), 1.01).upper <= 1.01
    True
    >>> wc.testing.assert_holds(wc.WDC(np.eye(2), 2.0), ratio=0.51).upper <= 1.02
    True
    """
    __tracebackhide__ = True
    limit = limit_of(condition_or_bracket, eps, ratio)
    return _require(_known(condition_or_bracket, limit, certificate, time_limit, workers, rng), limit,
                    Verdict.HOLDS)


def assert_violated(
    condition_or_bracket: Condition | Bracket, eps: float | None = None, *, ratio: float | None = None,
    certificate: str | os.PathLike[str] | None = None, time_limit: float | None = None, workers: int = 1,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> Bracket:
    """Pass only if it is proved that ``epsilon > eps``, or that ``epsilon/alpha > ratio``.

    Parameters, exceptions and result as of :func:`assert_holds`; the bracket has ``lower > eps``, or
    ``lower > ratio * alpha``.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.testing.assert_violated(wc.WDC(np.eye(2)), 0.9).lower > 0.9
    True
    """
    __tracebackhide__ = True
    limit = limit_of(condition_or_bracket, eps, ratio)
    return _require(_known(condition_or_bracket, limit, certificate, time_limit, workers, rng), limit,
                    Verdict.VIOLATED)


def assert_isometry(
    A: Any, net: Any, lower: float | None = None, upper: float | None = None, *,
    time_limit: float | None = 60, workers: int = 1,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> Isometry:
    """Pass only if ``lower ||u||^2 <= ||A u||^2 <= upper ||u||^2`` is proved for all range differences u.

    Parameters
    ----------
    A, net
        As of :func:`wdccheck.isometry`, and so are `time_limit`, `workers` and `rng`.
    lower, upper : float, optional
        At least one of them.

    Raises
    ------
    NotProved
        One is violated, or, its subclass ``Undecided``, not decided. Its attribute ``bracket`` is what is
        known: of the largest ratio, or of the reciprocal of the least.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.testing.assert_isometry(np.eye(2), wc.ReLUNetwork([np.eye(2)]), 0.99, 1.01).upper.proved <= 1.01
    True
    """
    __tracebackhide__ = True
    from wdccheck.certification.of_range import isometry

    if lower is None and upper is None:
        raise InvalidInput("lower and upper", "one of them at least", "none")
    found = isometry(A, net, time_limit=time_limit, workers=workers, rng=rng, lower=lower, upper=upper)
    if found.interrupted:
        raise KeyboardInterrupt  # as above
    for name, asked, one, sign in (("least", lower, found.lower, -1), ("largest", upper, found.upper, 1)):
        if asked is None or one.empty or sign * one.proved <= sign * asked:
            continue
        says = f"the {name} |A u|^2/|u|^2: {'at least' if sign < 0 else 'at most'} {asked!r} is"
        if sign * one.exhibited > sign * asked:
            raise NotProved(f"{says} violated: {one.exhibited!r} is attained, at\n{_witness(one.bracket)}",
                            one.bracket)
        stop = one.bracket.stopped.get("upper")
        raise Undecided(f"{says} undecided: {one.exhibited!r} is attained, {one.proved!r} is proved"
                        + ("" if stop is None else f"\nupper stopped by {stop}"), one.bracket)
    return found


def limit_of(given: Condition | Bracket, eps: float | None, ratio: float | None) -> Limit:
    """What is asked of a condition or of a bracket; exactly one of `eps` and `ratio`."""
    __tracebackhide__ = True
    alpha = given.alpha if isinstance(given, Bracket) else checked(given).describe().get("alpha")
    return Limit.of(alpha, eps, ratio)


def _known(
    given: Condition | Bracket, limit: Limit, path: str | os.PathLike[str] | None, time_limit: float | None,
    workers: int, rng: int | np.random.SeedSequence | np.random.Generator,
) -> Bracket:
    __tracebackhide__ = True
    if isinstance(given, Bracket):
        if path is not None:
            raise InvalidInput("certificate", "a condition beside it", "a bracket")
        return given
    from wdccheck.engines.loop import bracket, recalled

    if path is not None:
        return recalled(given, path)
    found = bracket(given, rng=rng, workers=workers, time_limit=time_limit, target=limit.eps)
    if found.interrupted:
        raise KeyboardInterrupt  # a test run ends here; it does not go on with the next test
    return found


def _require(known: Bracket, limit: Limit, wanted: Verdict) -> Bracket:
    __tracebackhide__ = True
    verdict = known.verdict(limit.eps)
    if verdict is wanted:
        return known
    name, scale, title = limit.name, limit.scale, known.condition["kind"]
    if limit.alpha is None and known.alpha is not None:
        title += f" with alpha = {known.alpha!r}"
    if verdict is Verdict.UNDECIDED:
        seed = seed_text(known.engines[0].seed) if known.engines else "0"
        raise Undecided(f"{title}: undecided whether {limit}: {_missing(known, limit, wanted)}\n"
                        f"again: wc.bracket(condition, rng={seed}, target={limit.eps!r})", known)
    if verdict is Verdict.VIOLATED:
        letters = ", ".join(f'"{letter}": {letter}' for letter in known.witness or {})
        advice = "or choose alpha by wc.calibrate(condition), " if known.alpha is not None else ""
        least = up(quotient(known.lower, scale, math.inf))
        raise NotProved(
            f"{title}: {limit} is violated: {name} >= {quotient(known.lower, scale, 0.0)!r}, "
            f"found by {known.lower_by}, at\n{_witness(known)}\nagain: condition.deviation({{{letters}}})\n"
            f"next: no budget changes this; ask for {least} or more, {advice}or change the weights",
            known)
    raise NotProved(
        f"{title}: {limit} holds, it is not violated: {name} <= {quotient(known.upper, scale, math.inf)!r}, "
        f"proved by {known.upper_by}\nnext: assert_holds passes here", known)


def _missing(known: Bracket, limit: Limit, wanted: Verdict) -> str:
    lower, upper = quotient(known.lower, limit.scale, 0.0), quotient(known.upper, limit.scale, math.inf)
    if wanted is Verdict.HOLDS:
        side, need = "upper", f"upper has to fall by {upper - limit.value:.3g}"
    else:
        side, need = "lower", f"lower has to rise by more than {limit.value - lower:.3g}"
    stop = known.stopped.get(side)
    advice = "" if stop is None else f"\n{side} stopped by {stop}"
    if stop is not None and stop.reason in _BUDGET:
        advice += f"; {_next(known, side, stop.reason)}"
    return f"{lower!r} <= {limit.name} <= {upper!r}; {need}{advice}"


def _next(known: Bracket, side: str, reason: Reason) -> str:
    """What may help; of an upper bound at a large size nothing, of one that was not searched for a search."""
    row = Row(known)
    if side == "upper" and is_known(row.kind):
        if row.capped:
            return _BUDGET[Reason.CAP_ONLY]
        if reason in (Reason.BUDGET, Reason.CAP_ONLY) and row.dimension <= named(row.kind).reach and not any(
                work.unit == "nodes" for work in known.engines):
            return "no search from above was asked for: wc.BranchAndBound() is one, where the size allows it"
    return _BUDGET[reason]


def _witness(known: Bracket) -> str:
    """The directions as numbers and bit for bit; long ones are cut, `save` keeps them whole."""
    witness: dict[str, Any] = dict(known.witness or {})
    lines = []
    for letter, value in witness.items():
        numbers, rest = [float(x) for x in value[:_SHOWN]], len(value) - _SHOWN
        if rest > 0:
            lines.append(f"  {letter} = [{', '.join(map(repr, numbers))}, and {rest} more]")
        else:
            lines += [f"  {letter} = {numbers}", f"  {letter} = {[x.hex() for x in numbers]} (hex)"]
    if any(len(value) > _SHOWN for value in witness.values()):
        lines.append("  whole: error.bracket.witness, where error is this exception")
    return "\n".join(lines)
