"""Cones of images with gates: every image is in one with its gates, parts and caps hold what they must."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy.optimize import nnls

import examples.exact_fans as examples
from examples.exact_fans import KINDS, dot, exact_signs, image, integers
from wdccheck.geometry.expectation import unit
from wdccheck.ranges.differences import rescaled
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.gated_cones import GatedCones


def faced(rng, k):
    """Rows that are positive everywhere but on a face."""
    W = np.vstack([np.eye(k), -np.eye(k)[:1]])
    open_beside = np.zeros(k + 1)
    open_beside[[0, k]] = 1
    return [W, np.vstack([open_beside, 2 * W[0] @ W.T, np.ones(k + 1), rng.integers(-1, 2, k + 1)])]


def codes_of(layers, k):
    """Integers: small ones, all rays, and points inside faces and cells."""
    fan = Fan.of(layers, k)
    rays = [[int(x) for x in fan.exact_ray(v)] for v in range(len(fan.rays))]
    codes = [list(x) for x in product((-2, 0, 1), repeat=k)] + rays
    for simplex in fan.simplices[:: max(1, len(fan.simplices) // 12)].tolist():
        for size in range(2, k + 1):
            codes += [[sum(x) for x in zip(*(rays[v] for v in face), strict=True)]
                      for face in combinations(simplex, size)]
    return codes


def unit_of(vector):
    whole = max(vector)
    return unit(np.array([x / whole for x in vector]))


@pytest.mark.parametrize("kind", [*KINDS, faced])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_every_image_is_in_a_cone_with_its_gates(kind, k):
    for seed in (0, 1):
        *layers, rows = rescaled(examples.small(kind, k, seed))
        cones = GatedCones.of(layers, rows, k)
        exact, count = [integers(W) for W in (*layers, rows)], len(rows)
        packed, missing = np.packbits(cones.gates, axis=1), 0
        for code in codes_of((*layers, rows), k):
            at = image(exact[:-1], code)
            if not any(at):
                continue
            gates = np.packbits([sign > 0 for sign in exact_signs(exact, code)[-count:]])
            direction, found = unit_of(at), False
            for cone in np.flatnonzero((packed == gates).all(axis=1)):
                corners = cones.vectors[cones.corners[cone][cones.corners[cone] >= 0]]
                found = found or nnls(corners.T, direction)[1] < 1e-8
            missing += not found
        assert not missing


def random_cones(seed, k=3, n=5, count=40, error=0.0):
    """Cones whose stored rays are `error` off at most; the exact rays."""
    rng = np.random.default_rng(seed)
    exact = unit(np.abs(rng.standard_normal((30, n))) * (rng.random((30, n)) < 0.7) + 1e-3)
    stored = unit(exact + error / 3 * rng.uniform(0, 1, exact.shape) / np.sqrt(n))
    corners = np.sort(np.array([rng.permutation(30)[:k] for _ in range(count)]), axis=1)[:, ::-1].copy()
    corners[: count // 4, 1:], corners[count // 4: count // 2, 2:] = -1, -1
    gates, codes = np.zeros((count, 1), dtype=bool), rng.standard_normal((count, k))
    return GatedCones(stored, np.full(30, error), corners, gates, codes), exact


def parts(cones, seed, steps):
    """Weights of parts after some cuts; single rays are never cut."""
    rng, several = np.random.default_rng(seed), np.flatnonzero(~cones.single)
    weights = np.broadcast_to(np.eye(cones.corners.shape[1]), (len(several), 3, 3)).copy()
    for _ in range(steps):
        halves = cones.halved(several, weights)
        weights = np.where(rng.random(len(several))[:, None, None] < 0.5, *halves)
    return several, weights


def sine_squared(a, b):
    """Of the angle of two float vectors, exactly."""
    a, b = ([Fraction(float(x)) for x in v] for v in (a, b))
    return 1 - dot(a, b) ** 2 / (dot(a, a) * dot(b, b))


def test_a_part_is_in_one_of_its_halves():
    """One corner gives way to the exact middle of it and another."""
    cones, _ = random_cones(0)
    for steps in (0, 1, 7, 47):
        several, weights = parts(cones, 1, steps)
        for part, one, other in zip(weights, *cones.halved(several, weights), strict=True):
            i, j = (np.flatnonzero((half != part).any(axis=1)) for half in (one, other))
            assert len(i) == len(j) == 1 and i != j
            for x, y, z, w in zip(part[i[0]], part[j[0]], one[i[0]], other[j[0]], strict=True):
                assert 2 * Fraction(z) == 2 * Fraction(w) == Fraction(x) + Fraction(y)


def test_the_widest_edge_is_cut():
    cones, _ = random_cones(3)
    several, weights = parts(cones, 4, 40)
    _, radius = cones.caps(several, weights)
    assert radius.max() < 1e-4


@pytest.mark.parametrize("error", [0.0, 1e-3, 0.3, 0.95, 2.0])
@pytest.mark.parametrize("steps", [0, 3])
def test_caps_of_parts_hold_the_exact_directions(error, steps):
    cones, exact = random_cones(5, error=error)
    several, weights = parts(cones, 6, steps)
    center, radius = cones.caps(several, weights)
    rng = np.random.default_rng(7)
    for cone, part, middle, reach in zip(several, weights, center, radius, strict=True):
        rays = exact[cones.corners[cone]] * (cones.corners[cone] >= 0)[:, None]
        for share in (*np.eye(3), *rng.dirichlet(np.ones(3), 5)):
            inside = share @ part @ rays
            if inside.any():
                assert np.arccos(min(inside @ middle / np.linalg.norm(inside), 1.0)) <= reach + 2e-8


@pytest.mark.parametrize("error", [0.0, 1e-3, 0.3, 0.95, 2.0])
def test_caps_of_groups_hold_the_exact_directions(error):
    cones, exact = random_cones(8, error=error)
    owner = np.sort(np.random.default_rng(9).integers(6, size=40))
    center, radius = cones.held(np.arange(40), np.unique(owner, return_inverse=True)[1], len(set(owner)))
    for cone, own in enumerate(np.unique(owner, return_inverse=True)[1]):
        rays = exact[cones.corners[cone][cones.corners[cone] >= 0]]
        for inside in (*rays, rays.sum(axis=0)):
            assert np.arccos(min(inside @ center[own] / np.linalg.norm(inside), 1.0)) <= radius[own] + 2e-8


def off(error):
    """A ray e_1 that is stored as far off as `error` allows, alone and with e_1 + e_2 in the first cone."""
    turn = np.arcsin(error)
    vectors = np.array([[np.cos(turn), np.sin(turn)], [np.sqrt(0.5), np.sqrt(0.5)]])
    return GatedCones(vectors, np.array([error, 0.0]), np.array([[0, -1], [1, 0]]),
                      np.zeros((2, 1), dtype=bool), np.ones((2, 2)))


@pytest.mark.parametrize("error", [1e-6, 0.1, 0.6, 0.89])
def test_the_error_of_a_ray_widens_its_cap(error):
    """As the angle to the exact ray is that much, and the radius of the stored one alone is 0."""
    cones, e = off(error), np.array([1.0, 0.0])
    for center, radius in (cones.caps(np.arange(2), np.broadcast_to(np.eye(2), (2, 2, 2))),
                           cones.held(np.arange(2), np.arange(2), 2)):
        for middle, reach in zip(center, radius, strict=True):
            assert 2 * np.arcsin(np.linalg.norm(middle - e) / 2) <= reach


def test_caps_of_single_rays_forgive_rounding():
    """The direction of a ray without error, exactly."""
    cones, _ = random_cones(10, n=17, count=32)
    single = np.flatnonzero(cones.single)
    center, radius = cones.caps(single, np.broadcast_to(np.eye(3), (len(single), 3, 3)))
    group, reach = cones.held(single, np.arange(len(single)), len(single))
    for cone, c, r, g, q in zip(single, center, radius, group, reach, strict=True):
        ray = cones.vectors[cones.corners[cone, 0]]
        assert sine_squared(ray, c) <= Fraction(r) ** 2 * (1 - Fraction(r) ** 2)
        assert sine_squared(ray, g) <= Fraction(q) ** 2 * (1 - Fraction(q) ** 2)


def test_one_latent_dimension_is_never_cut():
    cones = GatedCones.of([np.array([[1.0], [-1.0]])], np.array([[1.0, -1.0]]), 1)
    assert cones.single.all()
    none = np.zeros((0, 1, 1))
    assert all(len(half) == 0 for half in cones.halved(np.zeros(0, dtype=int), none))
