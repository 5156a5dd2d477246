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
CONDITIONS = [
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
