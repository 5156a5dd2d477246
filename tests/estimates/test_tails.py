"""Tails fitted to samples: the likelihood that SciPy finds, poor fits refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

import wdccheck as wc
from examples.estimates import CONDITION, power
from wdccheck.errors import PoorFit
from wdccheck.estimates import extreme
from wdccheck.estimates.tails import fit_tail, misfit


def test_the_fit_has_the_likelihood_that_scipy_finds():
    y = np.sort(power(np.random.default_rng(3), 300))
    values = np.concatenate([[0.0], y])
    *_, fit = fit_tail(values, 300, 1.0, 0.95, np.random.default_rng(0))
    own = stats.genpareto.logpdf(y, fit.shape, scale=fit.scale).sum()
    shape, _, scale = stats.genpareto.fit(y, floc=0)
    assert own >= stats.genpareto.logpdf(y, shape, scale=scale).sum() - 1e-3


@pytest.mark.slow
def test_a_good_fit_is_seldom_refused_and_its_p_values_are_uniform():
    refused, p_values = 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = fit_tail(np.sort(1 - rng.random(2000) ** 0.25), 100, 0.9999, 0.95, rng)
        refused += bool(misfit(*found))
        p_values.append(found[3].p_value)
    assert refused <= 8
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def two_humps(rng, n):
    return np.where(rng.random(n) < 0.995, rng.random(n), 4 + 0.1 * rng.random(n))


def steep(rng, n):
    return rng.random(n) ** 0.1  # the density does not fall toward the end: shape -1


def heavy(rng, n):
    return rng.pareto(2.0, n)


def steps(rng, n):
    return rng.integers(0, 40, n).astype(float)


@pytest.mark.parametrize(("draw", "reason"), [
    (two_humps, "Anderson-Darling"), (steep, "shape"), (heavy, "does not tell where"), (steps, "equal"),
])
def test_a_poor_fit_is_refused_with_the_reason_and_the_numbers(draw, reason, sampled):
    sampled(draw)
    with pytest.raises(PoorFit, match=reason) as caught:
        extreme(CONDITION, samples=10_000)
    error = caught.value
    assert error.estimate.samples == 10_000 and error.estimate.fit.exceedances == 200
    assert "estimate, not a bound" in str(error.estimate)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.reasons == error.reasons


def test_a_line_has_few_deviations_and_no_tail():
    with pytest.raises(PoorFit, match="equal"):
        extreme(wc.WDC(np.ones((3, 1))), samples=3000)
