"""Thresholds of the R2WDC through a library of majorants, where the truth is known by hand.

Behind rows without positive entries no gate opens: the deviation is that of alpha Q, and alpha/2 at r = s.
"""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc

_ALPHA, _TRUTH = 1.0, 0.5


def _condition(*rows):
    W = np.array(rows, dtype=float)
    return wc.R2WDC(wc.ReLUNetwork([W, -np.ones((1, len(W)))]), 2, _ALPHA)


def _shut():
    return _condition((2, -2), (2, 0), (0, 1), (-1, 2))


def test_the_truth_is_attained():
    x = np.array([[1.0, 1.0]])
    point = dict.fromkeys(("x", "y", "x1", "x3"), x) | dict.fromkeys(("x2", "x4"), 2 * x)
    assert _shut().deviation(point)[0] == pytest.approx(_TRUTH, rel=1e-12)


@pytest.mark.parametrize("part", [0.9999, 0.98, 0.1])
def test_less_than_the_truth_is_not_proved(part):
    """Neither at first nor after a larger t was proved, whatever was kept of it."""
    library = _shut().proof.whole()
    assert library.ask(part * _TRUTH, map, 2e4).bound >= _TRUTH
    larger = library.ask(1.01 * _TRUTH, map, 2e4)
    assert larger.bound == pytest.approx(1.01 * _TRUTH)
    assert larger.after.ask(part * _TRUTH, map, 2e4).bound >= _TRUTH


def test_a_handful_of_cones():
    """Fewer pairs of cones than forms that the first members are made for."""
    found = wc.bracket(_condition((1, 0), (0, 1)), wc.Spectral(), wc.BranchAndBound(nodes=20_000), rng=0,
                       time_limit=5)
    assert found.lower <= _TRUTH <= found.upper
