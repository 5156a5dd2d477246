"""Boxes on products of spheres: they cover, they halve, their radii bound every angle."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wdccheck as wc
from examples.definitions import fractions
from wdccheck.conditions.wdc.proof import Apart, Proof
from wdccheck.geometry import expectation
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes

SEEDS = st.integers(0, 2**32 - 1)


def holders(boxes, point):
    """Boxes that contain one point, letters to (dim,)."""
    repeated = {x: np.tile(v, (len(boxes), 1)) for x, v in point.items()}
    return boxes.contains(repeated)


def descend(boxes, rng, steps, count=8):
    for _ in range(steps):
        boxes = boxes.split()
        boxes = boxes.take(rng.permutation(len(boxes))[:count])
    return boxes


@given(SEEDS, st.integers(1, 4), st.integers(1, 3))
def test_cover_covers(seed, k, p):
    rng = np.random.default_rng(seed)
    boxes = Boxes.cover({"r": k, "m": p})
    assert len(boxes) == 2 * k * 2 * p
    for _ in range(20):
        point = {"r": rng.standard_normal(k), "m": rng.standard_normal(p) * 1e-100}
        assert holders(boxes, point).any()


@given(SEEDS, st.integers(1, 4))
def test_a_symmetric_cover_covers_every_pair_or_its_mirror_image(seed, k):
    rng = np.random.default_rng(seed)
    boxes = Boxes.cover({"r": k, "s": k}, symmetric=("r", "s"))
    assert len(boxes) == k * (2 * k + 1)
    for _ in range(20):
        r, s = rng.standard_normal((2, k))
        assert (holders(boxes, {"r": r, "s": s}) | holders(boxes, {"r": s, "s": r})).any()


def test_a_dropped_face_is_noticed():
    boxes = Boxes.cover({"r": 3})
    e = np.eye(3)
    for b in range(len(boxes)):
        rest = boxes.take(np.delete(np.arange(len(boxes)), b))
        assert not all(holders(rest, {"r": sign * x}).any() for x in e for sign in (1, -1))


@given(SEEDS, st.integers(1, 3), st.integers(0, 60))
def test_split_covers_the_parent_exactly(seed, k, depth):
    rng = np.random.default_rng(seed)
    parent = descend(Boxes.cover({"r": k, "s": k}), rng, depth)
    children = parent.split()
    count = len(parent)
    assert len(children) == 2 * count
    for b in range(count):
        cut = 0
        for c, h, c2, h2 in zip(parent.center, parent.half, children.center, children.half, strict=True):
            for j in range(k):
                ends = Fraction(c[j, b]) - Fraction(h[j, b]), Fraction(c[j, b]) + Fraction(h[j, b])
                left, right = (
                    (Fraction(c2[j, i]) - Fraction(h2[j, i]), Fraction(c2[j, i]) + Fraction(h2[j, i]))
                    for i in (b, b + count)
                )
                if left == right:
                    assert left == ends
                else:
                    cut += 1
                    assert (left[0], left[1], right[1]) == (ends[0], right[0], ends[1])
        assert cut == (1 if any(h[:, b].any() for h in parent.half) else 0)


@given(SEEDS, st.integers(1, 3), st.integers(0, 40))
def test_points_of_a_box_lie_in_a_child(seed, k, depth):
    rng = np.random.default_rng(seed)
    parent = descend(Boxes.cover({"r": k, "s": k}), rng, depth)
    points = parent.sample(rng, 5)
    children = parent.split()
    first, second = (children.take(slice(i, i + len(parent))) for i in (0, len(parent)))
    for i in range(5):
        point = {x: v[:, i] for x, v in points.items()}
        assert parent.contains(point).all()
        assert (first.contains(point) | second.contains(point)).all()
    assert parent.contains(parent.centers()).all()


@given(SEEDS, st.integers(1, 4), st.integers(0, 50))
def test_radii_bound_every_angle(seed, k, depth):
    rng = np.random.default_rng(seed)
    boxes = descend(Boxes.cover({"r": k, "s": k}), rng, depth)
    points = boxes.sample(rng, 40)
    for letter, radius in zip(boxes.letters, boxes.radii(), strict=True):
        center = boxes.centers()[letter][:, None, :]
        angles = expectation.angle(np.broadcast_to(center, points[letter].shape), points[letter])
        assert (angles <= radius[:, None] * (1 + 1e-12) + 1e-16).all()
        assert (radius <= np.nextafter(np.pi, 4)).all()


@given(SEEDS, st.integers(2, 4))
def test_radii_of_small_boxes_are_about_the_diagonal(seed, k):
    rng = np.random.default_rng(seed)
    boxes = descend(Boxes.cover({"r": k}), rng, 12 * k)
    (radius,) = boxes.radii()
    diagonal = np.sqrt(np.sum(boxes.half[0] ** 2, axis=0))
    assert (radius <= 1.01 * diagonal).all() and (radius > 0.4 * diagonal / np.sqrt(k)).all()


def test_radii_of_whole_faces():
    (radius,) = Boxes.cover({"r": 2}).radii()
    assert (radius >= np.pi / 4).all()
    assert (Boxes.cover({"r": 5}).radii()[0] >= np.pi / 2).all()  # a face of a cube spans more
    assert (Boxes.cover({"r": 1}).radii()[0] == 0).all()  # a point


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_centers_stay_exact_to_the_greatest_depth(k):
    rng = np.random.default_rng(k)
    boxes = Boxes.cover({"r": k, "s": k}).take(slice(0, 3))
    for _ in range(2 * k * (MAX_DEPTH + 2)):
        if not boxes.splittable().any():
            break
        boxes = boxes.take(boxes.splittable())
        boxes = boxes.split().take(rng.permutation(2 * len(boxes))[:3])
    assert not boxes.splittable().any()
    for c, h in zip(boxes.center, boxes.half, strict=True):
        assert ((h == 0) | (h >= 2.0 ** (-MAX_DEPTH - 3))).all() and (np.abs(c) <= 1).all()
        for row in fractions(c) + fractions(h):  # the ends c -+ h and the next center are floats, too
            assert all((x * 2 ** (MAX_DEPTH + 4)).denominator == 1 for x in row)
    if k > 1:
        (h_max,) = {float(np.max(h)) for h in boxes.half[:1]}
        assert h_max <= 2.0**-MAX_DEPTH


def test_take_and_join():
    boxes = Boxes.cover({"r": 2, "s": 3}).split()
    parts = [boxes.take(slice(0, 5)), boxes.take(np.array([7, 6])), boxes.take(np.arange(len(boxes)) == 9)]
    joined = boxes.join(parts)
    assert len(joined) == 8 and joined.letters == ("r", "s")
    for x, value in joined.centers().items():
        np.testing.assert_array_equal(value, boxes.centers()[x][[0, 1, 2, 3, 4, 7, 6, 9]])
    assert len(boxes.take(np.zeros(len(boxes), dtype=bool))) == 0


# -- rows that do not span ------------------------------------------------------------------------


def flat_pair(seed, k, rank):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (2 * k, rank)) @ rng.integers(-3, 4, (rank, k)) / 16.0
    return rng, Proof(rows, 1.0, 1.0)


@given(SEEDS, st.integers(2, 4), st.integers(1, 3))
def test_apart_pairs_keep_the_gates(seed, k, rank):
    rng, pair = flat_pair(seed, k, min(rank, k - 1))
    regions = pair.boxes()
    if not isinstance(regions, Apart):
        return  # the random rows are all zero
    regions = descend(regions, rng, 4)
    rows = pair.lines.rows
    for points in (regions.sample(rng, 9), {x: v[:, None] for x, v in regions.centers().items()}):
        r, s = points["r"], points["s"]
        base = (r + s) / 2
        assert regions.contains({"r": base[:, 0]}).all()
        clear = np.abs(base @ rows.T) > 1e-6
        for x in (r, s):
            np.testing.assert_array_equal((x @ rows.T > 0)[clear], (base @ rows.T > 0)[clear])
        assert (expectation.angle(r, s) > np.pi - 1e-4).all()


@given(SEEDS, st.integers(2, 4), st.integers(1, 3))
def test_regions_of_all_ranks(seed, k, rank):
    _, pair = flat_pair(seed, k, min(rank, k))
    found = np.linalg.matrix_rank(pair.rows)
    regions = pair.boxes()
    if 0 < found < k:
        assert isinstance(regions, Apart) and len(regions.pivots) == found and len(regions) == 2 * found
    else:
        assert isinstance(regions, Boxes)


def test_no_regions_in_high_dimension():
    assert wc.WDC(np.eye(11)).proof is None
    assert wc.WDC(np.eye(10)).proof is not None


def test_apart_take_join_split():
    _, pair = flat_pair(3, 3, 2)
    regions = pair.boxes()
    halves = regions.split()
    assert len(halves) == 2 * len(regions) and halves.splittable().all()
    joined = regions.join([halves.take(slice(0, 2)), halves.take(slice(2, None))])
    np.testing.assert_array_equal(joined.centers()["r"], halves.centers()["r"])
