"""Compiled and plain kernels: the same answers, and the choice between them."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from wdccheck import _kernels
from wdccheck._kernels import Problem, first_order, plain_proof
from wdccheck.conditions.wdc.proof import Proof
from wdccheck.engines.proving.explore import explore
from wdccheck.engines.proving.subtree import provable, prove_subtrees
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes

compiled = pytest.mark.skipif(_kernels.prove is None, reason="no compiled kernels: nothing to compare")

KINDS = ("gaussian", "integer", "duplicated", "negated", "sparse", "tiny", "huge", "flat")


def weights(kind, n, k, seed):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, k))
    if kind == "integer":
        W = rng.integers(-2, 3, (n, k)).astype(float)
    elif kind == "duplicated":
        W = np.vstack([W, W, 0.5 * W[:1]])
    elif kind == "negated":
        W = np.vstack([W, -2 * W[: n // 2 + 1]])
    elif kind == "sparse":
        W = W * (rng.random((n, k)) < 0.4)
    elif kind == "flat":
        W[1:] = rng.standard_normal((n - 1, 1)) * W[:1] + 1e-13 * W[1:]
    if kind in ("tiny", "huge"):  # rows of very different lengths
        W = W * 10.0 ** rng.integers(-150 if kind == "tiny" else 0, 1 if kind == "tiny" else 140, (n, 1))
    return W if W.any() else np.eye(k)


def problem(W, alpha, t):
    """A condition in its own units, its proof problem at t times their scale, and the root boxes."""
    condition = wc.WDC(W, alpha)
    gated = condition.proof.compiled
    roots = Boxes.cover({"r": W.shape[1], "s": W.shape[1]}, symmetric=("r", "s"))
    made = Problem(gated.rows, gated.positive, gated.negative, gated.alpha, gated.pad, t, MAX_DEPTH)
    return condition, made, *(np.concatenate(x).T for x in (roots.center, roots.half))


@compiled
@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(KINDS), extra=st.integers(0, 6), k=st.integers(2, 6), seed=st.integers(0, 10**6),
       t=st.floats(0.01, 3.0), alpha=st.sampled_from([1.0, 0.1, 7.0]), budget=st.integers(1, 150))
def test_both_proofs_visit_the_same_nodes(kind, extra, k, seed, t, alpha, budget):
    _, made, center, half = problem(weights(kind, k + extra, k, seed), alpha, t)
    one = _kernels.prove(made, center, half, budget, 64)
    other = plain_proof.prove(made, center, half, budget, 64)
    assert one.visited == other.visited
    for a, b in zip(one.left + one.hard, other.left + other.hard, strict=True):
        assert a.shape == b.shape
        assert np.array_equal(a, b)


@compiled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_what_is_left_and_hard_and_proved_covers_everything(kind, k):
    """No direction whose deviation exceeds t lies in a box that counts as proved."""
    rng = np.random.default_rng(k)
    W = weights(kind, 7, k, 3)
    t = 0.4
    condition, made, center, half = problem(W, 1.0, t)
    scale = condition.proof.compiled.scale
    points = {x: rng.standard_normal((4000, k)) for x in "rs"}
    points["s"][::2] = points["r"][::2] + 1e-3 * points["s"][::2]
    points["s"][::5] = -points["r"][::5] + 1e-6 * points["s"][::5]
    above = condition.deviation(points) > t * scale * (1 + 1e-9)
    for budget in (1, 40, 400, 4000):
        done = _kernels.prove(made, center, half, budget, 64)
        rest = [np.concatenate([a, b]) for a, b in zip(done.left, done.hard, strict=True)]
        for r, s in zip(points["r"][above], points["s"][above], strict=True):
            assert any(_inside(rest, a, b, k) for a, b in ((r, s), (s, r)))


def _inside(boxes, r, s, k):
    face = np.concatenate([r / np.abs(r).max(), s / np.abs(s).max()])
    return bool((np.abs(face - boxes[0]) <= boxes[1] + 1e-12).all(axis=1).any())


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


@compiled
def test_a_search_cut_into_pieces_proves_the_same():
    W = np.random.default_rng(0).standard_normal((12, 3)) / np.sqrt(12)
    condition, _, center, half = problem(W, 1.0, 1.0)
    low = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=32)).lower
    _, made, center, half = problem(W, 1.0, 1.1 * low / condition.proof.compiled.scale)
    whole = _kernels.prove(made, center, half, 10**7, 10**4)
    visited, pieces = 0, (center, half)
    while len(pieces[0]):
        done = _kernels.prove(made, *pieces, 37, 10**4)
        visited, pieces = visited + done.visited, done.left
        assert not len(done.hard[0])
    assert visited >= whole.visited > 1000
    assert not len(whole.left[0])


@compiled
def test_no_number_is_proved_below_a_nan():
    W = np.random.default_rng(0).standard_normal((5, 2))
    for t in (float("nan"), -1.0):
        _, made, center, half = problem(W, 1.0, t)
        done = _kernels.prove(made, center, half, 500, 10**4)
        assert len(done.left[0]) + len(done.hard[0]) > 0


@compiled
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_subtrees_and_regions_agree(k):
    """The engine of the compiled kernel and the general one prove, and refute, the same numbers."""
    W = np.random.default_rng(k).standard_normal((12, k)) / np.sqrt(12)
    condition = wc.WDC(W)
    roots = condition.proof.boxes()
    assert provable(condition.proof, roots)
    low = wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=32)).lower
    high = next(iter(condition.theorems.caps())).value
    for t in (0.7 * low, high * 1.001):
        one = prove_subtrees(condition, t, 3000, float("inf"), roots)
        other = explore(condition, t, 3000, float("inf"), roots)
        for found in (one, other):
            assert (bool(found.left) or found.value > t) == (t < low)
            assert found.value == 0 or low * (1 + 1e-9) >= found.value > t


def run(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


SHOW = "import wdccheck as wc; print(wc.kernel())"


def test_the_environment_chooses_the_kernel():
    assert run(SHOW, WDCCHECK_KERNEL="reference").stdout == "reference\n"
    if _kernels.prove is not None:
        assert run(SHOW, WDCCHECK_KERNEL="compiled").stdout == "compiled\n"
    wrong = run(SHOW, WDCCHECK_KERNEL="fast")
    assert wrong.returncode == 1
    assert "WDCCHECK_KERNEL: reference or compiled required, 'fast' found" in wrong.stderr


def test_compiled_kernels_of_another_version_are_not_used():
    code = ("import sys, types\nmodule = types.ModuleType('wdccheck._kernels.proof'); module.ABI = 0\n"
            "sys.modules['wdccheck._kernels.proof'] = module\n"
            "from wdccheck import _kernels; print(_kernels.reason)")
    found = run(code, WDCCHECK_KERNEL="")
    assert found.stdout.startswith("the compiled kernels are of another version: 0")
    assert run(code, WDCCHECK_KERNEL="compiled").returncode == 1


def test_without_compiled_kernels_brackets_are_the_same_to_rounding():
    code = ("import numpy as np, wdccheck as wc\n"
            "W = np.random.default_rng(1).standard_normal((20, 2)) / 20**0.5\n"
            "r = wc.bracket(wc.WDC(W), wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(gap=0.01))\n"
            "print(wc.kernel(), r.lower, r.upper)")
    one, other = (run(code, WDCCHECK_KERNEL=kind).stdout.split() for kind in ("reference", ""))
    assert one[0] == "reference"
    assert np.allclose([float(x) for x in one[1:]], [float(x) for x in other[1:]], rtol=1e-9)


def test_info_says_which_kernel_and_why():
    told = run("from wdccheck.cli.main import main; main(['info'])", WDCCHECK_KERNEL="reference")
    assert "kernel reference (WDCCHECK_KERNEL asks for it)" in told.stdout


def test_plain_data_of_a_gated_sum_are_those_of_its_condition():
    W = np.vstack([np.eye(3), -0.5 * np.eye(3)])
    pair = Proof(W, 1.0, 1.0)
    data = pair.compiled
    assert data.letters == ("r", "s")
    assert np.array_equal(data.positive, np.ones(3))
    assert np.array_equal(data.negative, np.full(3, 0.25))
    assert 0 < data.pad < 1e-12
