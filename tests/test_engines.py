"""The matrix of conditions and engines: lower <= exact <= upper, whatever the condition is.

The toys are conditions that the package has never heard of: what runs on them names no condition.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import KNOWN_VALUES
from toys import Bilinear, Quadratic

import wdccheck as wc

SYMMETRIC = np.random.default_rng(1).standard_normal((3, 3))
_I, _PLANE = np.eye(2), wc.ReLUNetwork([np.eye(2), np.eye(2)])
OTHERS = [  # the range of _PLANE is the positive quadrant: theta <= pi/2, A <= I, reached at its edges
    (wc.R2WDC(_PLANE, 1), 1.0, "R2WDC of layer 1: the WDC of I_2"),
    (wc.R2WDC(_PLANE, 2), 0.75 + 0.5 / np.pi, "R2WDC of I_2 on the quadrant: 1 - least eigenvalue of Q"),
    (wc.R2WDC(wc.ReLUNetwork([[[1.0], [-1.0]], 2 * _I]), 2), 3.5, "R2WDC, k = 1: 4 - 1/2"),
    (wc.RRIC(0.5 * _I, _PLANE), 0.75, "RRIC, A^T A = I/4"),
    (wc.RRIC(np.diag([2.0, 1.0]), _PLANE), 3.0, "RRIC, the longer axis"),
    (wc.RRIC(np.diag([1.0, 3.0]), wc.ReLUNetwork([[[1.0], [-1.0]]])), 8.0, "RRIC, k = 1"),
    (wc.JointWDC([[1.0]], [[1.0]]), 0.75, "joint-WDC, all dimensions 1"),
    (wc.JointWDC([[3.0, 4.0]], [[1.0, 1.0]]), 50.0, "joint-WDC, one row"),
    (wc.JointWDC(np.diag([1.0, 2.0]), _I), 8.0, "joint-WDC, orthogonal rows"),
    (wc.JointWDC(np.zeros((2, 2)), np.ones((2, 1)), 2.0), 0.5, "joint-WDC, B = 0"),
]
CONDITIONS = [
    *(pytest.param(condition, epsilon, id=name) for condition, epsilon, name in OTHERS),
    *(pytest.param(wc.WDC(known.W, known.alpha, layer=1), known.epsilon, id=known.name)
      for known in KNOWN_VALUES),
    *(pytest.param(toy, toy.maximum, id=type(toy).__name__) for toy in (
        Quadratic(SYMMETRIC + SYMMETRIC.T), Bilinear(np.random.default_rng(2).standard_normal((2, 2))))),
]
ENGINES = [
    wc.MonteCarlo(512), wc.Spectral(), wc.Ascent(starts=512), wc.BranchAndBound(rtol=0.1, nodes=100_000),
]


@pytest.mark.parametrize(("condition", "exact"), CONDITIONS)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_every_engine_is_right_about_every_condition(condition, exact, engine):
    result = wc.bracket(condition, engine)
    assert result.lower <= exact * (1 + 1e-12)
    assert exact * (1 - 1e-12) <= result.upper
    if result.witness is not None:
        assert result.lower <= float(condition.deviation(result.witness)) <= result.lower * (1 + 1e-9) + 1e-15


@pytest.mark.parametrize(("condition", "exact"), CONDITIONS)
def test_together_they_close(condition, exact):
    result = wc.bracket(condition, *ENGINES)
    assert result.lower >= 0.99 * exact
    assert result.upper <= 1.12 * exact
    assert math.isfinite(result.upper)
