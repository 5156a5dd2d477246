"""What a bracket of one condition says of another that it dominates (Fact 12)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from examples.networks import generator
from wdccheck.engines import dominance
from wdccheck.errors import UnsoundBound
from wdccheck.stops import Reason


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 50))
@settings(deadline=None, max_examples=60)
def test_an_upper_bound_moves_with_alpha(alpha, other, seed):
    W = np.random.default_rng(seed).standard_normal((4, 2))
    known = wc.bracket(wc.WDC(W, alpha), wc.Spectral())
    exact = wc.bracket(wc.WDC(W, other), wc.Spectral(), wc.MonteCarlo(samples=300), rng=seed)
    moved = dominance.upper_at(known, other)
    assert exact.lower <= moved
    assert dominance.upper_at(known, alpha) == known.upper
    assert moved >= known.upper + abs(alpha - other) / 2 * (1 - 1e-12)


def test_moving_alpha_cannot_do_with_less():
    """W = 0: epsilon = alpha/2, so the bound is sharp; half of the move would be unsound."""
    known = wc.bracket(wc.WDC(np.zeros((3, 2)), 1.0), wc.Spectral())
    assert known.upper + 0.25 * 1.0 < 1.0 <= dominance.upper_at(known, 2.0) <= 1.0 + 1e-12


def test_a_smaller_upper_of_the_wdc_is_taken_over():
    condition = wc.R2WDC(generator(), 2)
    above = wc.bracket(wc.WDC(generator().layers[1], layer=2), wc.Spectral())
    known = replace(wc.bracket(condition, wc.Spectral()), upper=9.0)
    found = dominance.bounded(known, above)
    assert found.upper == above.upper and found.upper_by == "Fact 12: WDC of layer 2"
    assert found.stopped["upper"].reason is Reason.CAP_ONLY
    assert dominance.bounded(replace(known, upper=known.lower), above).upper == known.lower
    with pytest.raises(UnsoundBound):
        dominance.bounded(known, replace(above, upper=known.lower / 2, lower=0.0))
