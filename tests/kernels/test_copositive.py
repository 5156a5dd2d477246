"""The compiled proof on pairs of cones against its definition, and its tape against a replay."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from wdccheck import _kernels
from wdccheck._kernels import plain_copositive
from wdccheck._kernels.ray_blocks import APART, GROUPED, KEPT, OPEN, PASSED
from wdccheck.ranges.ray_groups import blocks_of

compiled = pytest.mark.skipif(_kernels.prove is None, reason="no compiled kernels")


def problem(seed, k, count=40, n=5, t=1.7, pad=1e-13):
    """Blocks of cones with shared rays, their products; some matrices hold, some do not."""
    rng = np.random.default_rng(seed)
    vectors = np.abs(rng.standard_normal((count // 2, n))) + 0.2
    H = rng.standard_normal((n, n))
    form = t * np.eye(n) - (H + H.T) / 4
    square = np.einsum("ri,ri->r", vectors @ form, vectors)
    vectors = vectors[square > 0.1] / np.sqrt(square[square > 0.1])[:, None]
    near = np.argsort(-(vectors @ vectors.T), axis=1)[:, :k]
    simplices = np.unique(np.sort(near, axis=1), axis=0)
    simplices[0, 0] = -1 if k > 1 else simplices[0, 0]
    (_, block), = blocks_of(vectors, vectors @ form, np.ones(len(vectors)), pad, simplices)
    other = np.random.default_rng(seed + 1).permutation(len(simplices))[:9]
    (_, few), = blocks_of(vectors, vectors @ form, np.ones(len(vectors)), pad, simplices[other])
    products = vectors @ form @ vectors.T
    return [(one, two, products[np.ix_(one.rays, two.rays)]) for one, two in ((block, block), (block, few))]


@compiled
@pytest.mark.parametrize("t", [0.7, 1.7])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_compiled_and_plain_find_the_same(seed, k, t):
    for one, two, cross in problem(seed, k, t=t):
        found = [prove(one, two, cross, 1e-13, 10_000, 10_000, math.inf, True)
                 for prove in (_kernels.prove_pairs, plain_copositive.prove)]
        assert found[0].whole and found[1].whole
        assert found[0].pairs == found[1].pairs and found[0].matrices == found[1].matrices
        assert np.array_equal(found[0].open, found[1].open)
        assert np.array_equal(found[0].tape, found[1].tape)
        if not len(found[0].open):
            assert found[0].nodes == found[1].nodes


def test_examples_have_groups_cuts_and_open_matrices():
    tapes = [_kernels.prove_pairs(*blocks, 1e-13, 10_000, 10_000, math.inf, True).tape
             for seed in range(3) for k in (2, 3) for t in (0.7, 1.7) for blocks in problem(seed, k, t=t)]
    codes = np.concatenate(tapes)
    assert {OPEN, GROUPED, APART, PASSED, PASSED + 1} <= set(codes.tolist())
    assert (codes < 48).any()


@pytest.mark.parametrize("prove", [_kernels.prove_pairs, plain_copositive.prove])
def test_a_proof_stops_at_its_limits(prove):
    one, two, cross = problem(0, 3, t=0.7)[0]
    limits = math.inf, False
    whole = prove(one, two, cross, 1e-13, 10_000, 10_000, *limits)
    assert whole.whole and len(whole.open) and not len(whole.tape)
    assert not prove(one, two, cross, 1e-13, 10_000, 1, *limits).whole
    assert len(prove(one, two, cross, 1e-13, 1, 10_000, *limits).open) > len(whole.open)


def test_the_plain_proof_watches_the_clock():
    one, two, cross = problem(0, 3)[0]
    assert not plain_copositive.prove(one, two, cross, 1e-13, 10_000, 10_000, time.monotonic() - 1).whole


@pytest.mark.parametrize("seed", range(3))
def test_a_tape_says_all_that_proves_a_pair(seed):
    """Replayed with elimination by numpy's Cholesky and exact halving, matrix by matrix."""
    for one, two, cross in problem(seed, 2):
        outcome = _kernels.prove_pairs(one, two, cross, 1e-13, 10_000, 10_000, math.inf, True)
        walk = plain_copositive._Walk(one, two, cross, 1e-13)
        walk.visit(0, 0)
        matrices = plain_copositive._matrices(walk)
        tape = [code for code in outcome.tape.tolist() if code not in (GROUPED, APART)]
        for z, p in zip(matrices.z, matrices.order, strict=True):
            if tape[0] == OPEN:
                tape.pop(0)
                continue
            lengths = 1 / np.sqrt(np.diag(z)[:p])
            replay(z[:p, :p] * np.outer(lengths, lengths), tape)
        assert not tape


def replay(z, tape):
    code = tape.pop(0)
    if code >= PASSED:
        keep = KEPT[code - PASSED]
        kept = np.where(z > 0, keep * z, z)
        np.fill_diagonal(kept, np.diag(z))
        np.linalg.cholesky(kept + 1e-14 * np.eye(len(z)))
        return
    i, j = divmod(code, 8)
    for at in (i, j):
        cut = np.eye(len(z))
        cut[at] = 0
        cut[at, [i, j]] = 1 / np.sqrt(z[i, i] + 2 * z[i, j] + z[j, j])
        replay(cut @ z @ cut.T, tape)
