"""The first order of the expectation over two boxes: its derivation, proofs it decides."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from wdccheck import _kernels
from wdccheck._kernels import Problem, first_order, plain_proof
from wdccheck.geometry.boxes import MAX_DEPTH
from wdccheck.linalg import rounding

LONG = np.longdouble


def unit(x):
    return x / np.sqrt((x * x).sum(-1))[..., None]


def boxes(rng, k, deepest):
    """Dyadic centers and half-widths (2, k) on faces: r and s near, opposite, orthogonal, or anywhere."""
    depth = int(rng.integers(2, deepest)) + rng.integers(0, 3, (2, k)) * int(rng.integers(0, 2))
    depth[int(rng.integers(0, 2))] += int(rng.choice([0, 0, 1, 8]))
    half = 2.0 ** -np.minimum(depth, MAX_DEPTH)
    x = rng.uniform(-1, 1, (2, k))
    near = 10 ** rng.uniform(0, 2.5) * half.max() * rng.standard_normal(k)
    kind = rng.integers(0, 4)
    if kind < 2:
        x[1] = (x[0] if kind else -x[0]) + near
    elif kind == 2:
        x[1] -= (x[0] @ x[1]) / (x[0] @ x[0]) * x[0]
    face = np.abs(x).argmax(axis=1)
    x /= np.abs(x).max(axis=1, keepdims=True)
    center = np.minimum(np.floor((x + 1) / (2 * half)), 1 / half - 1) * 2 * half - 1 + half
    for i in (0, 1):
        center[i, face[i]], half[i, face[i]] = np.sign(x[i, face[i]]), 0.0
    return center, half


def bare(k, alpha):
    return Problem(np.eye(k), np.ones(k), np.zeros(k), alpha, 0.0, 1.0, MAX_DEPTH)


def defined(r, s, a, b):
    """M and c as they are derived, in long doubles: G at both ends, the turning rates at their largest."""
    y, z, pi = LONG(first_order.ACROSS), LONG(first_order.ALONG), 4 * np.arctan(LONG(1))
    across, along = 0.0, []
    for here, there, most in ((r, s, a), (s, r, b)):
        e = unit(there - (here @ there) * here)
        e = unit(e - (here @ e) * here)
        across = across + most * (y * (np.eye(len(r)) - np.outer(here, here)) + z * np.outer(e, e))
        along.append(np.sqrt(((r - s) ** 2).sum()) if here is r else np.sqrt(((r + s) ** 2).sum()))
    theta = 2 * np.arctan2(*along)
    way = theta + (a + b) * np.linspace(-1, 1, 33, dtype=LONG)
    turns = np.maximum(1, np.abs(np.cos(way) / np.sin(way))).max()
    pushed = (1 / np.sin(way)).max()
    rest = a * (y * a + z * (a * turns + b * pushed)) + b * (y * b + z * (b * turns + a * pushed))
    return across / (2 * pi), rest / (4 * pi)


@pytest.mark.parametrize("alpha", [1.0, 0.3, 1e-200])
def test_the_first_order_is_what_its_derivation_says(alpha):
    """Between it and 16 errors more, whatever the angle: not tight enough for a term to be missing."""
    rng, used = np.random.default_rng(0), 0
    for _ in range(700):
        k = int(rng.integers(2, 11))
        center, half = boxes(rng, k, 36)
        made = bare(k, alpha)
        node = plain_proof._root(made, center, half)
        _, theta, slack, _, _ = plain_proof._expected(made, node)
        radii = plain_proof._radii(node)
        first, useful = (first_order.first_order(made.alpha, node.center, radii, theta, much)
                         for much in (1e3 * slack, slack))  # where it is of no use, too
        if first is None:
            continue
        used += 1
        a, b = plain_proof._radii(node)
        if useful is not None:  # never more than a quarter of what it replaces
            assert useful[1] == first[1] < slack * first_order.SHARP
        m, c = defined(*unit(center.astype(LONG)), LONG(a), LONG(b))
        error = rounding.expectation_error(k)
        m = m[np.tril_indices(k)]
        assert np.abs(first[0] / LONG(alpha) - m).max() <= 4 * error
        wild = c * (1 + 10 * error / (min(theta, np.pi - theta) - a - b))  # the ends err by `error`
        assert c + 6 * error <= first[1] / LONG(alpha) <= wild + 16 * error
    assert used > 300


@pytest.mark.skipif(_kernels.kernel() != "compiled", reason="compares the compiled kernel with the plain one")
def test_the_compiled_first_order_is_the_plain_one():
    from wdccheck._kernels import proof

    rng, found = np.random.default_rng(2), {True: 0, False: 0}
    for _ in range(1500):
        k = int(rng.integers(2, 11))
        center, half = boxes(rng, k, 36)
        made = bare(k, float(rng.choice([1.0, 0.3])))
        node = plain_proof._root(made, center, half)
        _, theta, slack, _, _ = plain_proof._expected(made, node)
        plain = first_order.first_order(made.alpha, node.center, plain_proof._radii(node), theta, slack)
        fast = proof.first_order_on(made, center.ravel(), half.ravel())
        assert (plain is None) == (fast is None)
        found[plain is None] += 1
        if plain is not None:
            assert np.allclose(plain[0], fast[0], rtol=1e-12, atol=1e-15)
            assert plain[1] == pytest.approx(fast[1], rel=1e-9, abs=1e-15)
    assert min(found.values()) > 100


def test_no_first_order_where_theta_reaches_0_or_pi():
    """r and s in touching or overlapping boxes, or opposite ones: there e has no limit."""
    rng = np.random.default_rng(1)
    for trial in range(200):
        k = int(rng.integers(2, 7))
        center, half = boxes(rng, k, 30)
        center[1], half[1] = center[0], half[0]
        j = int(np.argmax(half[0]))
        center[1, j] += (trial % 3) * half[0, j]  # the same, overlapping, touching
        made, sign = bare(k, 1.0), rng.choice([-1, 1])
        node = plain_proof._root(made, np.array([center[0], sign * center[1]]), half)
        _, theta, _, _, _ = plain_proof._expected(made, node)
        assert first_order.first_order(made.alpha, node.center, plain_proof._radii(node), theta, 1e9) is None


# -- no gate undecided: nothing but the expectation stands between a box and a proof -----------------------


def sure(rng, k):
    """Lines open or shut on two boxes, alpha, the boxes and their mirror image, the largest deviation."""
    while True:
        center, half = boxes(rng, k, 6)
        rows = rng.standard_normal((40, k)) * 10 ** rng.uniform(-0.3, 0.0) / np.sqrt(8 * k)
        middle, reach = center @ rows.T, half @ np.abs(rows).T
        rows = rows[(np.abs(middle) > 1.01 * reach).all(axis=0)][: int(rng.integers(1, 9))]
        if len(rows):
            break
    kept = rows[(rows @ center.T > 0).all(axis=1)]
    gram, alpha = kept.T @ kept, float(rng.choice([1.0, 0.3]))
    corners = np.array(list(itertools.product([-1, 1], repeat=2 * k))[:1024], dtype=float).reshape(-1, 2, k)
    moves, best = np.concatenate([corners, np.zeros((1, 2, k))]), (-1.0, None)
    for scale in 0.5 ** np.arange(18):
        q, _ = _kernels.expected_triangle(*np.moveaxis(center + half * moves, 0, -1))
        value = np.abs(np.linalg.eigvalsh(gram - alpha * _kernels.symmetric(q, k))).max(axis=1)
        i = int(value.argmax())
        best = max(best, (float(value[i]), moves[i]), key=lambda x: x[0])
        moves = np.clip(best[1] + scale * rng.standard_normal((60, 2, k)), -1, 1)
    both = (np.array([x, x[::-1]]).reshape(2, -1) for x in (center, half))
    return rows, alpha, *both, best[0]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_a_box_is_not_proved_below_its_largest_deviation(k):
    """By either kernel, nor do these differ; a little above it the whole box is proved."""
    rng, proved = np.random.default_rng(k), 0
    for _ in range(18):
        rows, alpha, center, half, most = sure(rng, k)
        for factor in (1 - 1e-12, 1.002):
            made = Problem(rows, np.ones(len(rows)), np.zeros(len(rows)), alpha, 1e-15, most * factor, 40)
            found = set()
            for prove in filter(None, (_kernels.prove, plain_proof.prove)):
                done = prove(made, center, half, 60, 64)
                found.add((done.visited, len(done.left[0]), len(done.hard[0])))
            assert len(found) == 1
            rest = sum(found.pop()[1:])
            assert rest or factor > 1
            proved += not rest
    assert proved >= 5


def test_the_first_order_of_the_expectation_bounds_its_change():
    """Q leaves neither side of it at any point of two boxes, corners and moves along s among them."""
    y, z = Fraction(first_order.ACROSS), Fraction(first_order.ALONG)
    assert (2 * y * z - 6) ** 2 <= 4 * (z**2 + 3) * (y**2 - 1)  # so that (y + z x)^2 >= 1 + 6x - 3x^2
    rng, used, closest = np.random.default_rng(0), 0, 0.0
    for trial in range(400):
        k = int(rng.integers(2, 7))
        c = rng.uniform(-1, 1, (2, k))
        if trial % 3 == 0:
            c[1] = (c[0] if trial % 2 else -c[0]) + 0.2 * rng.standard_normal(k)
        h = 2.0 ** -rng.integers(1, 9) * rng.random((2, k)) * np.array([[1.0], [rng.choice([1.0, 0.1, 0.0])]])
        face = np.abs(c).argmax(axis=1)
        c /= np.abs(c).max(axis=1, keepdims=True)
        h[[0, 1], face] = 0
        made = Problem(np.eye(k), np.ones(k), np.zeros(k), 0.7, 0.0, 1.0, MAX_DEPTH)
        node = plain_proof._root(made, c, h)
        mean, theta, _, _, _ = plain_proof._expected(made, node)
        first = first_order.first_order(made.alpha, node.center, plain_proof._radii(node), theta, 2.0)
        if first is None:
            continue
        used += 1
        toward = np.sign(c[::-1] - np.sum(c * c[::-1], axis=1)[:, None] * c / np.sum(c**2, axis=1)[:, None])
        moves = [rng.choice([-1.0, 1.0], (60, 2, k)), rng.uniform(-1, 1, (20, 2, k)),
                 np.array([toward, -toward])]
        r, s = (c + h * np.concatenate(moves)).transpose(1, 2, 0)
        change = _kernels.symmetric(0.7 * _kernels.expected_triangle(r, s)[0] - mean[:, None], k)
        most = _kernels.symmetric(first[0][:, None], k)
        over = np.linalg.eigvalsh(np.concatenate([change, -change]) - most)[:, -1].max()
        assert over <= first[1] + 1e-15
        closest = max(closest, over / first[1])
    assert used > 150
    assert closest > 0.2  # no bound that holds by far
