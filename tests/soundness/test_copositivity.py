"""Attacks on the proof by copositivity: the last bit, errors of rays, cones whose images cross."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest

from examples.ray_cones import StoredRays, copositive, holds, threshold
from wdccheck import _kernels
from wdccheck._kernels import plain_copositive
from wdccheck.ranges import float_pairs
from wdccheck.ranges.copositive import Proved, Refuted, Undecided, prove
from wdccheck.ranges.exact_copositivity import negative_point, semidefinite

KERNELS = [_kernels.prove_pairs, plain_copositive.prove]


def drawn(seed):
    """A few cones with small integers: many are dependent, opposite, or cross."""
    rng = np.random.default_rng(seed)
    k, n = (3 if seed % 8 == 7 else int(rng.integers(1, 3))), int(rng.integers(2, 5))
    vectors = np.unique(rng.integers(-4, 5, (k + 2, n)) / 4, axis=0)
    vectors = vectors[vectors.any(axis=1)]
    every = list(combinations(range(len(vectors)), k))
    simplices = [every[i] for i in rng.permutation(len(every))[: 2 if k == 3 else 3]]
    H = rng.integers(-8, 9, (n, n)) / 8
    return StoredRays.of(vectors, simplices), H + H.T


@cache
def least_of(seed):
    return threshold(*drawn(seed))


def moved(t, steps):
    for _ in range(abs(steps)):
        t = float(np.nextafter(t, math.copysign(math.inf, steps)))
    return t


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_right_to_the_last_bit(seed, kernel, monkeypatch):
    monkeypatch.setattr(_kernels, "prove_pairs", kernel)
    cones, H = drawn(seed)
    least = least_of(seed)
    for steps in (-3, -1, 0, 1, 3):
        t = moved(least, steps)
        assert isinstance(prove(cones, H, t), Proved) == (t >= least)
    for t in (least - 1e-3, least + 1e-3):
        found = prove(cones, H, t)
        assert isinstance(found, Proved) == (t >= least)
        if isinstance(found, Refuted):
            assert found.ratio.max() > t
            u = found.coefficients[0] @ cones.vectors[found.rays[0]]
            assert np.allclose(u / np.linalg.norm(u), found.u[0])


def test_without_integers_nothing_near_the_boundary_is_claimed():
    answers = set()
    for seed in range(8):
        cones, H = drawn(seed)
        least = least_of(seed)
        for steps in (-1, 0, 1):
            found = prove(cones, H, moved(least, steps), most_exact=0)
            answers.add(type(found))
            assert not (isinstance(found, Proved) and steps < 0)
            assert not (isinstance(found, Refuted) and steps >= 0)
    assert Undecided in answers


def test_integers_decide_as_hadeler_does():
    answers = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(1, 7))
        root = rng.integers(-3, 4, (p, max(p - seed % 2, 1)))
        z = (root @ root.T + np.maximum(rng.integers(-9, 5, (p, p)), 0)).astype(int)
        z = z + z.T - 4 * (seed % 4) * np.eye(p, dtype=int)
        found = negative_point(z.tolist())
        answers.append((p, found is None))
        assert (found is None) == copositive(z.tolist())
        if found is not None:
            x = np.array(found, dtype=object)
            assert min(found) >= 0 and x @ z @ x < 0
        assert semidefinite(z.tolist()) == (np.linalg.eigvalsh(z)[0] > -1e-9)
    assert {(p, answer) for p in range(2, 7) for answer in (True, False)} <= set(answers)


# -- rays known by enclosures -----------------------------------------------------------------------

TURN = 2.0**-10
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


def turned(t=1.7 * TURN):
    """One ray, stored as e_1, that is (1, TURN): u^T H u = 2 TURN / (1 + TURN^2) there."""
    return StoredRays.of([[1.0, 0.0]], [[0]], TURN, [[1.0, TURN]]), SWAP, t


def test_errors_of_rays_count():
    cones, H, t = turned()
    assert isinstance(prove(cones, H, t, most_exact=0), Undecided)
    assert isinstance(prove(cones, H, t), Refuted)
    assert isinstance(prove(cones, H, 4 * TURN, most_exact=0), Proved)


def test_half_of_the_pad_would_be_noticed(monkeypatch):
    made = float_pairs.Problem.of

    def halved(*arguments):
        problem, alone = made(*arguments)
        return replace(problem, pad=problem.pad / 2), alone

    monkeypatch.setattr(float_pairs.Problem, "of", halved)
    cones, H, t = turned()
    assert isinstance(prove(cones, H, t), Proved)  # and it is false


def test_a_proof_without_pads_would_be_noticed(monkeypatch):
    made = float_pairs.Problem.of

    def bare(*arguments):
        problem, alone = made(*arguments)
        return replace(problem, pad=0.0), alone

    monkeypatch.setattr(float_pairs.Problem, "of", bare)
    wrong = 0
    for seed in range(8):
        cones, H = drawn(seed)
        least = least_of(seed)
        wrong += isinstance(prove(cones, H, moved(least, -1)), Proved)
    assert wrong


# -- what a test would notice --------------------------------------------------------------------------


def far_pair():
    """Two planes that hold alone; a difference across them does not."""
    cones = StoredRays.of(np.eye(4)[[0, 1, 2, 3]], [[0, 1], [2, 3]])
    H = np.zeros((4, 4))
    H[0, 2] = H[2, 0] = -0.8
    return cones, H


def test_every_pair_counts(monkeypatch):
    cones, H = far_pair()
    assert isinstance(prove(cones, H, 0.9), Proved)
    assert isinstance(prove(cones, H, 0.7), Refuted)
    assert np.isclose(prove(cones, H, 0.7).ratio[0], 0.8)
    visit = plain_copositive._Walk.visit
    monkeypatch.setattr(_kernels, "prove_pairs", plain_copositive.prove)
    monkeypatch.setattr(plain_copositive._Walk, "visit", lambda self, a, b: a != b or visit(self, a, b))
    assert not isinstance(prove(cones, H, 0.7), Refuted)


def test_the_sign_between_two_cones_counts(monkeypatch):
    cones, H = far_pair()
    of_pair = plain_copositive._of_pair

    def flipped(walk, s, t):
        base, scale, sign, shared = of_pair(walk, s, t)
        return base, scale, np.abs(sign), shared

    monkeypatch.setattr(_kernels, "prove_pairs", plain_copositive.prove)
    assert isinstance(prove(cones, -H, 0.7), Proved)
    monkeypatch.setattr(plain_copositive, "_of_pair", flipped)
    assert isinstance(prove(cones, H, 0.7), Proved)  # and it is false


def test_signs_of_a_shared_ray_count(monkeypatch):
    """a, b, c with b shared: some combination with -b is the only one that fails."""
    cones = StoredRays.of(np.eye(3), [[0, 1], [1, 2]])
    H = np.zeros((3, 3))
    H[0, 1] = H[1, 0] = -0.5
    H[1, 2] = H[2, 1] = 0.5
    least = threshold(cones, H)
    assert isinstance(prove(cones, H, least), Proved)
    assert isinstance(prove(cones, H, moved(least, -1)), Refuted)


def test_the_cones_of_a_network_whose_images_cross():
    """closing.md's example: distinct cones have images that cross; in floats u = 0 looks like a violation."""
    from wdccheck.ranges.fans import Fan
    from wdccheck.ranges.image_rays import ImageRays

    layers = [np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]),
              np.array([[1, 0.3, 2, 0.1], [0.2, 1, 0.3, 3], [-5, 1, -5, -9]])]
    images = ImageRays.of(Fan.of(layers, 2))
    H = np.diag([1.0, 0.5, 4.0])
    assert isinstance(prove(images, H, 1.01 * 3.99969, most_exact=0), Undecided)
    found = prove(images, H, 1.01 * 3.99969)
    assert isinstance(found, Proved) and found.exact
    assert isinstance(prove(images, H, 3.9996), Refuted)
    assert holds(_stored(images), H, 1.01 * 3.99969) and not holds(_stored(images), H, 3.9996)


