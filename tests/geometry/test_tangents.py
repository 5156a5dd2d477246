"""Tangents worth following: finite, and of the shape of what they start from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.matrices import MATRICES
from wdccheck.geometry import tangents
from wdccheck.geometry.expectation import unit

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(set(MATRICES) - {"tiny", "huge", "mixed scales"}))


@given(SEEDS, KINDS)
def test_soft_gradient_is_finite(seed, kind):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, 3)
    along = unit(rng.standard_normal((5, 3))) @ W.T
    t = tangents.soft_gradient(W, along, np.ones(along.shape), rng)
    assert t.shape == (5, 3) and np.isfinite(t).all()


@pytest.mark.parametrize("chosen", [tangents.off_walls, tangents.along_edges])
@given(seed=SEEDS, kind=KINDS, k=st.integers(1, 5))
def test_off_walls_it_is_finite_and_shaped_like_its_aim(chosen, seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    r, toward = unit(rng.standard_normal((5, k))), rng.standard_normal((5, k))
    t = chosen(W, r @ W.T, toward, rng)
    assert t.shape == (5, k) and np.isfinite(t).all()


def test_every_edge_at_a_vertex_is_taken():
    W, rng = np.random.default_rng(0).standard_normal((20, 4)), np.random.default_rng(1)
    vertex = np.linalg.svd(W[:3])[2][3]
    t = tangents.along_edges(W, np.tile(vertex, (60, 1)) @ W.T, rng.standard_normal((60, 4)), rng)
    left = np.abs(t @ W[:3].T) > 1e-6
    assert (left.sum(axis=1) == 1).all() and left.any(axis=0).all()
