"""Tangents worth following: finite, and of the shape of what they start from."""

from __future__ import annotations

import numpy as np
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


@given(SEEDS, KINDS, st.integers(1, 5))
def test_off_walls_is_finite_and_shaped_like_its_aim(seed, kind, k):
    rng = np.random.default_rng(seed)
    W = MATRICES[kind](rng, k)
    r, toward = unit(rng.standard_normal((5, k))), rng.standard_normal((5, k))
    t = tangents.off_walls(W, r @ W.T, toward, rng)
    assert t.shape == (5, k) and np.isfinite(t).all()
