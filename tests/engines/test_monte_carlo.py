"""Uniform sampling: witnesses that re-evaluate, blocks that do not depend on workers."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck.stops import Reason


@pytest.mark.parametrize(("n", "k"), [(5, 1), (20, 3), (90, 45)])
def test_witness_reevaluates(n, k):
    condition = wc.WDC(gaussian(n, k))
    result = wc.bracket(condition, wc.MonteCarlo(500))
    value = float(condition.deviation(result.witness))
    assert result.lower <= value <= result.lower * (1 + 1e-9)
    assert all(result.witness[x].shape == (k,) for x in "rs")


def test_more_samples_never_lower_the_bound():
    condition = wc.WDC(gaussian(20, 3))
    bounds = [wc.bracket(condition, wc.MonteCarlo(n)).lower for n in (1, 4096, 8192, 40_000)]
    assert bounds == sorted(bounds)


def test_one_and_two_workers_agree():
    condition = wc.WDC(gaussian(40, 5))
    one, two = (wc.bracket(condition, wc.MonteCarlo(20_000), workers=w) for w in (1, 2))
    assert one.lower == two.lower
    assert np.array_equal(one.witness["r"], two.witness["r"])


def test_stops_early_when_the_target_is_decided():
    result = wc.bracket(wc.WDC(gaussian(20, 3)), wc.MonteCarlo(10**6), target=0.01)
    assert result.stopped["lower"].reason is Reason.TARGET
    assert result.engines[0].work < 10**6


@pytest.mark.parametrize("samples", [0, -3, True, 1.5, "10"])
def test_refuses_senseless_samples(samples):
    with pytest.raises(wc.InvalidInput, match="samples"):
        wc.MonteCarlo(samples)
