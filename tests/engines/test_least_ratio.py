"""The minimum of epsilon/alpha over alpha: exact for k = 1, two witnesses that prove it, what dominates."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import wdccheck as wc
from wdccheck import checker
from wdccheck.engines.calibration import calibration
from wdccheck.engines.least_ratio import LeastRatio, least_ratio, least_upper
from wdccheck.engines.lines import Line, first_lines, lowest, proved
from wdccheck.protocol.condition import Measured
from wdccheck.running.run import Run


def exact_minimum(W):
    """k = 1: epsilon/alpha is the larger of |beta a - 1/2| for the two signs, a the sum of squares open."""
    a = [sum((Fraction(float(w)) ** 2 for w in W.ravel() if sign * w > 0), Fraction(0)) for sign in (1, -1)]
    return abs(a[0] - a[1]) / (2 * sum(a)) if sum(a) else Fraction(1, 2)


@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e120])
@pytest.mark.parametrize("seed", range(12))
def test_the_minimum_is_exact_for_one_column(seed, scale):
    rng = np.random.default_rng(seed)
    W = scale * rng.standard_normal((rng.integers(1, 9), 1)) * (rng.random((1, 1)) > 0.1)
    found = calibration(wc.WDC(W, scale**2), blocks=2)
    condition = wc.WDC(W, found.alpha)
    least = least_ratio(condition, wc.bracket(condition), found.lines)
    exact = exact_minimum(W)
    assert Fraction(least.lower) <= exact <= Fraction(least.upper)
    assert least.upper - least.lower < 1e-9 + 1e-6 * float(exact)


@pytest.mark.parametrize("make", [
    lambda W: wc.WDC(W), lambda W: wc.R2WDC(wc.ReLUNetwork([W, W[:, :1] + np.eye(len(W))]), 2),
    lambda W: wc.JointWDC(W, W[:, :1])], ids=["WDC", "R2WDC", "joint-WDC"])
def test_two_points_and_an_alpha_are_the_whole_proof(make):
    condition = make(np.random.default_rng(3).standard_normal((12, 2)) / 3)
    found = calibration(condition, blocks=4)
    at = condition.with_alpha(found.alpha)
    known = wc.bracket(at, wc.Spectral(), wc.MonteCarlo(64))
    least = least_ratio(at, known, found.lines)
    assert least.lower >= found.lower * (1 - 1e-12) > 0 and 1 <= len(least.witnesses) <= 2
    assert checker.reevaluate_least(known.to_dict(), least.to_dict()).outcome == "proved"
    for alpha in (0.1, 0.5, 1.0, 3.0, 100.0):  # no alpha is below it, at the witnesses themselves
        here = condition.with_alpha(alpha)
        assert max(float(here.deviation(one)) for one in least.witnesses) >= least.lower * alpha * (1 - 1e-12)
    assert LeastRatio.from_dict(least.to_dict()).to_dict() == least.to_dict()


def test_the_upper_side_is_the_least_of_what_is_known():
    known = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    assert least_upper(known) == (0.5, "every large alpha (Fact 9)")
    better = replace(known, lower=0.0, upper=0.25)
    assert least_upper(better)[0] == 0.25 and least_upper(better)[1].startswith("alpha = 1: ")
    assert least_upper(better, [(0.125, "the WDC")]) == (0.125, "the WDC")


def test_a_row_below_a_dominating_one_never_says_more():
    """The minimum of the R2WDC is at most that of the WDC of its layer."""
    rng = np.random.default_rng(0)
    report = wc.certify([rng.standard_normal((6, 2)), rng.standard_normal((40, 6)) / 6], time_limit=3)
    rows = {(row.kind, row.layer): row for row in report.rows}
    for layer in (1, 2):
        assert rows["R2WDC", layer].least.upper <= rows["WDC", layer].least.upper
        assert rows["R2WDC", layer].least.lower <= rows["WDC", layer].least.upper


def test_a_contradiction_is_a_bug():
    condition = wc.WDC(np.eye(2))
    known = replace(wc.bracket(condition, wc.Spectral()), lower=0.0, upper=0.25)  # epsilon is 1
    with pytest.raises(wc.UnsoundBound, match="every alpha"):
        least_ratio(condition, known, first_lines(condition, Run(), 0))


def test_terms_that_overflow_prove_nothing():
    terms = Measured(np.inf, 0.0, 0.5, 0.0), Measured(1.0, np.inf, 0.5, 0.0), Measured(0.0, 0.0, np.nan, 0.0)
    assert proved([Line({}, one) for one in terms]) == (0.0, None)
    assert proved([]) == (0.0, None)


def test_errors_only_lower_the_proved_value():
    rng = np.random.default_rng(1)
    for _ in range(200):
        exact = [Line({}, Measured(g, 0.0, q, 0.0)) for g, q in rng.random((5, 2)) * [3.0, 0.5]]
        rough = [Line({}, Measured(m.gram, e, m.expectation, f))
                 for (_, m), (e, f) in zip(exact, rng.random((5, 2)) * 1e-3, strict=True)]
        value, pair = proved(exact)
        assert proved(rough)[0] <= value <= max(lowest(exact, 10.0).value, 0.0) + 1e-12
        if pair is not None:
            betas = np.geomspace(1e-3, 1e3, 2000)
            highest = np.max([np.abs(b.gram * betas - b.expectation) for _, b in exact], axis=0)
            assert highest.min() >= value
