"""Branch and bound: proved uppers, honest stops, the same result for any number of workers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck.brackets import Bracket
from wdccheck.engines.branch_and_bound import _next
from wdccheck.engines.proving.depth_first import explore as _explore
from wdccheck.engines.proving.rounds import one_round
from wdccheck.running.run import Run
from wdccheck.stops import Reason


@pytest.mark.parametrize(("k", "n", "gap"), [(1, 20, 1e-6), (2, 60, 1e-3), (3, 40, 0.02)])
def test_closes_gaussian_layers(k, n, gap):
    result = wc.bracket(wc.WDC(gaussian(n, k)), wc.Spectral(), wc.MonteCarlo(8192),
                        wc.BranchAndBound(gap=gap, rtol=0.0))
    assert 0 < result.upper - result.lower <= gap
    assert result.upper_by.startswith("Fact 8" if k == 1 else "BranchAndBound")
    assert result.stopped["upper"].reason in (Reason.GAP, Reason.EXACT)


def test_k1_is_exact():
    W = gaussian(9, 1)
    plus, minus = np.sum(W[W > 0] ** 2), np.sum(W[W < 0] ** 2)
    exact = max(abs(plus - 0.5), abs(minus - 0.5))
    result = wc.bracket(wc.WDC(W), wc.Spectral(), wc.BranchAndBound(rtol=1e-9))
    assert result.lower <= exact <= result.upper <= exact * (1 + 1e-8)


def test_raises_the_lower_bound_where_the_search_was_weak():
    W = gaussian(60, 2)
    alone = wc.bracket(wc.WDC(W), wc.BranchAndBound(gap=0.01, rtol=0.0))
    assert 0 <= alone.upper - alone.lower <= 0.01
    assert alone.lower <= float(wc.WDC(W).deviation(alone.witness)) <= alone.lower * (1 + 1e-9)


def test_one_and_two_workers_agree():
    engines = (wc.Spectral(), wc.MonteCarlo(4096), wc.BranchAndBound(gap=0.02, rtol=0.0, nodes=30_000))
    one, two = (wc.bracket(wc.WDC(gaussian(50, 3)), *engines, workers=w) for w in (1, 2))
    assert (one.lower, one.upper, one.lower_by, one.upper_by) == (
        two.lower, two.upper, two.lower_by, two.upper_by)
    assert [w.work for w in one.engines] == [w.work for w in two.engines]
    assert all(np.array_equal(one.witness[x], two.witness[x]) for x in "rs")


def test_node_budget_is_respected_and_the_cap_stays():
    result = wc.bracket(wc.WDC(gaussian(60, 6)), wc.BranchAndBound(nodes=5_000))
    assert result.stopped["upper"].reason is Reason.NODES
    assert "dimension 6+6" in result.stopped["upper"].detail
    assert result.upper_by.startswith("Fact 9")
    assert result.engines[-1].work <= 2 * 5_000 + 16 * (1000 + 2048)


def test_large_dimension_says_so():
    result = wc.bracket(wc.WDC(gaussian(60, 30)), wc.BranchAndBound())
    assert result.stopped["upper"].reason is Reason.CAP_ONLY
    assert "30+30" in result.stopped["upper"].detail
    assert math.isfinite(result.upper)


def test_target_is_proved_without_closing_the_gap():
    condition = wc.WDC(gaussian(60, 3))
    near = wc.bracket(condition, wc.MonteCarlo(4096))
    result = wc.bracket(condition, wc.BranchAndBound(), target=2 * near.lower)
    assert result.upper <= 2 * near.lower
    assert result.stopped["upper"].reason is Reason.TARGET
    violated = wc.bracket(condition, wc.BranchAndBound(), target=near.lower / 2)
    assert violated.lower > near.lower / 2


def test_a_round_below_epsilon_never_succeeds():
    condition = wc.WDC(gaussian(30, 3))
    lower = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(20_000)).lower
    *_, last = one_round(condition, condition.proof, condition.proof.boxes(), lower * 0.999, Run(), 200_000)
    assert last.outcome == "refuted"
    assert last.value > lower * 0.999


def test_an_expired_task_hands_everything_back():
    condition = wc.WDC(gaussian(30, 3))
    roots = condition.proof.boxes()
    explored = _explore(condition, 0.5, 10**6, -math.inf, roots)
    assert explored.visited == 0
    assert sum(len(part) for part in explored.left) == len(roots)


def test_time_limit_zero_progress_keeps_the_cap():
    run = Run(deadline=-math.inf)
    condition = wc.WDC(gaussian(30, 3))
    *_, last = wc.BranchAndBound().improve(condition, Bracket(condition.describe()), run)
    assert last.stopped["upper"].reason is Reason.TIME
    assert last.upper == min(cap.value for cap in condition.theorems.caps())


@pytest.mark.parametrize("bad", [
    {"gap": -1.0}, {"gap": math.nan}, {"rtol": 1.0}, {"rtol": -0.1}, {"nodes": 0},
])
def test_refuses_senseless_parameters(bad):
    with pytest.raises(wc.InvalidInput):
        wc.BranchAndBound(**bad)


def test_repr_rebuilds():
    engine = wc.BranchAndBound(gap=0.1, rtol=0.0, nodes=7)
    assert eval(repr(engine), {"BranchAndBound": wc.BranchAndBound}) == engine


def test_rounds_take_more_halvings_at_once_where_that_is_cheap():
    """From (0, 16] to the goal 1: nodes that double, that grow eightfold, and a history that says nothing."""
    assert _next(0.0, 1.0, 16.0) == 8
    assert _next(0.0, 1.0, 16.0, [(64.0, 100), (32.0, 200)], 300) == 2  # 2400 nodes: 3 more doublings
    assert _next(0.0, 1.0, 16.0, [(64.0, 100), (32.0, 800)], 900) == 8
    assert _next(0.0, 1.0, 16.0, [(64.0, 100), (32.0, 101)], 10**6) == 1  # and never below the goal
    assert _next(40.0, 41.0, 56.0, [(64.0, 1), (32.0, 2)], 3) == 48  # the lower bound has passed the last t
