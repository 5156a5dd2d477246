"""Attacks on proofs of subtrees, by either kernel, and on Gram matrices: they never claim too much."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import exact_dot, fractions
from wdccheck import _kernels
from wdccheck._kernels import Problem, plain_proof, reference
from wdccheck.engines.proving import compiled_subtrees
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes
from wdccheck.linalg import rounding

compiled = pytest.mark.skipif(_kernels.prove is None, reason="no compiled kernels")
KERNELS = [pytest.param(_kernels.prove, 1, id="compiled", marks=compiled),
           pytest.param(plain_proof.prove, 30, id="plain")]  # with how many times fewer cases
BELOW = 1 - 1e-13


def layer(W, alpha):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # n < k
        return wc.WDC(W, alpha)


def posed(condition, t):
    """The problem of a condition at t."""
    gated = condition.proof.compiled
    return Problem(gated.rows, gated.positive, gated.negative, gated.alpha, gated.pad, t / gated.scale,
                   MAX_DEPTH)


def faces(k):
    """Root boxes."""
    roots = Boxes.cover({"r": k, "s": k}, symmetric=("r", "s"))
    return tuple(np.concatenate(x).T for x in (roots.center, roots.half))


def claimed(done, r, s):
    """Whether neither (r, s) nor (s, r) lies in a box that is left or hard: it counts as proved."""
    center, half = (np.concatenate(x) for x in zip(done.left, done.hard, strict=True))
    on = [x / np.abs(x).max() for x in (r, s)]
    pairs = (np.concatenate(on), np.concatenate(on[::-1]))
    return not any((np.abs(x - center) <= half + 1e-12).all(axis=1).any() for x in pairs)


# -- a search that is led to one corner, through walls that pass next to it -----------------------------


def cornered(rng, k):
    """A pair of boxes, their lowest corner, and rows many of which vanish there, nearly or exactly."""
    face, sign = rng.integers(0, k, 2), rng.choice([-1.0, 1.0], 2)
    depth = rng.integers(0, 30, (2, k)) if rng.random() < 0.6 else np.full((2, k), rng.integers(0, 8))
    half = 2.0**-depth
    corner = np.floor(rng.uniform(0, 1, (2, k)) * 2.0**depth) * 2 * half - 1
    if rng.random() < 0.4:  # r = s
        face[1], sign[1], corner[1], half[1] = face[0], sign[0], corner[0], half[0]
    center = corner + half
    for x in (0, 1):
        corner[x, face[x]] = center[x, face[x]] = sign[x]
        half[x, face[x]] = 0.0
    rows = rng.standard_normal((int(rng.integers(1, 3 * k + 4)), k))
    kind = rng.choice(["gaussian", "integer", "positive", "negated", "heavier", "mixed scales"])
    if kind == "integer":
        rows = rng.integers(-2, 3, rows.shape).astype(float)
    elif kind == "positive":
        rows = np.abs(rows)
    elif kind == "negated":
        rows = np.vstack([rows, -rows[: len(rows) // 2 + 1]])
    elif kind == "heavier":  # the opposite side of a line weighs more
        rows = np.vstack([rows] * 3)
    elif kind == "mixed scales":
        rows *= 10.0 ** rng.uniform(-9, 0, (len(rows), 1))
    for i in np.flatnonzero(rng.random(len(rows)) < 0.6):
        x = int(rng.integers(0, 2))
        if rng.random() < 0.6:
            rows[i] = np.abs(rows[i]) * rng.choice([-1, 1])  # the corner is where w.x is extreme
        rest = np.delete(rows[i] * corner[x], face[x]).sum()
        wall = -rest / corner[x, face[x]]
        rows[i, face[x]] = rng.choice([wall, np.nextafter(wall, 9), np.nextafter(wall, -9)])
    if kind == "heavier":
        third = len(rows) // 3
        rows[third: 2 * third], rows[2 * third:] = -rows[:third], -rows[:third]
    rows[np.abs(rows) < 1e-290] = 0.0
    return rows if rows.any() else np.eye(k), corner, center, half


@pytest.mark.parametrize("prove, fewer", KERNELS)
@pytest.mark.parametrize("k", range(2, 8))
def test_no_corner_is_proved_below_the_deviation_next_to_it(prove, fewer, k):
    """Depth first comes to the lowest corner of all nested boxes, with all that is carried along."""
    rng = np.random.default_rng(k)
    deepest = 0
    for _ in range(90 // fewer):
        W, corner, center, half = cornered(rng, k)
        condition = layer(W, float(rng.choice([1.0, 0.1, 5.0, np.sum(W * W) / k])))
        around = [corner + e * rng.uniform(0, 2, (2, k)) * half for e in (0, 1e-14, 1e-12, 1e-9, 1e-4)]
        r, s = max(around, key=lambda x: float(condition.deviation({"r": x[0], "s": x[1]})))
        if np.array_equal(center[0] == center[1], half.sum(axis=0) == 0) and (r < s).any():
            r, s = s, r  # perhaps only the mirror image is looked into
        low = condition.lower_bound({"r": r, "s": s})
        problem = posed(condition, low * BELOW)
        boxes = [np.concatenate([x.reshape(1, -1), x[::-1].reshape(1, -1)]) for x in (center, half)]
        done = prove(problem, *boxes, 80 * k, 1)
        deepest += len(done.hard[0])
        assert not claimed(done, r, s)
    assert deepest >= 45 // fewer


# -- from all faces, just below the best known deviation -----------------------------------------------


def zoo(k):
    """Name to weights and alpha."""
    rng = np.random.default_rng(k)
    G = rng.standard_normal((3 * k, k)) / math.sqrt(3 * k)
    Z = rng.integers(-1, 2, (2 * k + 2, k)).astype(float)
    wide = G * 10.0 ** rng.uniform(-120, 0, (len(G), 1))
    return {
        "gaussian": (G, 1.0), "integer": (Z, 2.0), "ties": (np.vstack([np.eye(k), np.ones((2, k))]), 1.0),
        "duplicated": (np.vstack([G, G, G[:1] / 3]), 2.0), "negated": (np.vstack([G, -G]), 1.0),
        "opposite": (np.vstack([G, -3 * G[:2]]), 1.0),
        "heavier": (np.vstack([G[:4], -G[:4], -G[:4]]), 1.0),
        "one line": (np.outer([1.0, -1.0, -1.0], G[0]), 0.1),
        "zero rows": (np.vstack([G, np.zeros((2, k))]), 1.0),
        "thin": (np.hstack([G[:, :-1], 1e-15 * G[:, -1:]]), 1.0), "mixed": (wide, 1.0),
        "tiny": (1e-140 * G, 1e-280), "huge": (1e140 * G, 1e280), "tiny alpha": (G, 1e-280),
        "huge alpha": (G, 1e280), "few rows": (G[:k], 1.0), "faint": (1e-160 * G, 1.0),
        "trained": (np.maximum(G, 0) + 0.01, 1.0),
    }


@cache
def best_known(k):
    """Conditions of the zoo, each with a bracket of a search alone."""
    conditions = [layer(W, alpha) for W, alpha in zoo(k).values()]
    return [(x, wc.bracket(x, wc.Spectral(), wc.MonteCarlo(4096))) for x in conditions]


@pytest.mark.parametrize("prove, fewer", KERNELS)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_best_known_pair_is_never_proved_away(prove, fewer, k):
    for condition, found in best_known(k):
        assert found.lower > 0
        done = prove(posed(condition, found.lower * BELOW), *faces(k), 6000 // (2 * fewer), 2000)
        assert not claimed(done, *(np.asarray(found.witness[x]) for x in "rs"))


@compiled
@pytest.mark.parametrize("k", [2, 3])
def test_bounds_of_every_kind_of_weights_exceed_what_is_attained(k):
    for condition, found in best_known(k):
        upper = wc.bracket(condition, wc.BranchAndBound(nodes=1)).upper
        assert found.lower <= upper <= max(2 * np.sum(condition.W**2), condition.alpha)


@compiled
@pytest.mark.parametrize("name", sorted(set(zoo(2)) - {"opposite", "heavier", "one line", "thin"}))
def test_the_whole_proof_fails_just_below_the_supremum(name):
    """A little above it there is nothing that the kernel leaves; lines of those left out seem dependent."""
    condition = layer(*zoo(2)[name])
    low = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=1)).lower
    below, above = (_kernels.prove(posed(condition, low * factor), *faces(2), 10**6, 100)
                    for factor in (BELOW, 1.002))
    assert len(below.hard[0])
    assert not len(above.left[0]) and not len(above.hard[0])


@compiled
@pytest.mark.parametrize("k", [2, 3])
def test_hundreds_of_small_layers(k):
    rng = np.random.default_rng(k)
    for _ in range(60):
        W = rng.standard_normal((int(rng.integers(k, 8)), k))
        W = np.round(W * 2) / 2 if rng.random() < 0.5 else W
        condition = layer(W if W.any() else np.eye(k), float(10 ** rng.uniform(-1, 1)))
        pairs = rng.standard_normal((2, 300, k))
        pairs[1, ::2] = rng.choice([-1, 1], (150, 1)) * pairs[0, ::2] + 1e-7 * pairs[1, ::2]
        best = int(np.argmax(condition.deviation({"r": pairs[0], "s": pairs[1]})))
        low = condition.lower_bound({"r": pairs[0, best], "s": pairs[1, best]})
        done = _kernels.prove(posed(condition, low * BELOW), *faces(k), 20_000, 500)
        assert not claimed(done, *pairs[:, best])


# -- every pair is proved, left, hard, or the mirror image of one that is -------------------------------


@pytest.mark.parametrize("prove, fewer", KERNELS)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_nothing_is_dropped_wherever_a_search_ends(prove, fewer, k):
    """Below 0 nothing can be proved: what is left and hard covers all pairs."""
    rng = np.random.default_rng(k)
    W = np.vstack([rng.standard_normal((4, k)), np.eye(k), np.ones((1, k))])
    problem = posed(layer(W, 1.0), -1.0)
    pairs = rng.standard_normal((200, 2, k))
    pairs[::2, 1] = pairs[::2, 0] + 1e-3 * pairs[::2, 1]
    for budget, room in ((1, 64), (7, 64), (300, 64), (9000 // fewer, 64), (500, 1), (9000 // fewer, 10**4)):
        done = prove(problem, *faces(k), budget, room)
        assert done.visited <= budget and len(done.hard[0]) <= room
        assert not any(claimed(done, r, s) for r, s in pairs)


@pytest.mark.parametrize("prove, fewer", KERNELS)
def test_only_mirror_images_are_left_out(prove, fewer):
    """k = 2, edges cut into 8: of a face with itself the 21 of 64 pairs with a gap from r up to s."""
    problem = replace(posed(layer(np.array([[1.0, 0.3], [0.2, 1.0], [0.5, -0.7]]), 1.0), -1.0), cuts=3)
    center, half = faces(2)
    same = (center[:, :2] == center[:, 2:]).all(axis=1)
    for chosen, part in ((~same, 1.0), (same, 43 / 64)):
        done = prove(problem, center[chosen], half[chosen], 10**4, 10**4)
        assert volume(done) == pytest.approx(4 * chosen.sum() * part)
        assert not len(done.left[0])


def volume(done):
    """Of what is left and hard: products of the edges, faces apart."""
    half = np.concatenate([done.left[1], done.hard[1]])
    return float(np.sum(np.prod(np.where(half > 0, 2 * half, 1.0), axis=1)))


# -- numbers that are none, searches that are stopped ---------------------------------------------------


@pytest.mark.parametrize("prove, fewer", KERNELS)
@pytest.mark.parametrize("where, value", [
    (where, value) for where in ("rows", "positive", "alpha", "pad", "t") for value in (math.nan, math.inf)])
def test_nothing_is_proved_with_numbers_that_are_none(prove, fewer, where, value):
    problem = posed(layer(np.random.default_rng(0).standard_normal((5, 3)), 1.0), 1e3)
    broken = getattr(problem, where)
    broken = np.full_like(broken, value) if isinstance(broken, np.ndarray) else value
    center, half = faces(3)
    with np.errstate(all="ignore"):
        done = prove(replace(problem, **{where: broken}), center[:2], half[:2], 200, 50)
    assert volume(done) >= 4 ** 2


@compiled
def test_a_search_that_is_stopped_keeps_everything():
    condition = layer(np.random.default_rng(0).standard_normal((12, 3)), 1.0)
    roots = condition.proof.boxes()
    for budget, deadline in ((0, math.inf), (10**6, -math.inf)):
        found = compiled_subtrees.prove_subtrees(condition, 1e9, budget, deadline, roots)
        assert found.visited == 0 and sum(map(len, found.left)) == len(roots)
    caps = min(cap.value for cap in condition.theorems.caps())
    for nodes in (1, 20):
        found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(nodes=nodes))
        assert caps <= found.upper <= caps * (1 + 1e-12)


@compiled
def test_wide_layers_look_at_the_clock_as_often(monkeypatch):
    """A node of a wide layer takes longer: fewer between two looks."""
    asked, original = [], _kernels.prove

    def one_node(problem, center, half, budget, room):
        asked.append(budget * problem.outer[0].size)
        return original(problem, center, half, 1, room)

    monkeypatch.setattr(_kernels, "prove", one_node)
    condition = layer(np.random.default_rng(0).standard_normal((3000, 4)), 1.0)
    compiled_subtrees.prove_subtrees(condition, 1.0, 10**6, math.inf, condition.proof.boxes().take(slice(1)))
    assert max(asked) <= 2**29


@compiled
def test_any_number_of_workers_proves_the_same():
    condition = layer(np.random.default_rng(3).standard_normal((9, 3)) / 3, 1.0)
    proof = wc.BranchAndBound(rtol=0.1, nodes=40_000)
    one, two = (wc.bracket(condition, wc.Spectral(), proof, workers=workers) for workers in (1, 2))
    assert (one.lower, one.upper, one.engines[-1].work) == (two.lower, two.upper, two.engines[-1].work)


@compiled
@pytest.mark.parametrize("late", [0, 1, 3])
def test_hard_boxes_are_kept_where_the_time_ends_among_them(monkeypatch, late):
    """The clock strikes while finer forms are tried: whatever was not looked at stays unproved."""
    condition = layer(np.random.default_rng(0).integers(-1, 2, (9, 3)).astype(float), 3.0)
    seen, now = [], [0.0]

    def finer(condition, hard, t):
        seen.append(len(hard))
        now[0] = float(len(seen))
        return np.zeros(len(hard), dtype=bool)

    monkeypatch.setattr(compiled_subtrees, "proved_finer", finer)
    monkeypatch.setattr(compiled_subtrees, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(compiled_subtrees, "_FEW", 1)
    t = 1.05 * wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=2)).lower
    found = compiled_subtrees.prove_subtrees(condition, t, 10**5, late + 0.5, condition.proof.boxes())
    gated = condition.proof.compiled
    alone = _kernels.prove(posed(condition, t), *faces(3), 2**15, 2048)
    assert len(seen) == late + 1 < len(alone.hard[0])
    assert gated.scale > 0 and not found.stuck and found.value == 0
    assert sum(map(len, found.left)) == len(alone.hard[0]) + len(alone.left[0])


@pytest.mark.parametrize("k", [2, 3, 7])
def test_every_update_of_a_product_is_in_its_error(k):
    problem = posed(layer(np.random.default_rng(k).standard_normal((9, k)), 1.0), 1.0)
    assert (problem.errors >= rounding.gate_error(problem.rows, updates=MAX_DEPTH * (k - 1))).all()


# -- Gram matrices --------------------------------------------------------------------------------


def gram_pairs(rng):
    rows, weights = rng.standard_normal((19, 3)), rng.random((2, 19)) * (rng.random((2, 19)) < 0.7)
    scales = 10.0 ** rng.integers(-170, 1, (19, 3))
    yield rows * scales, weights
    yield rows * 1e100, weights > 0
    yield rows * scales, weights * 10.0 ** rng.integers(-300, 3, weights.shape)
    yield np.asfortranarray(rows), np.asfortranarray(weights)
    yield np.repeat(rows, 2, axis=0)[::2], np.repeat(weights, 2, axis=1)[:, ::2]
    yield rows[:1], weights[:, :1] + 1
    yield rows, np.zeros((2, 19))
    yield np.full((10_000, 1), 1 / 3), rng.random((1, 10_000))


@pytest.mark.parametrize("gram", [_kernels.gram, reference.gram])
def test_gram_matrices_err_by_less_than_stated(gram):
    for rows, weights in gram_pairs(np.random.default_rng(0)):
        n, k = rows.shape
        exact, found = fractions(rows.T), gram(rows, None, weights)
        assert found.shape == (len(weights), k, k) and found.dtype == np.float64
        for b, weight in enumerate(fractions(weights.astype(float))):
            scaled = [[w * x for w, x in zip(weight, column, strict=True)] for column in exact]
            entries = [[exact_dot(x, y) for y in exact] for x in scaled]
            limit = Fraction(rounding.gram_error(n, k)) * sum(entries[i][i] for i in range(k))
            limit += n * k * 4 * Fraction(1, 2**1074)
            error = sum((Fraction(float(found[b, i, j])) - entries[i][j]) ** 2
                        for i in range(k) for j in range(k))
            assert error <= limit**2


def test_gram_matrices_of_nothing_and_of_numbers_that_are_none():
    for rows, weights in ((np.zeros((0, 3)), np.zeros((2, 0))), (np.ones((3, 2)), np.zeros((0, 3)))):
        found, plain = _kernels.gram(rows, None, weights), reference.gram(rows, None, weights)
        assert found.shape == plain.shape and found.dtype == plain.dtype and not found.any()
    for weights in ([[np.nan, 0.0, 1.0]], [[0.0, np.nan, 0.0]]):
        assert np.isnan(_kernels.gram(np.ones((3, 2)), None, np.array(weights))).all()
