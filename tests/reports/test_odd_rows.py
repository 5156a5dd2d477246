"""What is said of rows unlike others: one input, no upper bound, scales beyond floats, no minimum."""

import json
import math

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.certification.of_condition import certify_condition
from wdccheck.reports.closeness import meet
from wdccheck.reports.margins import asks
from wdccheck.reports.meaning import closing, facts, passing
from wdccheck.reports.row import Row
from wdccheck.stops import Reason

W = np.random.default_rng(0).standard_normal((10, 2))


def test_without_an_upper_bound_nothing_is_closed():
    row = Row(wc.bracket(wc.WDC(np.eye(3)), wc.MonteCarlo(samples=64)))
    assert not meet(0.5, math.inf) and not row.settled and row.state == "budget used up"
    assert "meet" not in closing(row)


def test_a_bracket_alone_says_nothing_of_other_alphas():
    row = Row(wc.bracket(wc.WDC(W), wc.Spectral()))
    assert any("at this alpha" in sentence for sentence in passing(row, 2))
    assert "every alpha" not in " ".join(passing(row, 2))
    assert any(text.endswith("at the alpha of its row") for _, text in asks([row], [2]))


def test_the_law_of_gaussian_layers_is_not_asked_of_one_input():
    row = Row(wc.bracket(wc.WDC(np.ones((5, 1))), wc.Spectral()))
    assert [label for label, _ in asks([row], [2])].count("estimate") == 0
    assert dict(asks([row, Row(wc.bracket(wc.WDC(W), wc.Spectral()))], [2]))["estimate"].endswith(
        "here it is 5 (layers with k > 1)")


@pytest.mark.parametrize("alpha", [5e-324, 1e-310, 2.3e-308])
def test_a_ratio_beyond_floats_is_said_to_be(alpha):
    row = certify_condition(wc.WDC(W), alpha=alpha, time_limit=0.5)
    assert row.state != "closed" and row.at_alpha.endswith("(the upper bound is beyond floats)")
    said = row.to_text() + str(facts(row, 2))
    assert "no upper bound" not in said and "beyond floats" in said
    assert json.loads(json.dumps(row.to_json(), allow_nan=False))["ratio_upper"] is None


@pytest.mark.parametrize("condition", [
    wc.WDC(np.array([[0.1], [-0.1]]), 0.02),
    wc.RRIC(np.array([[0.6, 0.8], [-0.8, 0.6]]), wc.ReLUNetwork([np.array([[0.1], [-0.1]])]))])
def test_what_is_exact_but_for_rounding_says_so(condition):
    """No hyperplane meets another where k = 1, and no cone."""
    found = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound())
    assert found.lower == 0 < found.upper < 1e-16 and found.stopped["upper"].reason is Reason.EXACT
    assert "epsilon itself" in found.stopped["upper"].detail and Row(found).state == "closed"


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("W", [np.zeros((3, 4)), -np.ones((1, 4))])
def test_a_layer_that_opens_nowhere_on_the_range_is_vacuous(k, W, tmp_path):
    """A is 0 there, so epsilon is alpha/2, at every alpha."""
    net = wc.ReLUNetwork([np.random.default_rng(k).standard_normal((4, k)), W])
    report = wc.certify(net, time_limit=4)
    row = report.rows[3]
    assert (row.kind, row.layer, row.state) == ("R2WDC", 2, "vacuous") and row.least.lower > 0.4999999
    report.save(tmp_path / "report.json")
    checks = {check.what: check.outcome for check in wc.verify(tmp_path / "report.json", time_limit=20)}
    assert checks["R2WDC of layer 2: least eps/alpha, lower bound"] == "proved"


def test_a_row_that_a_question_ended_does_not_blame_a_formula():
    """Branch and bound would have been possible: it was the answer that ended the search."""
    net = wc.ReLUNetwork([np.random.default_rng(2).standard_normal((12, 2)), np.eye(12)[:6]])
    for row in wc.certify(net, np.ones((1, 6)), time_limit=6, ratio=0.1).rows:
        assert row.verdict(0.1) is wc.Verdict.VIOLATED
        assert row.state in ("decided", "vacuous", "closed") or row.state.startswith("vacuous to")
        assert "No branch and bound here" not in closing(row)
    row = Row(wc.bracket(wc.RRIC(np.array([[0.4, -1.2]]), wc.ReLUNetwork([np.eye(2)])), target=0.1))
    assert row.state == "decided" and row.bracket.stopped["upper"].reason is Reason.TARGET


def test_a_weaker_condition_that_dominates_is_no_reason_to_stop():
    """The cones prove 1e-6, the WDC of the layer is 1: what ended the proof over cones stands."""
    W3 = np.array([[1.0], [1.0], [-0.3]])
    net = wc.ReLUNetwork([np.random.default_rng(0).standard_normal((6, 2)),
                          np.abs(np.random.default_rng(1).standard_normal((1, 6))), W3])
    found = wc.bracket(wc.R2WDC(net, 3, 4.000004), wc.Spectral(), wc.BranchAndBound(rtol=1e-4))
    assert found.upper < 1e-4 and "WDC" not in found.upper_by
    assert found.stopped["upper"].reason is not Reason.CAP_ONLY
