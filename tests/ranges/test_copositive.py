"""The proof that u^T H u <= t ||u||^2 over a range: known values, groups, refutations, workers, deadlines."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from examples.ray_cones import StoredRays
from wdccheck.errors import InvalidInput, OutOfTime
from wdccheck.ranges import copositive, differences, float_pairs
from wdccheck.ranges.copositive import Proved, Refuted, Undecided, codes_of, prove
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.float_pairs import Problem, prove_blocks
from wdccheck.ranges.image_rays import ImageRays
from wdccheck.ranges.ray_groups import BLOCK, blocks_of
from wdccheck.running import parallel


def example(sizes, seed=5):
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(sizes)]
    layers = differences.rescaled(layers)
    D = rng.standard_normal((sizes[-1], sizes[-1])) / np.sqrt(sizes[-1])
    return layers, ImageRays.of(Fan.of(layers, sizes[0])), D @ D.T


def supremum(layers, images, H):
    """Of u^T H u over many secants; and t just below and well above it."""
    rng, k = np.random.default_rng(0), layers[0].shape[1]
    x, y = rng.standard_normal((2, 20_000, k))
    y[::2] = x[::2] + 1e-4 * y[::2]
    u = differences.secants(layers, x, y)
    u = u[u.any(axis=1)]
    return float(np.max(np.einsum("bi,ij,bj->b", u, H, u) / np.einsum("bi,bi->b", u, u)))


@pytest.mark.parametrize("sizes", [(1, 4, 6), (2, 8), (2, 6, 9), (3, 4), (3, 4, 5)])
def test_proofs_and_refutations_meet_between_what_is_exhibited_and_a_cap(sizes):
    layers, images, H = example(sizes)
    exhibited, cap = supremum(layers, images, H), float(np.linalg.eigvalsh(H)[-1])
    assert isinstance(prove(images, H, cap * (1 + 1e-9)), Proved)
    low, high = exhibited, cap * (1 + 1e-9)
    assert isinstance(prove(images, H, low * (1 - 1e-6)), Refuted)
    for _ in range(5):
        middle = (low + high) / 2
        found = prove(images, H, middle)
        assert not isinstance(found, Undecided)
        low, high = (low, middle) if isinstance(found, Proved) else (middle, high)
        if isinstance(found, Refuted):
            assert found.ratio[0] > middle
    assert exhibited <= high * (1 + 1e-12)


def test_refutations_are_differences_of_the_network():
    layers, images, H = example((2, 9))  # whose rays have images that differ
    t = 0.95 * supremum(layers, images, H)
    found = prove(images, H, t)
    x1, x2 = codes_of(images, found)
    secants = differences.secants(layers, x1, x2)
    assert np.allclose(secants / np.linalg.norm(secants, axis=1)[:, None], found.u, atol=1e-7)
    assert (np.einsum("bi,ij,bj->b", found.u, H, found.u) > t).all()


def test_results_do_not_depend_on_workers():
    layers, images, H = example((2, 160, 8))
    t = 1.3 * supremum(layers, images, H)
    with parallel.one_blas_thread():
        here = prove(images, H, t, taped=True)
        there = prove(images, H, t, map=partial(parallel.ordered_map, workers=2), taped=True)
    assert isinstance(here, Proved)
    assert (here.nodes, here.pairs, here.exact) == (there.nodes, there.pairs, there.exact)
    assert len(here.tapes) == len(there.tapes) > 0
    assert all(np.array_equal(a, b) for a, b in zip(here.tapes, there.tapes, strict=True))


def test_blocks_hold_every_cone_once_and_their_tasks_every_pair():
    _, images, H = example((3, 9, 12))
    problem, _ = Problem.of(images, H, 10.0)
    numbers = np.concatenate([part for part, _ in problem.parts])
    assert np.array_equal(np.sort(numbers), np.arange(len(images.simplices)))
    assert max(len(part) for part, _ in problem.parts) <= BLOCK < len(images.simplices)
    pairs = [(a, b) for a, first, last in problem.tasks() for b in range(first, last)]
    count = len(problem.parts)
    assert sorted(pairs) == [(a, b) for a in range(count) for b in range(a, count)]
    for part, block in problem.parts:
        for node in range(len(block.child)):
            members = block.members[block.first[node]: block.first[node + 1]]
            below = [node]
            for i in below:
                below += [block.child[i], block.child[i] + 1] if block.child[i] >= 0 else []
            leaves = [block.leaf[i] for i in below if block.child[i] < 0]
            assert len(leaves) == block.size[node]
            rays = {int(r) for leaf in leaves for r in images.simplices[part[leaf]] if r >= 0}
            assert set(block.rays[members].tolist()) == rays


def test_the_least_value_of_a_cone_is_none_too_many():
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.standard_normal((40, 4))) + 0.1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    simplices = np.array([rng.choice(40, 3, replace=False) for _ in range(30)])
    simplices[:5, 0] = -1
    (order, block), = blocks_of(vectors, vectors, np.ones(40), 1e-13, simplices)
    for node in range(len(block.child)):
        if block.child[node] < 0:
            rays = [r for r in simplices[order[block.leaf[node]]] if r >= 0]
            x = rng.dirichlet(np.full(len(rays), 0.5), 500) @ vectors[rays]
            assert block.least[node] <= np.min(np.sum(x * x, axis=1))
            assert block.least[node] >= 1 / len(rays) - 0.01


def test_groups_prove_most_pairs_of_a_wide_range():
    layers, images, H = example((2, 60, 8))
    found = prove(images, H, 1.3 * supremum(layers, images, H))
    assert isinstance(found, Proved)
    assert found.pairs < 0.2 * len(images.simplices) ** 2 / 2


def test_an_empty_range_needs_no_proof():
    images = ImageRays.of(Fan.of([np.zeros((3, 2))], 2))
    assert isinstance(prove(images, np.eye(3), 0.0), Proved)


def test_a_form_that_vanishes_is_decided_in_integers():
    cones = StoredRays.of(np.eye(3), [[0, 1], [1, 2]])
    assert prove(cones, np.eye(3), 1.0).exact
    assert isinstance(prove(cones, np.eye(3), 1.0, most_exact=0), Undecided)


def test_the_deadline_is_kept_and_said():
    _, images, H = example((2, 6, 9))
    with pytest.raises(OutOfTime, match="not all pairs of cones"):
        prove(images, H, 10.0, deadline=time.monotonic() - 1)


def test_a_task_that_is_late_says_so():
    _, images, H = example((2, 6, 9))
    problem, _ = Problem.of(images, H, 10.0)
    assert prove_blocks(problem, time.monotonic() - 1, False, problem.tasks()[0]).late


def test_no_room_for_open_matrices_is_no_proof(monkeypatch):
    cones = StoredRays.of(np.eye(3), [[0, 1], [1, 2]])
    monkeypatch.setattr("wdccheck.ranges.float_pairs._ROOM", 1)
    found = prove(cones, np.eye(3), 1.0)
    assert isinstance(found, Undecided) and not len(found.pairs)


@pytest.mark.parametrize("H", [np.array([[1.0, 0.5], [0.0, 1.0]]), np.array([[np.nan, 0.0], [0.0, 1.0]])])
def test_a_form_that_is_none_is_refused(H):
    cones = StoredRays.of(np.eye(2), [[0, 1]])
    with pytest.raises(InvalidInput, match="symmetric"):
        prove(cones, H, 1.0)


def test_few_refutations_are_enough(monkeypatch):
    _, images, H = example((3, 9, 12))
    monkeypatch.setattr(copositive, "_REFUTATIONS", 1)
    few = prove(images, H, 0.1)
    monkeypatch.undo()
    assert 0 < len(few.u) <= len(prove(images, H, 0.1).u)


def test_a_budget_of_nodes_ends_it_undecided(monkeypatch):
    layers, images, H = example((3, 8, 12))
    t = 1.3 * supremum(layers, images, H)
    whole = prove(images, H, t)
    assert isinstance(whole, Proved)
    monkeypatch.setattr(float_pairs, "_TOGETHER", 1)
    assert len(Problem.of(images, H, t)[0].tasks()) > 1
    few = prove(images, H, t, nodes=1)
    assert isinstance(few, Undecided) and 0 < few.nodes < whole.nodes
