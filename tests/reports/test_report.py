"""Reports: rows, text, JSON, verdicts, frames."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.brackets import Verdict
from wdccheck.errors import InvalidInput
from wdccheck.reports.report import Weights
from wdccheck.reports.row import Row
from wdccheck.reports.thresholds import explicit


def network(seed=0):
    rng = np.random.default_rng(seed)
    return wc.ReLUNetwork([rng.standard_normal((20, 2)) / 4, rng.standard_normal((12, 20)) / 3])


@pytest.fixture(scope="module")
def report():
    return wc.certify(network(), time_limit=2)


def test_every_layer_has_a_row(report):
    assert [(row.kind, row.layer, row.shape) for row in report.rows] == [
        ("WDC", 1, (20, 2)), ("WDC", 2, (12, 20)), ("R2WDC", 1, (20, 2)), ("R2WDC", 2, (12, 20)),
        ("RRIC", None, (6, 12))]
    for row in report.rows[:4]:
        assert row.ratio_lower <= row.bracket.lower / row.alpha <= row.bracket.upper / row.alpha
        assert row.bracket.upper / row.alpha <= row.ratio_upper < math.inf
        assert 0 < row.least.lower <= row.least.upper <= min(row.ratio_upper, 0.5)
        assert row.headline == (row.least.lower, "min eps/alpha", row.least.upper)
    assert not report.interrupted


def test_a_contractive_layer_is_vacuous_and_the_text_says_so(report):
    assert report.rows[1].vacuous and report.rows[1].state == "vacuous"  # n < 2k
    assert not report.rows[0].vacuous
    assert "vacuous" in report.rows[1].to_text()
    assert "vacuous" not in report.rows[0].to_text()


def test_the_text_fits_and_says_everything(report):
    text = report.to_text()
    assert max(map(len, text.splitlines())) <= 100
    for word in ("20 x 2", "alpha", "<= eps <=", "<= eps/alpha <=", "gap", "stopped by", "Lemma 8",
                 "times too large", "n/k", "estimate", "not given in the paper", report.sha256[:8]):
        assert word in text
    assert str(report) == text
    assert "&lt;=" in report._repr_html_() and "<=" not in report._repr_html_()


def test_the_data_are_json_and_complete(report):
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["network"] == {"dims": [2, 20, 12], "sha256": report.sha256}
    assert (data["seed"], data["wdccheck"], data["kernel"]) == ("0", wc.__version__, wc.kernel())
    assert data["threshold"] == explicit(2)
    for row, entry in zip(report.rows, data["rows"], strict=True):
        assert (entry["layer"], entry["alpha"]) == (row.layer, row.alpha)
        assert entry["ratio_lower"] == row.ratio_lower
        assert entry["margin"] == (None if row.kind == "RRIC" else row.least.lower / explicit(2))
        assert entry["bracket"]["lower"] == entry["lower"] == row.bracket.lower


def test_without_an_upper_bound(report):
    row = Row(replace(report.rows[0].bracket, upper=math.inf))
    assert "no upper bound" in row.to_text()
    assert json.loads(json.dumps(row.to_dict(), allow_nan=False))["ratio_upper"] is None
    assert "no upper bound" in row.to_line()
    assert row.verdict(1e300) is Verdict.UNDECIDED


def test_one_layer_has_no_margin():
    one = wc.certify([np.eye(2)], alpha=1.0, time_limit=2)
    assert one.threshold is None
    assert all(row["margin"] is None for row in one.to_dict()["rows"])
    assert "at least two layers" in one.to_text() and "times too large" not in one.to_text()


def test_margins_may_be_satisfied_or_undecided(report):
    def text(scale):
        rows = [replace(row, bracket=replace(row.bracket, lower=0.0, upper=scale * row.scale),
                        least=row.least and replace(row.least, lower=0.0, upper=scale))
                for row in report.rows]
        return replace(report, rows=tuple(rows)).to_text()

    assert text(explicit(2) / 2).count("satisfied") == 2 and "estimate" not in text(explicit(2) / 2)
    assert text(1.0).count("undecided") == 2
    assert report.to_text().count("times too large") == 2


def test_verdicts_of_rows_and_reports(report):
    highest = max(row.headline[2] for row in report.rows)
    lowest = max(row.headline[0] for row in report.rows)
    assert report.verdict(highest) is Verdict.HOLDS
    assert report.verdict(lowest / 2) is Verdict.VIOLATED
    partial = replace(report, rows=report.rows[:1], interrupted=True)
    assert partial.verdict(1e9) is Verdict.UNDECIDED  # nothing is known of the second layer


@pytest.mark.parametrize("ratio", [-1.0, math.nan, math.inf])
def test_a_ratio_that_is_none(ratio, report):
    with pytest.raises(InvalidInput, match="ratio"):
        report.verdict(ratio)


def test_a_deep_network_fits_the_page(report):
    deep = replace(report, networks={"": Weights((1000,) * 40, report.sha256)})
    assert max(map(len, deep.to_text().splitlines())) <= 100


def test_pandas_is_optional(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InvalidInput, match="pandas"):
        report.to_frame()


def test_a_frame_has_a_line_per_layer(report):
    import pandas

    frame = report.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["kind"]) == ["WDC", "WDC", "R2WDC", "R2WDC", "RRIC"]
    assert list(frame["layer"].dropna()) == [1, 2, 1, 2]
