"""Each printed line of a report is backed by numbers of its JSON (the rules: examples/sentences.py)."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import outcomes
from examples.sentences import check
from examples.sentences_of_pages import check_markdown
from wdccheck.certification import over_alpha


def _layers(seed, *dims):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]


@cache
def _vacuous():
    return wc.certify(_layers(0, 2, 12, 3), np.eye(3), time_limit=0.6)


def _given():
    return wc.certify(_layers(1, 2, 8, 6), alpha=0.75, time_limit=0.5)


def _dead():
    layers = [np.array([[1.0], [2.0]]), np.array([[1.0, -1.0]]), np.array([[1.0], [3.0]])]
    return wc.certify(layers, alpha=1.0, time_limit=0.4)


def _one():
    return wc.certify([np.array([[1.0], [-0.5], [0.25]])], gap=0.5, time_limit=0.3)


def _pair():
    return wc.certify_pair([np.eye(2), *_layers(2, 2, 8)], _layers(3, 1, 8), time_limit=0.4)


REPORTS = {"vacuous": _vacuous, "given alpha": _given, "dead range": _dead, "one layer": _one, "pair": _pair}


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_every_line_is_backed_by_the_json(make, tmp_path):
    report = make()
    check(report)
    check_markdown(report)
    report.save(tmp_path / "report.json")
    checked = wc.verify(tmp_path / "report.json", rerun=False)
    assert set(outcomes(checked)) <= {"proved", "recorded"}  # "Every bound is proved"


@pytest.mark.parametrize("place", ["kept_calibration", "least_ratio"])
def test_every_line_of_an_interrupted_report(place, monkeypatch):
    calls, function = iter(range(9)), getattr(over_alpha, place)

    def interrupted(*arguments):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return function(*arguments)

    monkeypatch.setattr(over_alpha, place, interrupted)
    report = wc.certify(_layers(0, 2, 6, 4), time_limit=0.4)
    assert report.interrupted and len(report.rows) < report.total
    check(report)
    check_markdown(report)


@pytest.mark.parametrize("number, changed", [
    ("lower", lambda x: x * 1.01 + 0.01), ("upper", lambda x: x * 0.99), ("ratio_lower", lambda x: x * 1.01),
    ("least_upper", lambda x: x * 0.99), ("margin", lambda x: x * 0.9), ("alpha", lambda x: x * (1 + 1e-15)),
    ("gap", lambda x: None), ("vacuous", lambda x: not x)])
def test_a_line_that_is_not_backed_fails(number, changed, monkeypatch):
    """The rules see it where one number of the file is another than the one that is printed."""
    report = _vacuous()
    data = report.to_dict()
    for row in data["rows"]:
        if row[number] is not None:
            row[number] = changed(row[number])
    monkeypatch.setattr(wc.Report, "to_dict", lambda _: data)
    with pytest.raises((AssertionError, KeyError, TypeError)):
        check(report)


def test_a_line_without_a_rule_fails(monkeypatch):
    report = _one()
    text = report.to_text()
    monkeypatch.setattr(wc.Report, "to_text", lambda _: text + "\n    this network is good")
    with pytest.raises(AssertionError, match="no rule explains: this network is good"):
        check(report)
