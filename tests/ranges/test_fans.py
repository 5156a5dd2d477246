"""Fans of activation cones: exact, complete, face to face, as many as the boxes find."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest

import examples.exact_fans as examples
import wdccheck.data
from examples.exact_fans import KINDS, defects, dot, image, integers
from wdccheck.errors import OutOfTime
from wdccheck.ranges import meshes
from wdccheck.ranges.cone_pairs import one_per_pattern
from wdccheck.ranges.differences import rescaled
from wdccheck.ranges.fans import Fan, expected_cells


def gaussian(seed, *dims):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, k)) for k, n in pairwise(dims)]


def fan_of(kind, k, seed):
    return Fan.of(rescaled(examples.small(kind, k, seed)), k)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_simplices_cover_everything_once_and_the_network_is_linear_on_each(kind, k):
    for seed in range(4 if k < 3 else 2):
        assert defects(fan_of(kind, k, seed)) == []


@pytest.mark.parametrize("kind", KINDS[:4])
def test_an_image_is_the_combination_of_the_images_of_the_rays(kind):
    fan, rng = fan_of(kind, 3, 1), np.random.default_rng(0)
    exact = [integers(W) for W in fan.layers]
    for simplex in fan.simplices[:: max(1, len(fan.simplices) // 20)]:
        corners = [[int(x) for x in fan.exact_ray(v)] for v in simplex]
        shares = [int(x) for x in rng.integers(0, 10, 3)]
        point = [dot(shares, row) for row in zip(*corners, strict=True)]
        images = zip(*(image(exact, corner) for corner in corners), strict=True)
        assert image(exact, point) == [dot(shares, row) for row in images]


def keys(gates):
    return {row.tobytes() for row in np.packbits(np.concatenate(gates, axis=1), axis=1)}


@pytest.mark.parametrize("dims", [(1, 4, 5), (2, 9, 8, 7), (3, 8, 9), (3, 5, 6, 7)])
def test_the_patterns_are_those_of_the_boxes_and_hold_those_of_all_points(dims):
    layers = gaussian(sum(dims), *dims)
    fan = Fan.of(layers, dims[0])
    found, _ = one_per_pattern(layers, dims[0])
    assert keys(fan.gates) == keys(found.gates)
    assert len(fan.gates[0]) == len(keys(fan.gates))
    x, gates = np.random.default_rng(1).standard_normal((20_000, dims[0])), []
    for W in layers:
        gates.append(x @ W.T > 0)
        x = np.maximum(x @ W.T, 0)
    assert keys(gates) <= keys(fan.gates)


@pytest.mark.parametrize(("k", "n"), [(1, 5), (2, 1), (2, 20), (3, 1), (3, 8), (3, 20)])
def test_a_generic_layer_has_as_many_cells_as_fact_15_counts(k, n):
    assert len(Fan.of(gaussian(n, k, n), k).gates[0]) == 2 * sum(comb(n - 1, j) for j in range(k))


def test_the_bundled_generator_is_quick_and_its_solid_angles_are_those_of_the_sphere():
    started = time.process_time()
    fan = Fan.of(rescaled(wdccheck.data.generator().layers), 3)
    assert time.process_time() - started < 5  # about 0.5
    assert len(fan.gates[0]) == 14_012
    a, b, c = (fan.rays[fan.simplices[:, i]] for i in range(3))
    a, b, c = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b, c))
    volume = np.abs(np.einsum("bk,bk->b", a, np.cross(b, c)))
    rest = 1 + sum(np.einsum("bk,bk->b", x, y) for x, y in ((a, b), (b, c), (c, a)))
    assert 2 * np.arctan2(volume, rest).sum() == pytest.approx(4 * np.pi, rel=1e-12)
    pairs = np.sort(fan.simplices[:, [[0, 1], [1, 2], [0, 2]]].reshape(-1, 2), axis=1)
    edges, uses = np.unique(pairs, axis=0, return_counts=True)
    assert (uses == 2).all()
    assert len(fan.rays) - len(edges) + len(fan.simplices) == 2  # Euler


def test_weights_that_overflow_in_floats_are_taken_in_integers():
    layers = [W * 1e200 for W in examples.plain(np.random.default_rng(0), 2)]
    assert defects(Fan.of(layers, 2)) == []


def test_no_layer_is_all_of_space():
    for k in (1, 2, 3):
        assert defects(Fan.of([], k)) == []


def test_what_is_too_much_is_given_up(monkeypatch):
    layers = gaussian(0, 3, 8, 8)
    assert Fan.of(gaussian(0, 4, 5), 4) is None
    with pytest.raises(OutOfTime):
        Fan.of(layers, 3, time.monotonic() - 1)
    with monkeypatch.context() as patch:
        patch.setattr(meshes, "CELLS", 50)
        assert Fan.of(layers, 3) is None
    monkeypatch.setattr(meshes, "_ENTRIES", 50)
    assert Fan.of(layers, 3) is None


def test_too_many_cells_are_expected_before_they_are_counted(monkeypatch):
    many = gaussian(0, 3, 300, 300)
    assert expected_cells(many) > 1.25 * meshes.CELLS
    started = time.process_time()
    assert Fan.of(many, 3) is None
    assert time.process_time() - started < 5  # about 1; to count up to the limit, 18
    layers = gaussian(1, 3, 20, 30)
    assert expected_cells(layers) == pytest.approx(len(Fan.of(layers, 3).gates[0]), rel=0.4)


# -- negative controls ---------------------------------------------------------------------------


def test_gaps_overlaps_t_junctions_and_wrong_numbers_are_noticed():
    fan = fan_of(examples.plain, 3, 0)
    assert "a face that is not that of two simplices, one on each side" in defects(
        replace(fan, simplices=fan.simplices[1:], cells=fan.cells[1:]))
    again = np.concatenate([fan.simplices, fan.simplices[:1]])
    assert "a point that is not in one simplex" in defects(
        replace(fan, simplices=again, cells=np.concatenate([fan.cells, fan.cells[:1]])))
    a, b, c = fan.simplices[0]
    joint = SimpleNamespace(**vars(fan))  # a ray on the edge of a and b, which only one of its sides sees
    joint.exact_ray = lambda v: (fan.exact_ray(v) if v < len(fan.rays)
                                 else fan.exact_ray(a) + fan.exact_ray(b))
    joint.rays = np.vstack([fan.rays, [float(x) for x in joint.exact_ray(len(fan.rays))]])
    joint.ray_error = np.append(fan.ray_error, 1.0)
    joint.open_at = [np.vstack([gate, gate[a] | gate[b]]) for gate in fan.open_at]
    joint.simplices = np.vstack([[a, len(fan.rays), c], [len(fan.rays), b, c], fan.simplices[1:]])
    joint.cells = np.append(fan.cells[:1], fan.cells)
    assert set(defects(joint)) == {"a face that is not that of two simplices, one on each side"}
    assert "a ray is off" in defects(replace(fan, ray_error=0 * fan.ray_error))
    assert "gates of a cell" in defects(replace(fan, cells=np.roll(fan.cells, 1)))
    assert "gates at a ray" in defects(replace(fan, open_at=tuple(~gate for gate in fan.open_at)))


def exactly_as(sign):
    return lambda self, x, layer, units: np.full(len(units), sign)


def without_errors(W, x, error):
    return x @ W.T, np.zeros((len(x), len(W)))


@pytest.mark.parametrize(("owner", "name", "wrong"), [
    *((meshes.Exactly, "inputs", exactly_as(sign)) for sign in (-1, 0, 1)),
    (meshes, "product", without_errors),
])
def test_signs_that_only_integers_decide_are_noticed_if_they_are_wrong(monkeypatch, owner, name, wrong):
    """Inputs that floats cannot tell from 0 are said to have one sign, or that which floats give."""
    monkeypatch.setattr(owner, name, wrong)
    noticed = 0
    for kind in (examples.repeated, examples.on_a_face, examples.one_flat, examples.thin):
        try:
            noticed += bool(defects(fan_of(kind, 3, 0)))
        except (AssertionError, IndexError):
            noticed += 1
    assert noticed
