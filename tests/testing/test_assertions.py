"""Assertions that pass only on what is proved."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.brackets import Bracket
from wdccheck.errors import CertificateMismatch, InvalidInput, NotProved, Undecided
from wdccheck.stops import Reason, Stop

assert_holds, assert_violated = wc.testing.assert_holds, wc.testing.assert_violated
W = np.eye(2)  # epsilon = 1 (Fact 7)


def stated(lower=0.4, upper=0.6, reason=Reason.TIME):
    return Bracket(wc.WDC(W).describe(), lower, upper, {"r": np.array([1.0, 0.1]), "s": np.array([0.5, 1.0])},
                   stopped={"lower": Stop(Reason.BUDGET, "10 starts"), "upper": Stop(reason, "9 s")})


def test_a_condition_that_holds():
    result = assert_holds(wc.WDC(W), 1.05)
    assert result.upper <= 1.05


def test_a_condition_that_is_violated():
    result = assert_violated(wc.WDC(W), 0.95)
    assert result.lower > 0.95


def test_violated_says_where():
    with pytest.raises(NotProved, match="violated") as caught:
        assert_holds(stated(), 0.3)
    message = str(caught.value)
    assert "0.4" in message and "0.3" in message
    assert (0.1).hex() in message and "[0.5, 1.0]" in message


def test_holding_fails_the_assertion_that_it_does_not():
    with pytest.raises(NotProved, match="not violated"):
        assert_violated(stated(), 0.7)


@pytest.mark.parametrize(("reason", "advice"), [
    (Reason.TIME, "time_limit"), (Reason.NODES, "nodes"), (Reason.CAP_ONLY, "BranchAndBound"),
    (Reason.GAP, "gap"),
])
def test_undecided_says_by_how_much_and_what_to_raise(reason, advice):
    with pytest.raises(NotProved, match="undecided") as caught:
        assert_holds(stated(reason=reason), 0.5)
    message = str(caught.value)
    assert "upper has to fall by 0.1" in message and "9 s" in message and advice in message
    with pytest.raises(NotProved, match=r"lower has to rise by more than 0\.1[\s\S]*starts"):
        assert_violated(stated(reason=reason), 0.5)


@pytest.mark.parametrize(("k", "engines", "words", "not_words"), [
    (2, [wc.Spectral()], "wc.BranchAndBound() is one", "no budget"),
    (2, [wc.MonteCarlo(samples=64)], "wc.BranchAndBound() is one", "starts"),
    (8, [wc.Spectral()], "no budget will prove it", "time_limit"),
    (8, [wc.Spectral(), wc.BranchAndBound(nodes=600)], "no budget will prove it", "nodes="),
])
def test_what_is_advised_helps(k, engines, words, not_words):
    known = wc.bracket(wc.WDC(np.random.default_rng(0).standard_normal((60, k)) / 8), *engines)
    with pytest.raises(Undecided) as caught:
        assert_holds(known, (known.lower + min(known.upper, 9.0)) / 2)
    assert words in str(caught.value) and not_words not in str(caught.value).split("stopped by")[1]


def test_undecided_is_a_failure_of_both():
    for check in (assert_holds, assert_violated):
        with pytest.raises(AssertionError):
            check(replace(stated(), stopped={}), 0.5)


def test_equality_holds():
    assert assert_holds(stated(), 0.6).upper == 0.6
    with pytest.raises(NotProved):
        assert_violated(stated(), 0.4)


def scaled():
    return replace(stated(0.9, 1.1), condition=wc.WDC(W, 2.0).describe())


def test_a_ratio_is_that_of_eps_to_alpha():
    assert assert_holds(wc.WDC(W, 2.0), ratio=0.55).upper <= 1.1
    assert assert_violated(wc.WDC(W, 2.0), ratio=0.2).lower > 0.4
    with pytest.raises(NotProved, match=r"WDC: eps/alpha <= 0\.2 at alpha = 2 is violated: .* >= 0\.45"):
        assert_holds(scaled(), ratio=0.2)
    with pytest.raises(NotProved, match=r"eps/alpha <= 0\.6 at alpha = 2 holds, .* eps/alpha <= 0\.55"):
        assert_violated(scaled(), ratio=0.6)
    with pytest.raises(Undecided, match=r"WDC: undecided whether eps/alpha <= 0\.5 at alpha = 2: "
                                        r"0\.45 <= eps/alpha <= 0\.55[\d]*; upper has to fall by 0\.05"):
        assert_holds(scaled(), ratio=0.5)
    with pytest.raises(Undecided, match=r"WDC with alpha = 2\.0: undecided whether eps <= 1: 0\.9 <= eps"):
        assert_holds(scaled(), 1.0)


def test_a_condition_without_alpha_has_no_ratio():
    rric = replace(stated(), condition={**stated().condition, "kind": "RRIC", "alpha": None})
    for given in (rric, wc.RRIC(np.eye(2), wc.ReLUNetwork([np.eye(2)]))):
        with pytest.raises(InvalidInput, match=r"ratio: .*eps=0\.5"):
            assert_holds(given, ratio=0.5)
    with pytest.raises(InvalidInput, match="exactly one"):
        assert_holds(stated(), 0.5, ratio=0.5)


@pytest.mark.parametrize("eps", [-1, float("nan"), "0.5", None, True])
def test_eps_is_a_number(eps):
    with pytest.raises(InvalidInput, match="eps"):
        assert_holds(stated(), eps)


def test_a_certificate_replaces_the_run(tmp_path):
    path = tmp_path / "eye.json"
    replace(stated(), upper=0.8).save(path)
    assert assert_holds(wc.WDC(W), 0.8, certificate=path).upper == 0.8
    with pytest.raises(NotProved):
        assert_holds(wc.WDC(W), 0.79, certificate=path)


@pytest.mark.parametrize("other", [
    wc.WDC(2 * W), wc.WDC(W, 2.0), wc.WDC(W, layer=2), wc.WDC(np.vstack([W, W])),
])
def test_a_certificate_of_something_else_is_refused(other, tmp_path):
    path = tmp_path / "eye.json"
    stated().save(path)
    with pytest.raises(CertificateMismatch, match=r"eye\.json"):
        assert_holds(other, 2.0, certificate=path)


def test_a_certificate_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "eye.json"
    replace(stated(), condition={**stated().condition, "kind": "of a user"}).save(path)
    with pytest.raises(CertificateMismatch, match="kind"):
        assert_holds(wc.WDC(W), 2.0, certificate=path)


def test_a_bracket_needs_no_certificate(tmp_path):
    with pytest.raises(InvalidInput, match="certificate"):
        assert_holds(stated(), 1.0, certificate=tmp_path / "any.json")


@pytest.mark.parametrize("forge", [
    {"lower": 5.0, "upper": 6.0}, {"witness": None}, {"witness": {"r": np.ones(2)}},
    {"witness": {"r": np.ones(3), "s": np.ones(3)}},
])
def test_the_witness_of_a_certificate_is_evaluated_again(forge, tmp_path):
    path = tmp_path / "eye.json"
    replace(stated(), **forge).save(path)
    with pytest.raises(InvalidInput):
        assert_violated(wc.WDC(W), 0.1, certificate=path)


def test_options_of_a_certificate_count(tmp_path):
    path = tmp_path / "eye.json"
    replace(stated(), condition={**stated().condition, "options": {"dims": [2, 2]}}).save(path)
    with pytest.raises(InvalidInput, match="options"):
        assert_holds(wc.WDC(W), 2.0, certificate=path)


def test_a_lower_bound_is_what_its_witness_gives_here(tmp_path):
    path, here = tmp_path / "eye.json", wc.WDC(W).lower_bound(stated().witness)
    replace(stated(), lower=here * (1 + 1e-12), upper=2.0).save(path)  # of another machine
    assert assert_violated(wc.WDC(W), 0.1, certificate=path).lower == here


def test_the_error_carries_the_bracket_and_tells_undecided_from_violated():
    with pytest.raises(Undecided) as caught:
        assert_holds(stated(), 0.5)
    assert caught.value.bracket.upper == 0.6
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is Undecided and str(again) == str(caught.value) and again.bracket.upper == 0.6
    with pytest.raises(NotProved) as violated:
        assert_holds(stated(), 0.3)
    assert not isinstance(violated.value, Undecided)


def test_ctrl_c_is_no_verdict(monkeypatch):
    stop = {"upper": Stop(Reason.INTERRUPTED, "")}
    monkeypatch.setattr("wdccheck.engines.loop.bracket", lambda *_, **__: replace(stated(), stopped=stop))
    with pytest.raises(KeyboardInterrupt):
        assert_holds(wc.WDC(W), 2.0)


def test_long_witnesses_are_cut():
    long = replace(stated(), witness={"r": np.arange(784.0), "s": np.ones(2)})
    with pytest.raises(NotProved, match=r"r = \[0\.0, 1\.0, .*11\.0, and 772 more\]") as caught:
        assert_holds(long, 0.3)
    assert len(str(caught.value)) < 1000 and "error.bracket.witness" in str(caught.value)


def test_a_bare_matrix_is_no_condition(tmp_path):
    stated().save(tmp_path / "eye.json")
    for certificate in (None, tmp_path / "eye.json"):
        with pytest.raises(InvalidInput, match=r"a condition such as WDC\(W\) required, found ndarray"):
            assert_holds(W, 1.0, certificate=certificate)
