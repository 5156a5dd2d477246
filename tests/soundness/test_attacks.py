"""Random and hostile points against upper bounds of every kind of condition: none is below one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from examples.drawn_attacks import KINDS, attacked, attacks


def test_no_bound_is_below_an_exhibited_value():
    kinds, failures = attacks(1500, 0)
    assert not failures and set(KINDS) < set(kinds)


@pytest.mark.slow
def test_no_bound_of_many_is_below_an_exhibited_value():
    """`python tests/examples/drawn_attacks.py` draws 100 000."""
    assert not attacks(10_000, 1)[1]


@pytest.mark.parametrize("about", [
    wc.WDC(np.random.default_rng(0).standard_normal((12, 2))),
    wc.RRIC(np.eye(3)[:2], wc.ReLUNetwork([np.random.default_rng(0).standard_normal((3, 2))]))])
def test_a_bound_that_is_too_small_is_found(about):
    """By each kind of attack but those that look elsewhere than near the maximum."""
    known = wc.bracket(about, wc.Spectral(), wc.Ascent(starts=16))
    low = replace(known, lower=0.0, upper=0.98 * known.lower)
    found = {kind for kind, wrong in attacked(about, low, np.random.default_rng(1)) if wrong}
    assert {"near the witness", "witness, exactly", "highest, exactly"} <= found
