"""The RRIC through one majorant: answers against exact thresholds and exhibited values."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import wdccheck as wc
from examples.ray_cones import holds
from examples.rric import instance, random_points
from wdccheck.conditions.rric import one_difference
from wdccheck.conditions.rric.one_difference import OneDifference
from wdccheck.errors import OutOfTime
from wdccheck.ranges import differences, image_rays
from wdccheck.ranges.copositive import Undecided, prove
from wdccheck.ranges.majorants import Majorant
from wdccheck.running import parallel


def state_of(seed, dims=(2, 6, 8), m=5):
    _, net, A = instance(seed, dims, m)
    return wc.RRIC(A, net), wc.RRIC(A, net).proof.whole()


def answered(state, margin=1.03):
    """A t near the least, proved within some rounds, and the state that proved it."""
    for _ in range(24):
        t = margin * state.least
        answer = state.ask(t, map)
        if answer.bound == t:
            return state, t
        state = answer.after
    raise AssertionError(state)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dims", [(1, 4, 6), (2, 6), (2, 6, 8), (3, 4, 5)])
def test_what_is_proved_is_above_all_that_is_exhibited(seed, dims):
    condition, state = state_of(seed, dims, 3)
    _, t = answered(state)
    points = random_points(np.random.default_rng(seed), dims[0], 4000)
    points["x3"][::2], points["x4"][::2] = points["x1"][::2], points["x2"][::2]
    assert condition.deviation(points).max() <= t


@pytest.mark.parametrize("seed", range(6))
def test_what_is_proved_holds_in_integers(seed):
    rng = np.random.default_rng(seed)
    layers = (rng.integers(-2, 3, (3, 2)) / 2.0, rng.integers(-2, 3, (3, 3)) / 2.0)
    A = rng.integers(-2, 3, (2, 3)) / 2.0
    state = OneDifference.of(differences.rescaled(layers), 2, A)
    after, t = answered(state, 1.001)
    if len(state.images.vectors):
        rays = tuple(tuple(int(x) for x in state.images.exact(i)) for i in range(len(state.images.vectors)))
        cones = SimpleNamespace(exactly=rays, simplices=state.images.simplices)
        assert holds(cones, after.majorant.matrix, t - after.majorant.pad)
        assert not holds(cones, after.majorant.matrix, 0.998 * t - after.majorant.pad)


def test_a_refutation_gives_codes_and_a_better_majorant():
    condition, state = state_of(5, (2, 12, 16), 6)
    state = replace(state, choice=replace(state.choice, seen=state.choice.seen[:0]))  # it has met nothing
    exhibited = float(condition.deviation(random_points(np.random.default_rng(0), 2)).max())
    answer = state.ask(0.9 * exhibited, map)
    assert answer.bound == np.inf and answer.after.least > state.least
    assert condition.deviation(answer.points).max() > 0.5 * answer.after.least


def test_below_what_it_has_met_it_looks_for_another_majorant_at_no_cost():
    _, state = state_of(1)
    answer = state.ask(0.9 * state.least, map)
    assert answer.nodes == 0 and answer.bound == np.inf and answer.points is None
    assert len(answer.after.choice.tried) > len(state.choice.tried)


def test_what_cannot_be_settled_is_not_asked_again(monkeypatch):
    _, state = state_of(2)
    monkeypatch.setattr(one_difference, "prove", lambda *_, **__: Undecided(np.zeros((0, 2), int), 3))
    answer = state.ask(1.1 * state.least, map)
    assert answer.bound == np.inf and answer.after.least == answer.after.floor == 1.1 * state.least


def test_the_pad_of_the_majorant_counts(monkeypatch):
    _, state = state_of(3)
    wide = replace(state, majorant=Majorant(state.majorant.matrix, 0.5 * state.least, 0.0))
    assert wide.least == pytest.approx(1.5 * state.least)
    assert wide.ask(1.4 * state.least, map).bound == np.inf
    asked = []
    monkeypatch.setattr(one_difference, "prove", lambda images, H, t, *more, **how: asked.append(t) or prove(
        images, H, t, *more, **how))
    assert wide.ask(1.6 * state.least, map).bound == 1.6 * state.least
    assert asked[0] <= 1.1 * state.least


def test_budgets_and_workers_and_deadlines():
    _, state = state_of(5, (2, 8, 12), 5)
    t = 1.005 * state.least
    one, two = (state.ask(t, partial(parallel.ordered_map, workers=n)) for n in (1, 2))
    assert (one.bound, one.nodes) == (two.bound, two.nodes)
    with pytest.raises(OutOfTime):
        state.ask(t, map, deadline=0.0)


@pytest.mark.parametrize("change", [
    (image_rays, "_NUMBERS"), (image_rays, "_OUTPUTS"), (one_difference, "_FEW")])
def test_what_is_too_much_at_once_is_left_to_groups_and_so_are_two_differences(change, monkeypatch):
    monkeypatch.setattr(*change, 3)
    condition, state = state_of(4)
    assert state is None or not state.finer
    found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(nodes=500))
    assert found.upper < wc.bracket(condition, wc.Spectral()).upper


def test_a_result_is_proved_again_by_verify(tmp_path):
    _, net, A = instance(5, (2, 8, 12), 5)
    found = wc.bracket(wc.RRIC(A, net), wc.Ascent(starts=4), wc.BranchAndBound(rtol=0.15))
    found.save(tmp_path / "found.json")
    assert found.upper <= 1.2 * found.lower
    assert {str(check.outcome) for check in wc.verify(tmp_path / "found.json") if check.counts} == {"proved"}
