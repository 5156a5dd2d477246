"""Compiled and plain proofs: the same nodes, the same answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from wdccheck import _kernels
from wdccheck._kernels import Problem, plain_proof
from wdccheck.conditions.wdc.proof import Proof
from wdccheck.engines.proving.compiled_subtrees import provable, prove_subtrees
from wdccheck.engines.proving.depth_first import explore
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes

compiled = pytest.mark.skipif(_kernels.prove is None, reason="no compiled kernels: nothing to compare")
KINDS = ("gaussian", "integer", "duplicated", "negated", "sparse", "tiny", "huge", "flat")


def weights(kind, n, k, seed):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, k))
    if kind == "integer":
        W = rng.integers(-2, 3, (n, k)).astype(float)
    elif kind == "duplicated":
        W = np.vstack([W, W, 0.5 * W[:1]])
    elif kind == "negated":
        W = np.vstack([W, -2 * W[: n // 2 + 1]])
    elif kind == "sparse":
        W = W * (rng.random((n, k)) < 0.4)
    elif kind == "flat":
        W[1:] = rng.standard_normal((n - 1, 1)) * W[:1] + 1e-13 * W[1:]
    if kind in ("tiny", "huge"):  # rows of very different lengths
        W = W * 10.0 ** rng.integers(-150 if kind == "tiny" else 0, 1 if kind == "tiny" else 140, (n, 1))
    return W if W.any() else np.eye(k)


def problem(W, alpha, t):
    """A condition in its own units, its proof problem at t times their scale, and the root boxes."""
    condition = wc.WDC(W, alpha)
    gated = condition.proof.compiled
    roots = Boxes.cover({"r": W.shape[1], "s": W.shape[1]}, symmetric=("r", "s"))
    made = Problem(gated.rows, gated.positive, gated.negative, gated.alpha, gated.pad, t, MAX_DEPTH)
    return condition, made, *(np.concatenate(x).T for x in (roots.center, roots.half))


@compiled
@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(KINDS), extra=st.integers(0, 6), k=st.integers(2, 6), seed=st.integers(0, 10**6),
       t=st.floats(0.01, 3.0), alpha=st.sampled_from([1.0, 0.1, 7.0]), budget=st.integers(1, 150))
def test_both_proofs_visit_the_same_nodes(kind, extra, k, seed, t, alpha, budget):
    _, made, center, half = problem(weights(kind, k + extra, k, seed), alpha, t)
    one = _kernels.prove(made, center, half, budget, 64)
    other = plain_proof.prove(made, center, half, budget, 64)
    assert one.visited == other.visited
    for a, b in zip(one.left + one.hard, other.left + other.hard, strict=True):
        assert a.shape == b.shape
        assert np.array_equal(a, b)


@compiled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_what_is_left_and_hard_and_proved_covers_everything(kind, k):
    """No direction whose deviation exceeds t lies in a box that counts as proved."""
    rng = np.random.default_rng(k)
    W = weights(kind, 7, k, 3)
    t = 0.4
    condition, made, center, half = problem(W, 1.0, t)
    scale = condition.proof.compiled.scale
    points = {x: rng.standard_normal((4000, k)) for x in "rs"}
    points["s"][::2] = points["r"][::2] + 1e-3 * points["s"][::2]
    points["s"][::5] = -points["r"][::5] + 1e-6 * points["s"][::5]
    above = condition.deviation(points) > t * scale * (1 + 1e-9)
    for budget in (1, 40, 400, 4000):
        done = _kernels.prove(made, center, half, budget, 64)
        rest = [np.concatenate([a, b]) for a, b in zip(done.left, done.hard, strict=True)]
        for r, s in zip(points["r"][above], points["s"][above], strict=True):
            assert any(_inside(rest, a, b, k) for a, b in ((r, s), (s, r)))


def _inside(boxes, r, s, k):
    face = np.concatenate([r / np.abs(r).max(), s / np.abs(s).max()])
    return bool((np.abs(face - boxes[0]) <= boxes[1] + 1e-12).all(axis=1).any())


@compiled
def test_a_search_cut_into_pieces_proves_the_same():
    W = np.random.default_rng(0).standard_normal((12, 3)) / np.sqrt(12)
    condition, _, center, half = problem(W, 1.0, 1.0)
    low = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=32)).lower
    _, made, center, half = problem(W, 1.0, 1.1 * low / condition.proof.compiled.scale)
    whole = _kernels.prove(made, center, half, 10**7, 10**4)
    visited, pieces = 0, (center, half)
    while len(pieces[0]):
        done = _kernels.prove(made, *pieces, 37, 10**4)
        visited, pieces = visited + done.visited, done.left
        assert not len(done.hard[0])
    assert visited >= whole.visited > 1000
    assert not len(whole.left[0])


@compiled
def test_no_number_is_proved_below_a_nan():
    W = np.random.default_rng(0).standard_normal((5, 2))
    for t in (float("nan"), -1.0):
        _, made, center, half = problem(W, 1.0, t)
        done = _kernels.prove(made, center, half, 500, 10**4)
        assert len(done.left[0]) + len(done.hard[0]) > 0


@compiled
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_subtrees_and_regions_agree(k):
    """The engine of the compiled kernel and the general one prove, and refute, the same numbers."""
    W = np.random.default_rng(k).standard_normal((12, k)) / np.sqrt(12)
    condition = wc.WDC(W)
    roots = condition.proof.boxes()
    assert provable(condition.proof, roots)
    low = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=32)).lower
    high = next(iter(condition.theorems.caps())).value
    for t in (0.7 * low, high * 1.001):
        one = prove_subtrees(condition, t, 3000, float("inf"), roots)
        other = explore(condition, t, 3000, float("inf"), roots)
        for found in (one, other):
            assert (bool(found.left) or found.value > t) == (t < low)
            assert found.value == 0 or low * (1 + 1e-9) >= found.value > t


def test_plain_data_of_a_gated_sum_are_those_of_its_condition():
    W = np.vstack([np.eye(3), -0.5 * np.eye(3)])
    pair = Proof(W, 1.0, 1.0)
    data = pair.compiled
    assert data.letters == ("r", "s")
    assert np.array_equal(data.positive, np.ones(3))
    assert np.array_equal(data.negative, np.full(3, 0.25))
    assert 0 < data.pad < 1e-12
