"""Branch and bound: prove deviation <= t region by region, splitting where the forms fail."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from wdccheck.brackets import Bracket
from wdccheck.engines.dominance import name_of, through
from wdccheck.engines.proving.best_first import Limits, best_first
from wdccheck.engines.proving.goals import (
    capped,
    check_budget,
    ended,
    goal_of,
    in_time,
    latest,
    node_limit,
    stopped,
)
from wdccheck.engines.proving.rounds import one_round
from wdccheck.engines.proving.thresholds import by_thresholds
from wdccheck.protocol.condition import Condition, dominating, proof_of
from wdccheck.protocol.proof import BoxProof, GroupProof, WholeProof
from wdccheck.rounded_text import between
from wdccheck.running.run import Run, raised
from wdccheck.stops import Reason, Stop

__all__ = ["BranchAndBound"]

_DARE = 8  # expected cost of a round at most, over the nodes so far


@dataclass(frozen=True)
class BranchAndBound:
    """Upper bounds by bisection of regions, in rounds "prove deviation <= t".

    A round succeeds when every region is proved; t is then the new upper bound. It ends early
    at a point with a larger deviation, which raises the lower bound instead. t halves the gap, or
    divides it by more where that is cheap. t depends on finished rounds only, so the result is the
    same for any number of workers.

    Parameters
    ----------
    gap, rtol : float
        Stop once ``upper - lower <= max(gap, rtol * upper)``. The bound is then recorded larger by a
        relative 2**-40, so that other machines prove it, too: no gap of a result is smaller than that.
    nodes : int, optional
        Regions to visit, or matrices of cones to look into; a batch of tasks begun before they are used up is
        finished. None: 10**7 regions and 2 * 10**8 matrices, or as many as a time limit allows.

    Raises
    ------
    InvalidInput
        `gap` is not a number >= 0, `rtol` not in [0, 1), or `nodes` less than 1.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral(), wc.BranchAndBound(gap=0.01))
    >>> result.upper - result.lower < 0.03
    True
    """

    gap: float = 0.0
    rtol: float = 0.02
    nodes: int | None = None

    unit = "nodes"

    def __post_init__(self) -> None:
        for name, value in check_budget(self.gap, self.rtol, self.nodes).items():
            object.__setattr__(self, name, value)

    def improve(self, condition: Condition, known: Bracket, run: Run) -> Iterator[Bracket]:
        """Yield brackets with smaller `upper`, and larger `lower` where points give it."""
        known = yield from latest(capped(condition, known, run, self), known)
        stop = known.stopped.get("upper")
        exact = stop is not None and stop.reason is Reason.EXACT  # no region lowers epsilon itself
        if exact or known.upper <= self._goal(known) or run.decided(known):
            yield known if exact else stopped(known, ended(known, run, 0))
            return
        proof = proof_of(condition)
        if isinstance(proof, BoxProof):
            yield from self._by_halving(condition, proof, known, run)
            return
        if proof is not None:
            known, proof = yield from self._over_cones(condition, proof, known, run)
        above = next((one for one in dominating(condition) if isinstance(proof_of(one), BoxProof)), None)
        if above is not None:
            if known.upper > self._goal(known) and not run.decided(known):
                own = None if proof is None else known.stopped.get("upper")
                yield from self._through(above, known, run, own)
        elif proof is None:
            yield _stopped(known, Reason.CAP_ONLY, f"dimension {_sizes(condition)}, or the number of rows, is"
                           " beyond branch and bound; the upper bound is a closed formula")

    def _over_cones(
        self, condition: Condition, proof: GroupProof, known: Bracket, run: Run
    ) -> Generator[Bracket, None, tuple[Bracket, GroupProof | None]]:
        """All cones at once where the proof can, then groups; None for a proof that can do neither.

        Groups come first, too, as far as the proof wants that.
        """
        limits = Limits(self, node_limit(self.nodes, run), self._goal)
        whole = in_time(proof.whole, run) if isinstance(proof, WholeProof) else None
        if isinstance(whole, Stop):
            yield stopped(known, whole)
            return known, proof
        if whole is None:
            found = yield from self._over_groups(condition, proof, known, run, limits)
            return (known, None) if found is None else (found, proof)
        most, visited = replace(limits, nodes=node_limit(self.nodes, run, matrices=True)), 0
        if whole.groups_first:
            few = replace(limits, nodes=min(whole.groups_first, limits.nodes))
            known = (yield from self._over_groups(condition, proof, known, run, few)) or known
            if _settled(known, few, limits):
                return known, proof
            visited = known.engines[-1].work if known.engines else 0
        known = yield from latest(
            by_thresholds(condition, whole, known, run, most, proof.limit, visited), known)
        if whole.finer and known.stopped["upper"].reason is Reason.EXHAUSTED:
            visited = known.engines[-1].work
            known = (yield from self._over_groups(condition, proof, known, run, limits, visited)) or known
        return known, proof

    def _over_groups(
        self, condition: Condition, proof: GroupProof, known: Bracket, run: Run, limits: Limits,
        visited: int = 0,
    ) -> Generator[Bracket, None, Bracket | None]:
        """Groups, the largest bound first; None where the pieces are too many."""
        if (groups := in_time(proof.groups, run)) is None:
            return None
        if isinstance(groups, Stop):
            yield (known := stopped(known, groups))
            return known
        return (yield from latest(best_first(condition, groups, known, run, limits, visited=visited), known))

    def _by_halving(
        self, condition: Condition, proof: BoxProof, known: Bracket, run: Run
    ) -> Iterator[Bracket]:
        """Rounds "prove deviation <= t", t between what is refuted or stuck and what is proved."""
        roots, limit = proof.boxes(), node_limit(self.nodes, run)
        visited, stuck = 0, 0.0
        finished: list[tuple[float, int]] = []  # t and the nodes of its round
        while (goal := self._goal(known)) < known.upper and not run.decided(known):
            t = run.target if run.target is not None else _next(
                max(known.lower, stuck), goal, known.upper, finished, visited)
            if stuck >= t or known.upper - stuck <= max(self.gap, self.rtol * known.upper):
                yield _stopped(known, Reason.EXHAUSTED, proof.limit)
                return
            promising = bool(finished) or run.target is not None
            own = run if promising else run.with_(deadline=min(run.deadline, run.patience))
            for state in one_round(condition, proof, roots, t, own, limit - visited):
                run.report("BranchAndBound", known, visited + state.visited, limit, self.unit)
                yield replace(known, engines=(run.work(self, visited + state.visited),))
            visited += state.visited
            known = replace(known, engines=(run.work(self, visited),))
            if state.outcome == "proved":
                finished.append((t, state.visited))
                known = replace(known, upper=t, upper_by=repr(self))
            elif state.outcome == "refuted" and state.witness is not None:
                known = raised(known, condition, state.witness, state.value, repr(self))
            elif state.outcome == "stuck":
                stuck = t
            else:
                reason = Reason.TIME if state.outcome == "time" else Reason.NODES
                yield _stopped(known, reason, _shortfall(condition, promising, t, visited))
                return
            yield known
        yield stopped(known, ended(known, run, visited))

    def _through(
        self, above: Condition, known: Bracket, run: Run, own: Stop | None
    ) -> Iterator[Bracket]:
        """Upper bounds of a condition that dominates: they hold for the dominated one, too.

        `own` is why the condition's own proof stopped; it stands where the other cannot give less.
        """
        for found in self.improve(above, Bracket(above.describe(), lower=known.lower), run):
            known = through(known, found)
            stop = found.stopped.get("upper")
            if stop is not None:
                reason = stop.reason  # as it applies to the dominated condition
                if reason is Reason.TARGET and not run.decided(known):
                    reason = Reason.BUDGET
                elif reason in (Reason.EXACT, Reason.GAP) and self._goal(known) < known.upper:
                    reason = Reason.CAP_ONLY
                bounds = between(found.lower, "eps", found.upper)
                final = stop.reason in (Reason.EXACT, Reason.GAP, Reason.EXHAUSTED)
                if own is not None and found.upper > known.upper and (final or found.lower >= known.upper):
                    known = stopped(known, own)
                else:
                    known = _stopped(known, reason, f"{name_of(found)}: {bounds}")
            yield known

    def _goal(self, known: Bracket) -> float:
        return goal_of(known, self.gap, self.rtol)


def _next(
    lower: float, goal: float, upper: float, finished: Sequence[tuple[float, int]] = (), visited: int = 0
) -> float:
    """The t of the next round: near the middle, such that further halvings end at the goal.

    It makes several halvings at once if, by the growth between the last two rounds, they take at most
    `_DARE` times the nodes `visited` so far.
    """
    if goal <= lower:
        return (lower + upper) / 2
    halvings = round(math.log2((upper - lower) / (goal - lower))) - _at_once(lower, finished, visited)
    return max(goal, lower + (goal - lower) * 2.0**halvings)


def _at_once(lower: float, finished: Sequence[tuple[float, int]], visited: int) -> int:
    """How many halvings the growth of the nodes allows; one where it is not known."""
    if len(finished) < 2:
        return 1
    (wide, few), (narrow, many) = finished[-2:]
    if not wide - lower > narrow - lower > 0:
        return 1
    growth = math.log2(max(many / few, 1.1)) / math.log2((wide - lower) / (narrow - lower))
    return max(1, int(math.log2(_DARE * visited / many) / growth))


def _settled(known: Bracket, few: Limits, limits: Limits) -> bool:
    """Whether nothing is left to do after `few` of the nodes."""
    stop = known.stopped.get("upper")
    if stop is None or stop.reason is Reason.EXHAUSTED:
        return False
    return stop.reason is not Reason.NODES or few.nodes >= limits.nodes


def _stopped(known: Bracket, reason: Reason, detail: str) -> Bracket:
    return stopped(known, Stop(reason, detail))


def _shortfall(condition: Condition, promising: bool, t: float, visited: int) -> str:
    if promising:
        return f"{visited:,} nodes; the round for {t:.6g} was not finished"
    return (f"no progress in {visited:,} nodes: dimension {_sizes(condition)} is too large for branch and "
            f"bound within this budget; the upper bound is a closed formula")


def _sizes(condition: Condition) -> str:
    return "+".join(str(d) for d in condition.spheres.values())