def _stored(images):
    return StoredRays(images.vectors, images.simplices, images.error,
                      tuple(tuple(int(x) for x in images.exact(i)) for i in range(len(images.vectors))))


@pytest.mark.parametrize("seed", range(24))
def test_small_networks_are_decided_as_by_brute_force(seed):
    from wdccheck.ranges.fans import Fan
    from wdccheck.ranges.image_rays import ImageRays

    rng = np.random.default_rng(seed)
    k = 1 + seed % 2
    sizes = [k, *rng.integers(2, 4, 1 + seed % 2)]
    layers = [rng.integers(-3, 4, (b, a)) / 4 for a, b in pairwise(sizes)]
    images = ImageRays.of(Fan.of(layers, k))
    n = len(layers[-1])
    root = rng.integers(-4, 5, (n, n)) / 4
    H = root + root.T
    if not len(images.vectors):
        assert isinstance(prove(images, H, 0.0), Proved)
        return
    least = threshold(_stored(images), H)
    for steps in (-1, 0):
        assert isinstance(prove(images, H, moved(least, steps)), Proved) == (steps == 0)


def test_scales_do_not_matter():
    cones, H = drawn(3)
    least = least_of(3)
    for power in (-400, 400):
        t = math.ldexp(least, power)
        assert isinstance(prove(cones, np.ldexp(H, power), t), Proved)
        assert isinstance(prove(cones, np.ldexp(H, power), moved(t, -1)), Refuted)
