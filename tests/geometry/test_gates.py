"""Signs of lines over boxes: proved, and the patterns that can occur."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.definitions import exact_dot, fractions
from examples.matrices import MATRICES
from wdccheck import _kernels
from wdccheck.geometry import gates
from wdccheck.geometry.arrangements import group_by_line
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.gates import LineSigns
from wdccheck.linalg import rounding

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge", "mixed scales"}))


# -- signs over boxes -----------------------------------------------------------------------------


def some_boxes(rng, k, count=12, most=14):
    boxes = Boxes.cover({"r": k})
    for _ in range(int(rng.integers(0, most))):
        boxes = boxes.split()
        boxes = boxes.take(rng.permutation(len(boxes))[:count])
    return boxes


@given(SEEDS, KINDS, st.integers(1, 4))
def test_line_signs_are_proved_and_nearly_complete(seed, kind, k):
    rng = np.random.default_rng(seed)
    rows = group_by_line(MATRICES[kind](rng, k)).rows[:6]
    boxes = some_boxes(rng, k)
    errors = rounding.gate_error(rows)
    signs = gates.line_signs(rows, np.abs(rows), errors, boxes, 0)
    c, h = fractions(boxes.center[0].T), fractions(boxes.half[0].T)
    for i, w in enumerate(fractions(rows)):
        for b in range(len(boxes)):
            middle, reach = exact_dot(w, c[b]), exact_dot([abs(x) for x in w], h[b])
            assert not signs.positive[i, b] or middle > reach
            assert not signs.negative[i, b] or middle < -reach
            if abs(middle) > reach + 4 * errors[i]:
                assert not signs.undecided[i, b]
    assert not (signs.positive & signs.negative).any()
    taken = signs.take(np.array([0]))
    np.testing.assert_array_equal(taken.undecided, signs.undecided[:, :1])


# -- crowded flats --------------------------------------------------------------------------------


def undecided_on(mask):
    return LineSigns(~mask[:, None], np.zeros_like(mask[:, None]))


def crowded(rows, mask):
    outer = _kernels.outer_products(unit(np.asarray(rows, float)))
    return bool(gates.crowded(outer, undecided_on(np.asarray(mask)))[0])


def test_crowded_flats():
    pencil = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert crowded(pencil, [True, True, True, False])  # three lines through a flat of rank 2
    assert not crowded(pencil, [True, True, False, True])  # independent
    assert not crowded(pencil, [True, False, True, False])  # two lines never depend
    assert not crowded(pencil, [True, True, True, True])  # of full rank: at the origin only
    assert not crowded(pencil, [False] * 4)
    assert crowded([[1e-9, 0, 0], [0, 1e3, 0], [1, -1, 0]], [True] * 3)  # whatever the lengths


@given(SEEDS, st.integers(3, 5))
def test_general_position_is_never_crowded_below_full_rank(seed, k):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((k + 3, k))
    mask = np.zeros(k + 3, dtype=bool)
    mask[: k - 1] = True
    assert not crowded(rows, mask)
    rows[k - 1] = rng.standard_normal(k - 1) @ rows[: k - 1]
    mask[k - 1] = True
    assert crowded(rows, mask)


# -- realizable patterns --------------------------------------------------------------------------


def lattice(k, width=2):
    """All small integer points but 0: on the hyperplanes of integer rows and off them."""
    points = np.array(list(product(range(-width, width + 1), repeat=k)), dtype=float)
    return points[points.any(axis=1)]


def weights_at(lines, signs_r, signs_s):
    return lines.positive * ((signs_r > 0) & (signs_s > 0)) + lines.negative * ((signs_r < 0) & (signs_s < 0))


def whole(lines, found, r, s):
    """Weights (T, m) of all lines: those of decided ones follow from their signs."""
    result = np.tile(weights_at(lines, r, s), (len(found.weights), 1))
    result[:, found.free] = found.weights
    return result


def consistent(signs, decided):
    return signs[((decided == 0) | (signs == decided)).all(axis=1)]


@given(SEEDS, st.integers(2, 3), st.sampled_from(["integer", "negated integer", "pencil"]))
@settings(max_examples=60)
def test_every_pattern_of_a_lattice_point_is_dominated(seed, k, kind):
    rng = np.random.default_rng(seed)
    W = rng.integers(-1, 2, (5, k)).astype(float)
    if kind == "pencil":
        W = np.vstack([W[:2], W[:1] + W[1:2], W[:1] - W[1:2], np.eye(k)])
    if kind == "negated integer":
        W = np.vstack([W, -2 * W[:3]])
    lines = group_by_line(W)
    if not len(lines.rows):
        return
    signs = np.sign(lattice(k) @ lines.rows.T).astype(np.int8)
    base = signs[rng.integers(0, len(signs), 2)]
    hidden = rng.random(base.shape) < rng.uniform(0, 1)
    r, s = np.where(hidden, 0, base).astype(np.int8)
    found = gates._maximal_weights(lines, r, s)
    if found is None:
        return
    weights = whole(lines, found, r, s)
    high = np.maximum(lines.positive * ((r >= 0) & (s >= 0)), lines.negative * ((r <= 0) & (s <= 0)))
    assert (weights <= high).all()  # never worse than the plain sandwich
    at_r, at_s = np.unique(consistent(signs, r), axis=0), np.unique(consistent(signs, s), axis=0)
    reached = weights_at(lines, at_r[:, None, :], at_s[None, :, :]).reshape(-1, len(r))
    covered = (reached[:, None, :] <= weights[None, :, :]).all(axis=2).any(axis=1)
    assert covered.all()


def test_patterns_of_a_triple_through_one_flat():
    # x > 0 and y > 0 force x + y > 0, so of -(x + y), x, y at most two are open on one side
    lines = group_by_line(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0]]))
    free, weights = gates._maximal_weights(lines, np.zeros(3, np.int8), np.zeros(3, np.int8))
    assert free.tolist() == [0, 1, 2] and sorted(weights.tolist()) == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_independent_lines_gain_nothing():
    lines = group_by_line(np.eye(3))
    assert gates._maximal_weights(lines, np.zeros(3, np.int8), np.zeros(3, np.int8)) is None
    full = group_by_line(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert gates._maximal_weights(full, np.zeros(3, np.int8), np.zeros(3, np.int8)) is None


def test_patterns_go_to_the_boxes_with_their_signs():
    lines = group_by_line(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]))
    columns = np.array([[0, 0, 0, 1], [1, 1, -1, 1], [0, 0, 0, 1], [0, 0, 0, -1]]).T
    signs = LineSigns(columns > 0, columns < 0)
    known = {}
    found = {tuple(boxes): found for boxes, found in gates.patterns(lines, signs, signs, known)}
    assert set(found) == {(0, 2), (3,)}
    for (box, *_), one in found.items():
        assert one.free.tolist() == [0, 1, 2]
        assert (whole(lines, one, columns[:, box], columns[:, box])[:, 3] == (box == 0)).all()
    again = {tuple(boxes) for boxes, _ in gates.patterns(lines, signs, signs, known)}
    assert again == set(found) and len(known) == 3


def test_only_the_last_patterns_are_remembered(monkeypatch):
    lines = group_by_line(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]))
    columns = np.array([[0, 0, 0, 1], [1, 1, -1, 1], [0, 0, 0, -1]]).T
    signs, known = LineSigns(columns > 0, columns < 0), {}
    monkeypatch.setattr(gates, "_KEPT", 50)
    assert len(list(gates.patterns(lines, signs, signs, known))) == 2 and len(known) < 3
