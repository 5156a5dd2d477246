"""Groups of cones: what a node says of its leaves, and that splitting loses no pair."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from wdccheck.geometry.expectation import angle, unit
from wdccheck.ranges.cone_groups import Groups, Tree

K = 2


def tree_of(seed, count):
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((count, K))
    gates = [rng.random((count, 4)) < 0.5, rng.random((count, 3)) < 0.7]
    layers = [rng.standard_normal((4, K)), rng.standard_normal((3, 4))]
    return Tree.of(codes, layers, gates), codes, gates


def members(tree, node):
    """The cones of a node, as they were given."""
    return tree.order[tree.first[node]:tree.last[node]]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 21])
def test_a_node_says_what_its_cones_say(count):
    tree, codes, gates = tree_of(count, count)
    assert sorted(tree.order) == list(range(count))
    assert len(tree.children) == 2 * count - 1
    np.testing.assert_array_equal(tree.codes, codes[tree.order])
    for node, (left, right) in enumerate(tree.children):
        own = members(tree, node)
        for opened, maybe, gate in zip(tree.opened, tree.maybe, gates, strict=True):
            np.testing.assert_array_equal(opened[node], gate[own].all(axis=0))
            np.testing.assert_array_equal(maybe[node], gate[own].any(axis=0))
        if left < 0:
            assert len(own) == 1
            assert tree.leaf(np.array([node])).all()
        else:
            assert min(left, right) > node
            np.testing.assert_array_equal(np.concatenate([members(tree, left), members(tree, right)]), own)
    assert len(members(tree, 0)) == count


def test_caps_of_nodes_hold_those_of_their_cones():
    tree, _, _ = tree_of(5, 13)
    rng = np.random.default_rng(5)
    center, radius = unit(rng.standard_normal((13, 3))), rng.random(13) * 0.3
    centers, radii = tree.balls(center, radius)
    for node in range(len(tree.children)):
        for cone in members(tree, node):
            assert angle(center[cone][None], centers[node][None])[0] + radius[cone] <= radii[node] + 1e-12


def test_caps_of_opposite_directions():
    tree, _, _ = tree_of(1, 2)
    centers, radii = tree.balls(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2))
    assert np.linalg.norm(centers[0]) == pytest.approx(1.0)
    assert radii[0] >= np.pi


def groups_of(trees, nodes, pairs, letters):
    sizes = tuple((t.last - t.first).astype(float) for t in trees)
    bound, tight = np.array([np.inf]), np.zeros(1, dtype=int)
    return Groups(trees, sizes, pairs, letters, np.array([nodes]), bound, tight)


def leaves_below(groups):
    """Split until nothing can be split: how often every product of cones occurs."""
    found, todo, rounds = Counter(), groups, 0
    while len(todo):
        done = ~todo.splittable()
        for nodes in todo.nodes[done]:
            assert all(t.leaf(np.array([n])).all() for t, n in zip(todo.trees, nodes, strict=True))
            found[tuple(int(t.first[n]) for t, n in zip(todo.trees, nodes, strict=True))] += 1
        todo = todo.take(~done).split()
        rounds += 1
        assert rounds < 100
    return found


def unordered(count):
    return [(i, j) for i in range(count) for j in range(i, count)]


def test_every_unordered_pair_of_pairs_occurs_once():
    tree, _, _ = tree_of(2, 5)
    groups = groups_of((tree,) * 4, [0, 0, -1, -1], 0, {"x1": 0, "x2": 1, "x3": 2, "x4": 3})
    found = leaves_below(groups)
    wanted = {(*p, *q) for p, q in product(unordered(5), repeat=2)}
    assert set(found) == wanted
    assert set(found.values()) == {1}


def test_every_product_of_pairs_of_two_trees_occurs_once():
    codes, pairs = tree_of(3, 4)[0], tree_of(4, 3)[0]
    found = leaves_below(groups_of((codes, codes, pairs, pairs), [0, 0, 0, 0], 0, {"x": 0, "x1": 2}))
    assert set(found) == {(*p, *q) for p in unordered(4) for q in unordered(3)}
    assert set(found.values()) == {1}


def test_the_second_pair_starts_once_the_first_is_single():
    tree, _, _ = tree_of(2, 3)
    groups = groups_of((tree,) * 4, [0, 0, -1, -1], 0, {"x1": 0, "x2": 1, "x3": 2, "x4": 3})
    assert not groups.single().any()
    while (groups.nodes[:, 2] < 0).any():
        single = tree.leaf(groups.nodes[:, :2]).all(axis=1)
        waiting = groups.take(groups.nodes[:, 2] < 0)
        np.testing.assert_array_equal(waiting.single(), single[groups.nodes[:, 2] < 0])
        assert (waiting.matured().effort == 1).all()
        assert waiting.splittable().all()
        groups = groups.split()
    assert (groups.nodes >= 0).all()


def test_bounds_are_inherited_and_only_ever_fall():
    tree, _, _ = tree_of(2, 6)
    groups = groups_of((tree, tree), [0, 0], 0, {"x1": 0, "x2": 1}).bounded(np.array([3.0]))
    assert groups.bounded(np.array([5.0])).bound == [3.0]
    halves = groups.split()
    np.testing.assert_array_equal(halves.bound, 3.0)
    lowered = halves.bounded(np.arange(len(halves)) + 2.0)
    assert lowered.split().bound.min() == 2.0
    both = lowered.join([lowered, halves.take(slice(1))])
    assert len(both) == len(halves) + 1
    assert both.bound[-1] == 3.0
    assert not groups.matured().split().effort.any()


def gates_at(layers, x):
    found = []
    for W in layers:
        found.append(x @ W.T > 0)
        x = np.maximum(x @ W.T, 0.0)
    return found


def test_points_of_a_region_are_in_it_and_those_of_others_are_not():
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((5, K)), rng.standard_normal((6, 5))]
    codes = rng.standard_normal((300, K))
    _, first = np.unique(np.concatenate(gates_at(layers, codes), axis=1), axis=0, return_index=True)
    codes = codes[first]
    tree = Tree.of(codes, layers, gates_at(layers, codes))
    letters = {"x1": 0, "x2": 1, "x3": 2, "x4": 3}
    groups = groups_of((tree,) * 4, [0, 0, -1, -1], 0, letters)
    for _ in range(12):
        assert groups.contains(groups.centers()).all()
        sampled = groups.sample(rng, 4)
        assert set(sampled) == set(letters)
        for i in range(4):
            assert groups.contains({x: value[:, i] for x, value in sampled.items()}).all()
        points = {x: rng.standard_normal((len(groups), K)) for x in letters}
        inside = np.ones(len(groups), dtype=bool)
        for slot, x in enumerate(letters):
            at = np.concatenate(gates_at(layers, points[x]), axis=1)
            for b, nodes in enumerate(groups.nodes):
                node = nodes[slot] if nodes[slot] >= 0 else nodes[slot - 2]  # not in use
                own = np.concatenate(gates_at(layers, codes[members(tree, node)]), axis=1)
                inside[b] &= (own.all(axis=0) <= at[b]).all() and (at[b] <= own.any(axis=0)).all()
        np.testing.assert_array_equal(groups.contains(points), inside)
        groups = groups.split()
        groups = groups.take(rng.permutation(len(groups))[:12])
    assert not inside.all()
