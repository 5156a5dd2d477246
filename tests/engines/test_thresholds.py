"""Upper bounds of everything at once: which t are asked, when it ends, what is recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.engines import branch_and_bound
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.proving.best_first import Limits
from wdccheck.engines.proving.goals import goal_of
from wdccheck.engines.proving.thresholds import by_thresholds
from wdccheck.errors import OutOfTime
from wdccheck.protocol.proof import Answer
from wdccheck.running.run import Run
from wdccheck.stops import Reason

CONDITION = wc.WDC(np.eye(2), alpha=0.5)


@dataclass(frozen=True)
class State:
    """Proves what is at least `truth`; each refutation lowers `least` by a tenth of what it is above it."""

    truth: float
    least: float
    answers: str = "truth"  # or "stuck", "late", "refuses"
    step: float = 0.1
    finer: bool = False
    groups_first: int = 0
    keeps: float = 0.5

    @property
    def margin(self):
        return 2.0**-5 if self.floor < self.least else 0.0

    @property
    def floor(self):
        return self.truth

    def ask(self, t, map, nodes=np.inf, deadline=np.inf):
        list(map(abs, [1, 2, 3]))
        if self.answers == "late":
            raise OutOfTime("late")
        if self.answers == "stuck":
            return Answer(replace(self, least=max(self.least, t)), 7)
        if self.answers == "truth" and t >= max(self.truth, self.least):
            return Answer(self, 10, t)
        return Answer(replace(self, least=self.least - self.step * (self.least - self.truth)), 5)

    def remark(self, lower):
        return "; a remark"


def found(state, upper=4.0, lower=0.0, **run):
    engine = wc.BranchAndBound(gap=1e-9, rtol=run.pop("rtol", 0.02))
    limits = Limits(engine, run.pop("nodes", np.inf), lambda known: goal_of(known, engine.gap, engine.rtol))
    known = wc.Bracket(CONDITION.describe(), lower=lower, upper=upper)
    *_, last = by_thresholds(CONDITION, state, known, Run(**run), limits, "a limit")
    return last


@dataclass(frozen=True)
class Unknown(State):
    """Nobody knows which t is within reach; all that are asked are noted."""

    asked: tuple = ()
    margin = np.inf

    def ask(self, t, map, nodes=np.inf, deadline=np.inf):
        answer = super().ask(t, map, nodes, deadline)
        return replace(answer, after=replace(answer.after, asked=(*answer.after.asked, t)))

    def remark(self, lower):
        return f" {self.asked}"


@pytest.mark.parametrize("keeps", [0.5, 0.7])
@pytest.mark.parametrize("upper", [1.5, 9.0])
def test_where_no_margin_is_known_thresholds_go_down_from_the_bound(upper, keeps):
    """Each keeps a part of what the last one was above the least."""
    known = found(Unknown(1.0, 1.0, keeps=keeps), upper)
    asked = [float(t) for t in str(known.stopped["upper"]).rpartition("(")[2].rstrip(")").split(",")]
    np.testing.assert_allclose(np.array(asked[:6]) - 1, (upper - 1) * keeps ** np.arange(1, 7), rtol=1e-9)
    assert known.upper == asked[-1] <= 1.002


def test_an_unknown_margin_under_no_bound():
    assert found(Unknown(1.0, 1.0), np.inf).upper < 1.01


@pytest.mark.parametrize("least", [1.0, 1.2, 3.9])
def test_it_ends_near_the_least_that_can_be_proved(least):
    known = found(State(1.0, least))
    assert 1.0 <= known.upper <= max(1.0, least) * 1.04
    assert known.stopped["upper"].reason is Reason.EXHAUSTED and "a limit" in str(known.stopped["upper"])
    assert str(known.stopped["upper"]).endswith("; a remark")
    assert found(State(1.0, 1.0)).upper <= 1.0021


def test_it_ends_at_the_goal():
    known = found(State(0.9, 0.9), lower=0.95)
    assert known.upper == pytest.approx(0.95 / 0.98) and known.stopped["upper"].reason is Reason.GAP
    assert known.upper_by == "BranchAndBound(gap=1e-09, rtol=0.02, nodes=None)"


def test_a_target_is_asked_for_itself():
    known = found(State(1.0, 1.1), target=1.03)
    assert known.upper == 1.03 and known.stopped["upper"].reason is Reason.TARGET
    assert found(State(1.0, 1.0), target=0.5).stopped["upper"].reason is Reason.EXHAUSTED


@pytest.mark.parametrize("answers", ["stuck", "refuses"])
@pytest.mark.parametrize("target", [None, 1.5])
@pytest.mark.parametrize("least", [0.0, 1e-300, 1.0])
def test_it_ends_where_nothing_is_proved(answers, target, least):
    known = found(State(0.5 * least, least, answers), target=target)
    assert known.upper == 4 and known.stopped["upper"].reason is Reason.EXHAUSTED


def test_it_ends_by_time_and_by_nodes():
    assert found(State(1.0, 1.0, "late")).stopped["upper"].reason is Reason.TIME
    assert found(State(1.0, 1.0), deadline=time.monotonic() - 1).stopped["upper"].reason is Reason.TIME
    known = found(State(1.0, 3.0), nodes=12)
    assert known.stopped["upper"].reason is Reason.NODES and 12 <= known.engines[-1].work < 24


def test_too_many_groups_leave_what_thresholds_proved():
    """Three equal units that nearly cancel: five cones, of which boxes find far too many."""
    layers = [np.array([[0.1, 0.3]] * 3 + [[0.2, -0.7]]),
              np.array([[0.1, 0.2, -(0.1 + 0.2), 0], [0, 0.3, -0.1, 1], [0.7, -0.4, -0.3, 0.5]])]
    condition = wc.RRIC(np.array([[1, 0.5, 0.2], [0.3, -2, 1], [0.1, 0, 0.4]]), wc.ReLUNetwork(layers))
    vars(condition.proof)["_pairs"] = None  # what takes it seconds to find
    known = wc.bracket(condition, wc.BranchAndBound(), wc.SDP())
    assert known.upper_by.startswith("BranchAndBound")
    assert known.stopped["upper"].reason is Reason.EXHAUSTED
    assert wc.BranchAndBound() in default_engines(condition)


@pytest.mark.parametrize("condition", [
    wc.RRIC(np.eye(2), wc.ReLUNetwork([np.eye(2), -np.eye(2)])),
    wc.RRIC(np.eye(2), wc.ReLUNetwork([np.ones((2, 1))])),
    wc.WDC(np.eye(12)), wc.WDC(np.ones((3, 1)))], ids=["dead", "two rays", "large", "all pairs"])
def test_a_closed_formula_is_proved_again(condition, tmp_path):
    known = wc.bracket(condition, wc.BranchAndBound())
    known.save(tmp_path / "cap.json")
    assert {str(check.outcome) for check in wc.verify(tmp_path / "cap.json") if check.counts} == {"proved"}
    assert known.upper > 0 or known.stopped["upper"].reason is Reason.EXACT


@pytest.mark.parametrize("nodes, limit, most", [(None, None, 2 * 10**8), (None, 9.0, np.inf), (7, None, 7)])
def test_matrices_of_cones_have_a_budget_of_their_own(nodes, limit, most, monkeypatch):
    budgets = []

    def noted(condition, state, known, run, limits, *rest):
        budgets.append(limits.nodes)
        yield from by_thresholds(condition, state, known, run, limits, *rest)

    monkeypatch.setattr(branch_and_bound, "by_thresholds", noted)
    net = wc.ReLUNetwork([np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])])
    wc.bracket(wc.RRIC(np.array([[1.0, 0.0, 0.5]]), net), wc.MonteCarlo(samples=8),
               wc.BranchAndBound(nodes=nodes, rtol=0.0), time_limit=limit)
    assert budgets == [most]
