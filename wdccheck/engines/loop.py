"""The one loop: engines improve a bracket, this merges what they find."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from wdccheck import brackets, result_files
from wdccheck.brackets import Bracket
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.shares import Plateau, proof_follows, share, unaffordable
from wdccheck.errors import CertificateMismatch, InvalidInput, UnsoundBound, WorkersLost
from wdccheck.linalg.inputs import limit_value, positive
from wdccheck.protocol.condition import Condition, Scaled, checked
from wdccheck.running import parallel
from wdccheck.running.progress import Event, Progress, resolve
from wdccheck.running.run import Engine, Run
from wdccheck.seeds import seed_of
from wdccheck.stops import Reason, Stop

__all__ = ["LOST", "Rng", "bracket", "cut_short", "recalled", "seed_sequence"]

LOST = "the workers were lost"
"""How a stop begins whose workers were lost."""

_SAME = 1e-9  # relative: what a lower bound may lose on another machine

_WIDER = 2.0**-40
"""Relative: what an upper bound is enlarged by. Another linear algebra library may sum n products in another
order, which moves a closed formula by a few sqrt(n) u: less than this for the largest layers."""

_LATE = Stop(Reason.TIME, "a closed formula; the time was up before the search from above")

Rng = int | np.integer | np.random.SeedSequence | np.random.Generator


def bracket(
    condition: Condition,
    *engines: Engine,
    rng: Rng = 0,
    workers: int = 1,
    time_limit: float | None = None,
    target: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | Callable[[Event], None] | bool | None = None,
) -> Bracket:
    """Bracket a condition's epsilon from both sides.

    Parameters
    ----------
    condition : Condition
        For instance ``WDC(W)``.
    *engines : Engine
        Run in this order, each on what the earlier ones know. If none: a sequence fit for the
        size, with an upper bound unless A is an operator too large to be tabulated and k is above
        3. A search engine alone leaves ``upper = inf``.
    rng : int, SeedSequence or Generator
        The same seed and the same work give the same result for any number of workers.
    workers : int
        Worker processes; -1 is every core.
    time_limit : float, optional
        Wall seconds of the whole call, shared by the engines left. None: each engine's own budget.
    target : float, optional
        Stop as soon as ``verdict(target)`` is decided.
    checkpoint : path, optional
        Kept up to date with the bracket so far; if it exists, the run starts from it. Its witness
        is evaluated again, its upper bound is trusted: use only files of your own runs.
    progress : bool, callable or Progress, optional
        True shows a live line on stderr.

    Returns
    -------
    Bracket
        Valid also after a time-out, Ctrl-C, a lack of memory or of workers, which end the call early.

    Raises
    ------
    InvalidInput
        An argument is unusable.
    CertificateMismatch
        The checkpoint belongs to another condition.
    UnsoundBound
        Two engines contradict each other: a bug. Both results are saved first.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = np.random.default_rng(0).standard_normal((40, 2)) / np.sqrt(40)
    >>> result = wc.bracket(wc.WDC(W))
    >>> result.lower <= result.upper <= 1.05 * result.lower
    True
    """
    condition, started = checked(condition), time.monotonic()
    deadline = math.inf if time_limit is None else started + positive("time_limit", time_limit)
    target = None if target is None else limit_value("target", target)
    display = resolve(progress)
    for engine in engines:
        if not hasattr(engine, "improve"):
            raise InvalidInput("engines", "engines such as Ascent()", repr(engine)[:60])
    run = Run(seed_sequence(rng), parallel.available(workers), deadline, target, display, started)
    known = Bracket(condition.describe())
    try:
        try:
            known = _resumed(condition, checkpoint, known)
            chosen = engines or default_engines(condition, target=target, limited=time_limit is not None)
            with parallel.one_blas_thread():
                for found in _steps(condition, chosen, known, run, checkpoint):
                    known = found
        finally:
            display.close()
    except (KeyboardInterrupt, MemoryError, WorkersLost) as error:
        known = cut_short(known, error)
    return known


def cut_short(known: Bracket, error: BaseException, when: str = "") -> Bracket:
    """`known`, whose search ended with Ctrl-C, a lack of memory or of workers; `when` says at what."""
    reason = Reason.MEMORY if isinstance(error, MemoryError) else Reason.INTERRUPTED
    detail = (f"{LOST}: {error}" if isinstance(error, WorkersLost) else
              "out of memory" if reason is Reason.MEMORY else "by Ctrl-C or SIGTERM")
    stop = Stop(reason, f"{detail} {when}".strip())
    return replace(known, stopped={"lower": stop, "upper": stop})


def _steps(
    condition: Condition,
    engines: tuple[Engine, ...],
    known: Bracket,
    run: Run,
    checkpoint: str | os.PathLike[str] | None,
) -> Iterator[Bracket]:
    """Run the engines one after the other; every bracket yielded is merged and valid."""
    saved, exact = known, _exact_uppers(condition, run)
    for position, engine in enumerate(engines):
        if run.decided(known) or _closed(known):
            known = _unreached(known, engines[position:], run.answer(known))
            break
        if position and run.expired():  # the first engine always runs: it may have a bound at hand
            known = _unreached(known, engines[position:], _LATE)
            break
        if position and (late := unaffordable(condition, engine, run)):
            known = replace(known, stopped={**known.stopped, "lower": Stop(Reason.TIME, late)})
            continue
        own = share(engines, position, run)
        before, plateau, near = known.engines, Plateau(known.lower, own.began), False
        for found in engine.improve(condition, known, own):
            known = _merged(known, found, exact)
            if found.engines != before:  # else it has done nothing yet
                known = replace(known, engines=before + found.engines[len(found.engines) - 1:])
            yield known
            if checkpoint is not None and (known.lower, known.upper) != (saved.lower, saved.upper):
                _keep(known, checkpoint)
                saved = known
            plateau = plateau.after(known.lower, time.monotonic())
            done = run.decided(known) or _closed(known)  # then no proof gets the time
            if not done and proof_follows(engines, position, run) and plateau.long(time.monotonic()):
                known = replace(known, stopped={**known.stopped, "lower": plateau.stop(known)})
                break
            near = "upper" in found.stopped and found.stopped["upper"].reason is Reason.GAP
        if near and all(later.unit != "nodes" for later in engines[position + 1:]):
            break  # the bracket is as narrow as the last proof was asked for
    known = _explained(known, run)
    if checkpoint is not None:
        _keep(known, checkpoint)
    yield known


def _keep(known: Bracket, checkpoint: str | os.PathLike[str]) -> None:
    result_files.saved(partial(known.save, checkpoint), "the work goes on")


def _unreached(known: Bracket, engines: tuple[Engine, ...], why: Stop | None) -> Bracket:
    """`known` with the reason why its cap was not improved, where engines that split regions were left."""
    stop = known.stopped.get("upper")
    if stop is None or stop.reason is not Reason.CAP_ONLY or all(e.unit != "nodes" for e in engines):
        return known
    return replace(known, stopped={**known.stopped, "upper": why or stop})


def _exact_uppers(condition: Condition, run: Run) -> tuple[float, ...]:
    """The upper bounds that every machine proves alike: 0, epsilon of a large alpha, and what was asked."""
    large = [condition.vacuous * condition.alpha] if isinstance(condition, Scaled) else []
    return (0.0, *large, *([] if run.target is None else [run.target]))


def _merged(known: Bracket, found: Bracket, exact: Iterable[float]) -> Bracket:
    """Both, the upper bound found enlarged so that another machine, which rounds otherwise, proves it, too.

    As it is a function of the number found, resuming enlarges nothing twice. It stops at an `exact` one.
    """
    wide = min([found.upper * (1 + _WIDER), *(value for value in exact if value >= found.upper)])
    try:
        brackets.merge(known, found)  # which looks for contradictions before anything is enlarged
        return brackets.merge(known, replace(found, upper=wide))
    except UnsoundBound as error:
        folder = Path(tempfile.mkdtemp(prefix="wdccheck-unsound-"))
        for name, one in (("first", error.first), ("second", error.second)):
            one.save(folder / f"{name}.json")
        raise UnsoundBound(f"{error}; both saved in {folder}", error.first, error.second) from None


def _closed(known: Bracket) -> bool:
    """Whether both sides meet; a supremum over nothing is 0 without a witness."""
    return known.closed and (known.witness is not None or known.upper == 0)


def _explained(known: Bracket, run: Run) -> Bracket:
    """`known` with a reason for each side for which no engine gave one."""
    if answer := run.answer(known):
        default = answer
    elif _closed(known):
        default = Stop(Reason.EXACT, "both sides meet")
    elif run.expired():
        default = Stop(Reason.TIME, "the time limit was reached")
    else:
        default = Stop(Reason.BUDGET, "no engine was asked for this side")
    return replace(known, stopped={"lower": default, "upper": default, **known.stopped})


def _resumed(condition: Condition, checkpoint: str | os.PathLike[str] | None, new: Bracket) -> Bracket:
    """What the file holds, without the reasons why that ended; a `new` bracket where there is none."""
    if checkpoint is not None and not isinstance(checkpoint, str | os.PathLike):
        raise InvalidInput("checkpoint", "the name of a file", repr(checkpoint)[:60])
    if checkpoint is None:
        return new
    result_files.check_target(checkpoint)
    if not Path(checkpoint).exists():
        return new
    return replace(recalled(condition, checkpoint), stopped={})


def recalled(condition: Condition, path: str | os.PathLike[str]) -> Bracket:
    """The bracket that a file holds, if it is of this very condition.

    The witness is evaluated again, and `lower` is what it gives here if that is less: another
    linear algebra library may move its last digits. `upper` is trusted, unless the witness exceeds it.

    Raises
    ------
    CertificateMismatch
        It is of another condition, or its witness does not give its lower bound.
    InvalidInput
        The file is no bracket.
    """
    __tracebackhide__ = True  # pytest shows the test that asked
    saved, wanted = brackets.load(path), checked(condition).describe()
    for key in ("kind", "alpha", "layer", "sha256", "options"):
        if saved.condition.get(key) != wanted.get(key):
            raise CertificateMismatch(f"{os.fspath(path)}: {key}", repr(wanted.get(key)),
                                      repr(saved.condition.get(key))[:80])
    thing, letters = f"{os.fspath(path)}: witness", {x for block in condition.spheres for x in block}
    if saved.witness is None:
        if saved.lower > 0:
            raise CertificateMismatch(thing, f"one of the lower bound {saved.lower!r}", "none")
        return replace(saved, condition=wanted)
    if set(saved.witness) != letters:
        raise CertificateMismatch(thing, f"the letters {sorted(letters)}", repr(sorted(saved.witness))[:80])
    here = condition.lower_bound(saved.witness)
    if not saved.lower * (1 - _SAME) <= here <= saved.upper:
        raise CertificateMismatch(thing, f"a deviation from {saved.lower!r} to {saved.upper!r}", repr(here))
    return replace(saved, condition=wanted, lower=min(saved.lower, here))


def seed_sequence(rng: Rng) -> np.random.SeedSequence:
    """The root of all random numbers of a call."""
    if isinstance(rng, np.random.SeedSequence):
        seed_of(rng)  # refused now rather than when it is recorded
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise InvalidInput("rng", "an integer >= 0, a SeedSequence or a Generator", repr(rng)[:60])
    return np.random.SeedSequence(int(rng))
