"""Semidefinite relaxations over cones: a solver proposes multipliers, the bound is proved again here."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.engines.proving.best_first import Limits, best_first
from wdccheck.engines.proving.goals import (
    capped,
    check_budget,
    goal_of,
    in_time,
    latest,
    node_limit,
    stopped,
)
from wdccheck.engines.proving.multipliers import tightened, whitened, with_multipliers
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.errors import InvalidInput
from wdccheck.protocol.condition import Condition, proof_of
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import GroupProof
from wdccheck.running.run import Run
from wdccheck.stops import Reason, Stop

__all__ = ["SDP"]

_LIMITS = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}  # names of the time limit
_SMALL = 20  # size up to which the interior point method of Clarabel is faster


@dataclass(frozen=True)
class SDP:
    """Upper bounds by branch and bound over groups of cones, with a semidefinite program for single ones.

    For a pair of cones, or two pairs, sup u^T D v with the constraints ``C z >= 0`` of the cones is
    at most every t for which some N >= 0 has ``t G - F - C^T N C >= 0`` (Fact 13). The solver's N is made
    nonnegative, and t is computed and proved again, rounding included: a solver that is wrong, late or
    missing makes the bound larger, never wrong.

    Parameters
    ----------
    solver : {None, "CLARABEL", "SCS"}
        None: Clarabel up to size 20, SCS above.
    seconds : float
        Time limit of one solve.
    gap, rtol, nodes
        As for :class:`BranchAndBound`.

    Raises
    ------
    InvalidInput
        An unknown solver, or a limit that is no positive number.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> rng = np.random.default_rng(0)
    >>> net = wc.ReLUNetwork([rng.standard_normal((4, 1)), rng.standard_normal((5, 4))])
    >>> wc.bracket(wc.RRIC(np.eye(5), net), wc.SDP(nodes=10)).upper < 1e-6
    True
    """

    solver: str | None = None
    seconds: float = 5.0
    gap: float = 0.0
    rtol: float = 0.02
    nodes: int | None = None

    unit = "nodes"

    def __post_init__(self) -> None:
        if self.solver is not None and self.solver not in _LIMITS:
            raise InvalidInput("solver", f"None or one of {', '.join(_LIMITS)}", repr(self.solver)[:60])
        for name, value in check_budget(self.gap, self.rtol, self.nodes).items():
            object.__setattr__(self, name, value)
        if not 0 < self.seconds < math.inf:
            raise InvalidInput("seconds", "a positive number", repr(self.seconds)[:60])

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield brackets with smaller `upper`."""
        known = yield from latest(capped(condition, known, run, self), known)
        proof = proof_of(condition)
        groups = in_time(proof.groups, run) if isinstance(proof, GroupProof) else None
        if groups is None or isinstance(groups, Stop):
            yield stopped(known, _no_groups(known) if groups is None else groups)
            return
        missing = _missing(self.solver)
        limits = Limits(self, node_limit(self.nodes, run), self._goal)
        efforts = (tightened,) if missing else (tightened, self._tightened)
        for found in best_first(condition, groups, known, run, limits, efforts):
            if missing and "upper" in found.stopped:
                stop = found.stopped["upper"]
                found = stopped(found, replace(
                    stop, detail=f"{missing}: multipliers without a solver; {stop.detail}"))
            yield found

    def _goal(self, known: Bracket) -> float:
        return goal_of(known, self.gap, self.rtol)

    def _tightened(self, form: RangeForm) -> np.ndarray:
        """Bounds (B,) by the solver's multipliers, where they are better than none."""
        bound = proved_bound(form)
        if form.cone is None or not form.cone.shape[1]:
            return bound
        few = np.flatnonzero(np.isfinite(bound) & (bound > 0) & form.cone.any(axis=(1, 2)))
        part = form.take(few)
        frame = whitened(part) if len(few) else None
        if frame is None:
            return bound
        inside, cone, length = frame
        N = np.stack([self._solved(F, C) for F, C in zip(inside, cone, strict=True)])
        proposed = with_multipliers(part, N / (length[:, :, None] * length[:, None]))
        bound[few] = np.minimum(bound[few], proved_bound(proposed))
        return bound

    def _solved(self, inside: np.ndarray, cone: np.ndarray) -> np.ndarray:
        """An N (c, c) for min t with t I - F - C^T N C >= 0; 0 if the solver has none."""
        import cvxpy

        used = np.flatnonzero(cone.any(axis=1))
        rows, none = cone[used], np.zeros((len(cone), len(cone)))
        t, N = cvxpy.Variable(), cvxpy.Variable((len(rows), len(rows)), symmetric=True)
        problem: Any = cvxpy.Problem(cvxpy.Minimize(t), [
            t * np.eye(len(inside)) - (inside + inside.T) / 2 - rows.T @ N @ rows >> 0, N >= 0])
        solver = self.solver or ("CLARABEL" if len(inside) <= _SMALL else "SCS")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # whatever it says of its accuracy, t is proved again
                problem.solve(solver=solver, **{_LIMITS[solver]: self.seconds})
        except (cvxpy.SolverError, ArithmeticError, ValueError):
            return none
        if N.value is None or np.shape(N.value) != (len(rows), len(rows)):
            return none
        none[np.ix_(used, used)] = N.value
        return none


def _no_groups(known: Bracket) -> Stop:
    """What another engine said of a bound that is no closed formula stands."""
    before = known.stopped.get("upper")
    if before is not None and before.reason is not Reason.CAP_ONLY:
        return before
    return Stop(Reason.CAP_ONLY, "no cones to constrain; the upper bound is a closed formula")


def _missing(solver: str | None) -> str:
    """What is missing of cvxpy and its solvers, "" if nothing."""
    try:
        import cvxpy
    except ImportError:
        return "cvxpy is not installed"
    installed: list[str] = cvxpy.installed_solvers()  # type: ignore[no-untyped-call]
    wanted = [solver] if solver else list(_LIMITS)
    absent = [name for name in wanted if name not in installed]
    return f"no solver {' nor '.join(absent)} is installed" if absent else ""
