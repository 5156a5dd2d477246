"""The coherence by thresholds: exact values of pairs of cones, groups of rows, what is known of each row."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

import wdccheck as wc
from examples.coherence import ISOMETRIES, instance, orthonormal
from wdccheck.conditions.coherence import proof, rows
from wdccheck.conditions.coherence.rows import Rows
from wdccheck.errors import OutOfTime
from wdccheck.protocol.search import batch_size
from wdccheck.ranges.cone_pairs import WAYS
from wdccheck.ranges.copositive import prove

PHASES = 24
FINE = 1 / math.cos(math.pi / (2 * PHASES))  # what a phase between two of them may add


def supremum(images, parts):
    """max |<U_j, u>| / ||u||: for a real row and a pair of cones K the length of its projection on K."""
    turns = np.linspace(0, np.pi, PHASES, endpoint=False) if len(parts) == 2 else np.zeros(1)
    wanted = np.einsum("pc,cmn->pmn", np.stack([np.cos(turns), np.sin(turns)])[: len(parts)].T, parts)
    wanted = np.concatenate([wanted, -wanted]).reshape(-1, parts.shape[2])
    lengths = np.einsum("bn,bn->b", wanted, wanted)
    cones = [images.vectors[cone[cone >= 0]] for cone in images.simplices]
    best = 0.0
    for one in cones:
        for two in cones:
            K = np.concatenate([one, -two]).T
            left = [nnls(K, a)[1] for a in wanted]
            best = max(best, float(np.sqrt(np.maximum(lengths - np.square(left), 0.0)).max()))
    return best, best * (FINE if len(parts) == 2 else 1) * (1 + 1e-6)


def asked(U, net):
    return wc.Coherence(U, net).proof.whole()


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("kind", ["rows", "columns", "fourier", "one complex row"])
@pytest.mark.parametrize("dims, seed", [((1, 4, 5), 0), ((2, 3, 4), 1), ((2, 3, 4), 2), ((3, 2), 3)])
def test_bounds_hold_the_exact_value(dims, seed, kind):
    _, net, U = instance(seed, dims, kind)
    proof = wc.Coherence(U, net).proof
    low, high = supremum(proof.whole().images, proof.parts)
    result = wc.bracket(wc.Coherence(U, net), wc.Ascent(starts=64), wc.BranchAndBound(rtol=0.005))
    assert result.lower <= high and low * (1 - 1e-9) <= result.upper
    assert result.upper <= high * 1.006


@pytest.mark.usefixtures("short_climbs")
def test_dead_outputs_and_rows_that_see_nothing():
    rng = np.random.default_rng(4)
    last = np.vstack([rng.standard_normal((3, 4)), -np.ones((2, 4))])
    net = wc.ReLUNetwork([np.vstack([np.eye(2), -np.eye(2)]), last])
    U = np.vstack([np.eye(5), np.zeros((3, 5))])
    state = asked(U, net)
    assert (state.bounds[3:] == 0).all() or (state.bounds[3:] < 1e-60).all()
    result = wc.bracket(wc.Coherence(U, net), wc.Ascent(starts=64), wc.BranchAndBound(rtol=0.01))
    low, high = supremum(state.images, np.ldexp(state.parts, state.exponent))
    assert low * (1 - 1e-9) <= result.upper <= high * 1.011 and result.lower <= high


def test_rows_are_proved_together_and_only_where_they_are_not_known(monkeypatch):
    _, net, U = instance(9, (2, 6, 8), "square")
    state, forms = asked(U, net), []
    def noted(images, H, *more, **how):
        forms.append(H)
        return prove(images, H, *more, **how)

    monkeypatch.setattr(rows, "prove", noted)
    answer = state.ask(0.98, map)
    assert answer.bound <= 0.98 and len(forms) < len(U)
    assert (answer.after.bounds <= 0.98).all()
    again = answer.after.ask(0.99, map)
    assert again.nodes == 0 and again.bound == answer.bound


def test_refutations_exhibit_what_they_say():
    _, net, U = instance(6, (2, 4, 5), "fourier")
    condition, state = wc.Coherence(U, net), asked(U, net)
    for t in (0.2, 0.5):
        answer = state.ask(t, map)
        assert answer.bound > t and condition.deviation(answer.points).max() > t


def test_a_group_that_is_refuted_is_divided_and_a_row_ends_the_question(monkeypatch):
    _, net, U = instance(6, (2, 4, 5), "rows")
    condition = wc.Coherence(U, net)
    low, _ = supremum(condition.proof.whole().images, condition.proof.parts)
    monkeypatch.setattr(Rows, "_climbed", lambda self, form, rows: (self, 0.0))
    state = replace(condition.proof.whole(), seen=np.zeros((1, len(U))))
    assert state.ask(1.01 * low, map).bound <= 1.01 * low
    for t in (0.99 * low, (1 - 1e-6) * low):
        answer = state.ask(t, map)
        assert answer.after.stuck == t and condition.deviation(answer.points).max() > t


def test_what_one_row_proves_says_nothing_of_another(monkeypatch):
    _, net, U = instance(6, (2, 4, 5), "rows")
    state = asked(U, net)
    parts = np.ldexp(state.parts, state.exponent)
    sups = [supremum(state.images, parts[:, [row]])[0] for row in range(len(U))]
    order = np.argsort(sups)  # the one that is refuted comes last
    monkeypatch.setattr(Rows, "group", lambda self, t: order[self.bounds[order] > t][:1])
    t = (sups[order[-1]] + sups[order[-2]]) / 2
    answer = state.ask(t, map)
    assert (answer.after.bounds[order[:-1]] <= t).all() and answer.bound > t


def test_the_pad_of_a_form_counts(monkeypatch):
    _, net, U = instance(6, (2, 4, 5), "rows")
    state, form, asked_for = asked(U, net), Rows._form, []
    monkeypatch.setattr(Rows, "_form", lambda self, rows: (form(self, rows)[0], 0.125))

    def noted(images, H, level, *more, **how):
        asked_for.append(level)
        return prove(images, H, level, *more, **how)

    monkeypatch.setattr(rows, "prove", noted)
    state.ask(0.9, map)
    assert asked_for and max(asked_for) <= math.ldexp(0.9, -state.exponent) ** 2 - 0.125


def test_what_the_work_does_not_suffice_for_is_not_claimed():
    _, net, U = instance(9, (3, 6, 8))
    state = asked(U, net)
    answer = state.ask(0.999, map, nodes=1)
    assert answer.bound == state.bounds.max() and answer.after.stuck == 0.999
    with pytest.raises(OutOfTime):
        state.ask(0.999, map, deadline=time.monotonic() - 1)
    tiny = state.least * 0.5
    assert state.ask(tiny, map).bound == state.bounds.max()


@pytest.mark.parametrize("kind", ISOMETRIES)
def test_a_form_is_the_sum_of_its_rows_up_to_the_pad(kind):
    _, net, U = instance(3, (2, 4, 6), kind)
    state = asked(U, net)
    chosen = np.arange(0, len(U), 2)
    form, pad = state._form(chosen)
    exact = sum(np.outer(a, a) for a in state.parts[:, chosen].astype(np.longdouble).reshape(-1, len(form)))
    assert np.array_equal(form, form.T) and np.linalg.norm((form - exact).astype(float)) <= pad < 1e-12


def test_a_form_that_is_halved_is_noticed(monkeypatch):
    """The proof rests on H_j: with half of it what is proved is below the exact value."""
    _, net, U = instance(8, (2, 4, 5), "fourier")
    state, form = asked(U, net), Rows._form
    low, _ = supremum(state.images, np.ldexp(state.parts, state.exponent))
    assert state.ask(0.9 * low, map).bound > low
    monkeypatch.setattr(Rows, "_form", lambda self, rows: (form(self, rows)[0] / 2, form(self, rows)[1]))
    assert state.ask(0.9 * low, map).bound < low


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("kind", ["rows", "fourier"])
def test_three_latent_dimensions_close(kind):
    _, net, U = instance(0, (3, 6, 8), kind)
    result = wc.bracket(wc.Coherence(U, net), wc.Ascent(starts=64), wc.BranchAndBound())
    assert result.upper - result.lower <= 0.02 * result.upper * (1 + 1e-9)
    assert result.stopped["upper"].reason.value == "gap"


def test_forms_of_many_rows_come_in_pieces(monkeypatch):
    """No array of them has more numbers than `_ENTRIES`, unless it is of one span; all regions get theirs."""
    monkeypatch.setattr(proof, "_ENTRIES", 2**14)
    rng, net, _ = instance(3, (2, 6, 10))
    seen = wc.Coherence(orthonormal(rng, 90, 10), net).proof
    groups = seen.groups()
    while len(groups) < 300:
        groups = groups.split()
    assert batch_size(seen) <= 2**20 // (10 * 12)
    items = list(seen.forms(groups))
    spans = [span for way in WAYS for span in seen._pairs.spans(groups.nodes, way, proof._COLUMNS)]
    assert sum(len(owners) for owners, _ in items) == 90 * sum(len(span.owners) for span in spans)
    sizes = [max(x.size for x in (form.gram, form.form, form.cone)) for _, (form,) in items]
    assert all(size <= 2**14 or len(owners) == 90 for size, (owners, _) in zip(sizes, items, strict=True))
    monkeypatch.setattr(proof, "_ENTRIES", 2**30)
    whole = list(seen.forms(groups))
    assert len(items) > 4 * len(whole) > 0
    for numbers in (lambda item: item[0], lambda item: np.trace(item[1][0].form, axis1=1, axis2=2)):
        one, other = (np.concatenate([numbers(item) for item in found]) for found in (items, whole))
        assert np.array_equal(one, other)


@pytest.mark.parametrize("make", [
    lambda net: wc.Coherence(np.eye(5), net), lambda net: wc.RRIC(np.eye(5), net),
    lambda net: wc.R2WDC(net, 2), lambda net: wc.WDC(net.layers[0]),
    lambda net: wc.JointWDC(net.layers[0], net.layers[0])])
def test_every_proof_by_regions_says_what_one_takes(make):
    net = wc.ReLUNetwork([np.ones((4, 2)), np.ones((5, 4))])
    assert 0 < make(net).proof.width < 10_000
