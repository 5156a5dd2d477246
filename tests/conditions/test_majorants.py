"""Majorants H >= +-D of RRIC and R2WDC over cones (Fact 21), and the forms made of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from examples.definitions import plain_a, plain_q, top
from wdccheck.conditions.r2wdc.proof import Proof as GatedCones
from wdccheck.conditions.rric.proof import Proof as MeasuredRange
from wdccheck.ranges.majorants import AbsoluteValue, Majorant


def gaussian(seed, *dims):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims))


_Q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
MEASUREMENTS = {
    "few": np.random.default_rng(1).standard_normal((3, 6)) / np.sqrt(3),
    "many": np.random.default_rng(2).standard_normal((9, 6)) / 3,
    "orthogonal": _Q,
    "isometry on a subspace": _Q[:3],
    "zero": np.zeros((2, 6)),
    "rank one": np.outer([1.0, -2.0, 0.5], np.arange(6.0)),
    "two scales": np.diag([1e-8, 1e-4, 1.0, 1.0, 1e2, 1e3]),
}


@pytest.mark.parametrize("A", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_the_absolute_value_of_measurements(A):
    found, D = AbsoluteValue.of(A), A.T @ A - np.eye(6)
    size = 1 + np.linalg.norm(A) ** 2
    assert 0 <= found.pad <= 1e-9 * size
    for sign in (1, -1):
        assert top(sign * D - found.dense()) <= found.pad + 1e-14 * size
    values, vectors = np.linalg.eigh(D)
    np.testing.assert_allclose(found.dense(), (vectors * np.abs(values)) @ vectors.T, atol=1e-9 * size)


@pytest.mark.parametrize("A", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_images_and_norms_of_majorants(A):
    rng, columns = np.random.default_rng(4), np.random.default_rng(5).standard_normal((3, 6, 2))
    X, plain = rng.standard_normal((6, 6)), AbsoluteValue.of(A)
    for majorant, H in ((plain, plain.dense()), (Majorant(X + X.T, 1e-9), X + X.T)):
        product, size, loss = majorant.image(columns)
        assert np.linalg.norm(H) <= size <= 1.1 * (np.linalg.norm(H) + 6)
        assert np.linalg.norm(product - H @ columns) <= (loss + 1e-12 * size) * np.linalg.norm(columns)


@pytest.mark.parametrize("A", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_the_forms_of_measurements_are_what_they_say(A):
    rng = np.random.default_rng(3)
    condition = MeasuredRange(gaussian(3, 2, 4, 6), 2, A)
    tree, D = condition._pairs.tree, A.T @ A - np.eye(6)
    X = rng.standard_normal((6, 6))
    H = X + X.T
    leaves = np.flatnonzero(tree.children[:, 0] < 0)
    nodes = rng.choice(leaves, (6, 4))
    size = (1 + np.linalg.norm(A) ** 2) ** 2
    spans = (condition._pairs.spans(n, "outputs", 24) for n in (nodes[:, :2], nodes[:, 2:]))
    for left, right in zip(*spans, strict=False):
        own, image = condition._majorized(left, Majorant(H, 0.0)), condition._image(left)
        both = np.intersect1d(left.owners, right.owners)
        for b, columns in enumerate(left.columns):
            for z in rng.standard_normal((3, columns.shape[1])):
                u = columns @ z
                np.testing.assert_allclose(z @ own.form[b] @ z, u @ H @ u, atol=1e-12 * size)
                np.testing.assert_allclose(z @ image.form[b] @ z, np.sum((D @ u) ** 2), atol=1e-12 * size)
        assert image.power == 2
        one, two = (s.take(np.searchsorted(s.owners, both)) for s in (left, right))
        plus, minus = condition._between(one, two)
        np.testing.assert_array_equal(plus.form, -minus.form)
        for b in range(len(both)):
            p = one.columns.shape[2]
            z = rng.standard_normal(p + two.columns.shape[2])
            u, w = one.columns[b] @ z[:p], two.columns[b] @ z[p:]
            np.testing.assert_allclose(z @ plus.form[b] @ z, 2 * u @ D @ w, atol=1e-12 * size)


@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("dims", [(1, 3, 4), (2, 4, 5), (2, 3, 4, 5), (3, 4, 5)])
def test_the_majorant_of_gates_holds_at_every_point_of_a_group(dims, alpha):
    *layers, rows = gaussian(sum(dims), *dims)
    condition = GatedCones(tuple(layers), rows, alpha, 1.0, dims[0])
    tree, _, center, radius = condition._trees
    rng = np.random.default_rng(5)
    points, groups = [], []
    for _ in range(80):
        found, nodes = [], []
        for x in rng.standard_normal((2, dims[0])):
            own = []
            for W in layers:
                own.append(W @ x > 0)
                x = np.maximum(W @ x, 0.0)
            own.append(rows @ x > 0)
            if not x.any():
                break
            above = [n for n in range(len(tree.children))
                     if all((o[n] <= g).all() and (g <= m[n]).all()
                            for o, m, g in zip(tree.opened, tree.maybe, own, strict=True))]
            # a pattern may be that of several leaves, cut by cells: those whose caps hold the image
            unit = x / np.linalg.norm(x)
            near = np.arccos(np.clip(center[above] @ unit, -1, 1)) <= radius[above] + 1e-7
            assert near.any()
            found.append(x)
            nodes.append(int(rng.choice(np.array(above)[near])))
        if len(found) == 2:
            points.append(found)
            groups.append(nodes)
    majorant, size, pad = condition._majorants(np.array(groups))
    assert len(points) > 10
    for (r, s), H, norm, lost in zip(points, majorant, size, pad, strict=True):
        D = plain_a(rows, r, s) - alpha * plain_q(r, s)
        assert np.linalg.norm(H) <= norm
        assert lost < 1e-9
        D = (D + D.T) / 2
        assert top(D - H) <= lost + 1e-7  # as the caps above
        assert top(-D - H) <= lost + 1e-7
    assert condition.groups().bound == np.inf
