"""Sentences that were false: verdicts in too few digits, claims without a line, crashes for answers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import outcomes
from examples.refusals import refused
from wdccheck.certification.of_condition import certify_condition
from wdccheck.engines.calibration import calibration
from wdccheck.linalg.inputs import limit_value
from wdccheck.reports.meaning import closing, facts
from wdccheck.reports.row import Row
from wdccheck.stops import Reason, Stop

NARROW = (np.float16, np.float32)


@pytest.mark.parametrize("scalar", NARROW)
@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_eps_is_compared_exactly(scalar, seed):
    """k = 1: epsilon is a rational number, and eps the nearest scalar of few digits, below it or above."""
    rng = np.random.default_rng(seed)
    w, alpha = float(1 + rng.random() * 10.0 ** -rng.integers(1, 9)), 2.0**-40
    condition = wc.WDC(np.array([[w]]), alpha)
    exact, known, eps = Fraction(w) ** 2 - Fraction(alpha) / 2, wc.bracket(condition), scalar(w * w)
    holds = exact <= Fraction(float(eps))
    for verdict in (known.verdict(eps), wc.bracket(condition, target=eps).verdict(eps)):
        assert verdict is not (wc.Verdict.VIOLATED if holds else wc.Verdict.HOLDS)
        assert verdict is known.verdict(float(eps))
    assert Row(known).verdict(eps) is Row(known).verdict(float(eps))


@pytest.mark.parametrize("scalar", (*NARROW, float))
@pytest.mark.parametrize("seed", range(8))
def test_a_ratio_is_compared_exactly_with_bounds_next_to_it(scalar, seed):
    rng = np.random.default_rng(seed)
    ratio, alpha = scalar(rng.random()), float(np.exp(9 * rng.standard_normal()))
    condition = wc.WDC(np.eye(2), alpha)
    exact = Fraction(float(ratio)) * Fraction(alpha)
    for eps in (float(exact), np.nextafter(float(exact), 0.0), np.nextafter(float(exact), np.inf)):
        known = wc.Bracket(condition.describe(), eps, eps)
        expected = wc.Verdict.HOLDS if Fraction(float(eps)) <= exact else wc.Verdict.VIOLATED
        assert known.verdict(ratio=ratio) is Row(known).verdict(ratio) is expected
        assert known.ratio_lower <= Fraction(float(eps)) / Fraction(alpha) <= known.ratio_upper
        right, wrong = wc.testing.assert_holds, wc.testing.assert_violated
        if expected is wc.Verdict.VIOLATED:
            right, wrong = wrong, right
        assert right(known, ratio=ratio) is known
        with pytest.raises(wc.NotProved):
            wrong(known, ratio=ratio)


@pytest.mark.parametrize("scalar", NARROW)
def test_engines_and_brackets_hold_no_narrow_scalars(scalar):
    condition = wc.WDC(np.random.default_rng(0).standard_normal((12, 2)))
    for engine in (wc.BranchAndBound(rtol=scalar(0.25)), wc.BranchAndBound(gap=scalar(0.5), rtol=scalar(0))):
        assert type(engine.gap) is type(engine.rtol) is float
        found = wc.bracket(condition, engine)
        assert type(found.lower) is type(found.upper) is float
        assert found.verdict(found.upper * (1 - 1e-8)) is not wc.Verdict.HOLDS
    found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(nodes=100), target=scalar(30.0))
    assert type(found.upper) is float


@pytest.mark.parametrize("value", [True, "1", None, -1.0, float("nan"), np.bool_(True), [1.0], 2**60 + 1,
                                   Fraction(1, 3), 1j])
def test_what_is_no_limit_is_refused(value):
    refused(lambda: limit_value("eps", value), "eps")
    refused(lambda: wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).verdict(value), "eps")


def test_no_claim_where_no_theorem_opens_a_row():
    """The images of all axes are 0, and epsilon/alpha is 0 at alpha = 2."""
    layers = [np.array([[1.0, 0], [0, 1], [1, -1], [-1, 1]]), np.array([[1.0, 1, -1, -1]]), np.eye(1)]
    condition = wc.R2WDC(wc.ReLUNetwork(layers), 3)
    found = calibration(condition, blocks=1)
    assert not found.vacuous and found.alpha == pytest.approx(2.0, rel=0.1) and found.lower < 1e-9
    at = condition.with_alpha(2.0)
    assert wc.bracket(at, wc.Spectral(), wc.BranchAndBound(nodes=3000)).upper < 0.1


def test_nothing_is_claimed_of_a_dead_range():
    for first in (np.array([[1.0], [2.0]]), np.array([[1.0, 0], [2.0, 0]])):
        net = wc.ReLUNetwork([first, np.array([[1.0, -1.0]]), np.array([[1.0], [3.0]])])
        found = calibration(wc.R2WDC(net, 3), blocks=1)
        assert not found.vacuous and found.lower == 0.0
        report = wc.certify(net, np.eye(2), alpha=1.0, time_limit=1)
        assert [row.bracket.lower for row in report.rows if row.kind == "R2WDC"][-1] == 0.0


@pytest.mark.parametrize("layers", [[[[2.0]]], [[[1.0]], [[-1.0]]]])
def test_one_row_is_searched(layers):
    found = wc.bracket(wc.R2WDC(wc.ReLUNetwork(layers), len(layers)), wc.Ascent(starts=64))
    assert found.lower > 0.49


@pytest.mark.parametrize("size", [1e76, 1e77, 1e100])
def test_huge_measurements_keep_their_cap(size):
    rng = np.random.default_rng(0)
    net = wc.ReLUNetwork([rng.standard_normal((4, 2)), rng.standard_normal((5, 4))])
    found = wc.bracket(wc.RRIC(size * rng.standard_normal((3, 5)), net), wc.Spectral(), wc.MonteCarlo(64),
                       wc.BranchAndBound(nodes=1000))
    assert 0 < found.lower <= found.upper < np.inf


@pytest.mark.parametrize("seed", (16, 20))
def test_entries_of_all_sizes_are_searched(seed):
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal(shape) * 10.0 ** rng.integers(-150, 1, shape) for shape in ((4, 2), (4, 4))]
    found = wc.bracket(wc.RRIC(np.ones((1, 4)), wc.ReLUNetwork(layers)), wc.Spectral(), wc.MonteCarlo(64),
                       wc.Ascent(starts=64))
    assert found.lower <= found.upper


def test_an_interrupted_verification_refutes_nothing(tmp_path, monkeypatch):
    from wdccheck.verification import results

    known = wc.bracket(wc.WDC(np.random.default_rng(0).standard_normal((9, 2))), wc.Spectral(),
                       wc.BranchAndBound(nodes=500))
    known.save(tmp_path / "known.json")

    def interrupted(condition, *engines, **options):
        stop = wc.bracket(condition, wc.Spectral()).stopped["upper"]
        cut = type(stop)(type(stop.reason)("interrupted"), "from the keyboard")
        return type(known)(condition.describe(), stopped={"lower": cut, "upper": cut})

    monkeypatch.setattr(results, "bracket", interrupted)
    checks = wc.verify(tmp_path / "known.json")
    assert outcomes(checks) == ["proved", "not proved"] and checks[1].detail == "interrupted"


def certified(W, **options):
    return certify_condition(wc.WDC(np.asarray(W, dtype=float)), **options)


def test_closed_is_said_of_the_bounds_beside_it():
    """k = 1, at an alpha that is not the best: epsilon is exact there, the minimum over alpha is 0.3."""
    row = certified([[1.0], [-0.5]], alpha=1.0)
    assert row.bracket.closed and row.least.upper - row.least.lower > 0.19
    assert row.state == "closed at alpha = 1" and "--alpha best" in closing(row)
    assert replace(row, scope="pair").state == certified([[1.0], [-0.5]]).state == "closed"


def test_as_many_witnesses_are_named_as_there_are():
    for W, words in (([[0.0], [0.0]], "one witness"), ([[1.0], [-0.5]], "two witnesses"),
                     ([[1.0], [-1.0]], "nothing above 0 is proved")):
        row = certified(W)
        said = dict(facts(row, 1))["minimum bounded by"]
        assert row.least.lower_by == words and words in row.to_text() and words in said


def test_a_minimum_is_not_called_decided_before_it_is():
    """epsilon/alpha exceeds 0.31 at this alpha; whether the minimum does is open."""
    row = certified([[1.0], [-0.5]])
    stop = Stop(Reason.TARGET, "whether eps <= 0.3 is decided")
    known = replace(row.bracket, lower=0.4, upper=0.9, stopped={"lower": stop, "upper": stop})
    open_ = replace(row, bracket=known, least=replace(row.least, lower=0.2, upper=0.5))
    assert open_.verdict(0.31) is wc.Verdict.UNDECIDED and open_.state == "decided at this alpha"
    assert "decided at this alpha" in closing(open_)
    assert replace(open_, scope="given").state == "decided"


def test_time_is_not_up_where_no_time_lowers_a_closed_formula():
    row = certified(np.random.default_rng(0).standard_normal((60, 8)) / 8, alpha=1.0, time_limit=0.3)
    assert row.bracket.stopped["upper"].reason is Reason.TIME and row.state == "upper is a cap"
