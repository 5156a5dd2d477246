"""Assertions for test suites: they pass only on what is proved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wdccheck.brackets import Bracket, Reason, Verdict, load
from wdccheck.errors import CertificateMismatch, InvalidInput, NotProved

if TYPE_CHECKING:
    import numpy as np

    from wdccheck.conditions.condition import Condition

__all__ = ["assert_holds", "assert_violated"]

_BUDGET = {
    Reason.TIME: "time ran out: raise time_limit",
    Reason.NODES: "the nodes ran out: pass wc.bracket(..., wc.BranchAndBound(nodes=...)) instead of "
                  "the condition",
    Reason.BUDGET: "the budget ran out: pass wc.bracket(..., wc.Ascent(starts=...)) instead of the "
                   "condition",
    Reason.MEMORY: "memory ran out: use fewer workers or a larger machine",
    Reason.INTERRUPTED: "it was interrupted: run it again",
    Reason.CAP_ONLY: "only closed upper bounds apply at this size: no budget will prove it",
    Reason.GAP: "the engine stopped at its gap: pass wc.bracket(..., wc.BranchAndBound(gap=...)) with "
                "a smaller one",
}


def assert_holds(
    condition_or_bracket: Condition | Bracket, eps: float, *,
    certificate: str | os.PathLike[str] | None = None, time_limit: float | None = None, workers: int = 1,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> Bracket:
    """Pass only if it is proved that the condition holds with constant `eps`.

    Parameters
    ----------
    condition_or_bracket : Condition or Bracket
        A condition is bracketed until the question is decided; a bracket is only read.
    eps : float
        The constant, on the scale of epsilon (not of epsilon/alpha).
    certificate : path, optional
        A saved bracket to trust instead of a new run; it must be of this very condition.
        ``wc.verify`` checks such a file.
    time_limit : float, optional
        Seconds.
    workers : int
        Processes; -1 for every core.
    rng : int, SeedSequence or Generator
        Source of the random numbers.

    Returns
    -------
    Bracket
        With ``upper <= eps``.

    Raises
    ------
    NotProved
        Violated (the message holds the witness) or undecided (it says what is missing).
    CertificateMismatch
        The certificate is of another condition.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.testing.assert_holds(wc.WDC(np.eye(2)), 1.01).upper <= 1.01
    True
    """
    known = _known(condition_or_bracket, eps, certificate, time_limit, workers, rng)
    return _require(known, eps, Verdict.HOLDS)


def assert_violated(
    condition_or_bracket: Condition | Bracket, eps: float, *,
    certificate: str | os.PathLike[str] | None = None, time_limit: float | None = None, workers: int = 1,
    rng: int | np.random.SeedSequence | np.random.Generator = 0,
) -> Bracket:
    """Pass only if it is proved that the condition does not hold with constant `eps`.

    Parameters, exceptions and result as of :func:`assert_holds`; the bracket has ``lower > eps``.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.testing.assert_violated(wc.WDC(np.eye(2)), 0.9).lower > 0.9
    True
    """
    known = _known(condition_or_bracket, eps, certificate, time_limit, workers, rng)
    return _require(known, eps, Verdict.VIOLATED)


def _known(
    given: Condition | Bracket, eps: float, path: str | os.PathLike[str] | None, time_limit: float | None,
    workers: int, rng: int | np.random.SeedSequence | np.random.Generator,
) -> Bracket:
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not eps >= 0:
        raise InvalidInput("eps", "a number >= 0", repr(eps)[:60])
    if isinstance(given, Bracket):
        if path is not None:
            raise InvalidInput("certificate", "a condition beside it", "a bracket")
        return given
    if path is None:
        from wdccheck.solve import bracket

        return bracket(given, rng=rng, workers=workers, time_limit=time_limit, target=eps)
    stored, wanted = load(path), given.describe()
    for key in ("kind", "alpha", "sha256", "layer", "options"):
        if stored.condition.get(key) != wanted.get(key):
            raise CertificateMismatch(f"{os.fspath(path)}: {key}", repr(wanted.get(key)),
                                      repr(stored.condition.get(key))[:80])
    return stored


def _require(known: Bracket, eps: float, wanted: Verdict) -> Bracket:
    verdict = known.verdict(eps)
    if verdict is wanted:
        return known
    name, alpha = known.condition["kind"], known.alpha
    title = name if alpha is None else f"{name} with alpha = {alpha!r}"
    if verdict is Verdict.VIOLATED:
        message = (f"{title} is violated: epsilon >= {known.lower!r} > eps = {eps!r}, "
                   f"found by {known.lower_by}, at\n{_witness(known)}")
    elif verdict is Verdict.HOLDS:
        message = (f"{title} is not violated: epsilon <= {known.upper!r} <= eps = {eps!r}, "
                   f"proved by {known.upper_by}")
    else:
        message = f"{title} is undecided at eps = {eps!r}: {_missing(known, eps, wanted)}"
    raise NotProved(message)


def _missing(known: Bracket, eps: float, wanted: Verdict) -> str:
    if wanted is Verdict.HOLDS:
        side, need = "upper", f"upper has to fall by {known.upper - eps:.3g}"
    else:
        side, need = "lower", f"lower has to rise by more than {eps - known.lower:.3g}"
    stop = known.stopped.get(side)
    advice = "" if stop is None else f"\n{side} stopped by {stop}"
    if stop is not None and stop.reason in _BUDGET:
        advice += f"; {_BUDGET[stop.reason]}"
    return f"{known.lower!r} <= epsilon <= {known.upper!r}; {need}{advice}"


def _witness(known: Bracket) -> str:
    witness: dict[str, Any] = dict(known.witness or {})
    return "\n".join(
        f"  {letter} = {[float(x) for x in value]}\n  {letter} = {[float(x).hex() for x in value]} (hex)"
        for letter, value in witness.items()
    )
