from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wdccheck as wc
from wdccheck.brackets import Reason, Stop, Verdict
from wdccheck.certification import of_condition
from wdccheck.errors import CertificateMismatch, InvalidInput
from wdccheck.reports.report import Weights
from wdccheck.reports.row import Row
from wdccheck.reports.thresholds import explicit
from wdccheck.rounded_text import between, down, quotient, up

POSITIVE = st.floats(min_value=5e-324, allow_infinity=False)


def network(seed=0):
    rng = np.random.default_rng(seed)
    return wc.ReLUNetwork([rng.standard_normal((20, 2)) / 4, rng.standard_normal((12, 20)) / 3])


@pytest.fixture(scope="module")
def report():
    return wc.certify(network(), time_limit=2)


@given(POSITIVE, st.integers(2, 8))
def test_printed_digits_are_rounded_outward(x, digits):
    low, high = Decimal(down(x, digits)), Decimal(up(x, digits))
    assert low <= Decimal(x) <= high
    assert high - low <= Decimal(x) * Decimal(10) ** (1 - digits) * 2


@given(POSITIVE, POSITIVE)
def test_quotients_are_rounded_outward(a, b):
    low, high = quotient(a, b, 0.0), quotient(a, b, math.inf)
    exact = Fraction(a) / Fraction(b)
    assert math.isfinite(low) and Fraction(low) <= exact
    assert math.isinf(high) or exact <= Fraction(high)


def test_printed_numbers():
    assert (down(0.0), up(math.inf), down(1e-200, 3), up(1e300, 2)) == ("0", "inf", "9.99e-201", "1.1e300")
    assert (down(24100.0, 3), down(123456.7), up(123456.7)) == ("24100", "123450", "123460")
    assert between(0.1, "eps", math.inf) == "0.10000 <= eps (no upper bound)"


def test_every_layer_has_a_row(report):
    assert [(row.kind, row.layer, row.shape) for row in report.rows] == [
        ("WDC", 1, (20, 2)), ("WDC", 2, (12, 20)), ("R2WDC", 1, (20, 2)), ("R2WDC", 2, (12, 20)),
        ("RRIC", None, (6, 12))]
    for row in report.rows[:4]:
        assert row.ratio_lower <= row.bracket.lower / row.alpha <= row.bracket.upper / row.alpha
        assert row.bracket.upper / row.alpha <= row.ratio_upper < math.inf
        assert row.calibration.lower <= row.ratio_upper
    assert not report.interrupted


def test_a_contractive_layer_is_vacuous_and_the_text_says_so(report):
    assert report.rows[1].calibration.vacuous  # n < 2k
    assert not report.rows[0].calibration.vacuous
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
        assert entry["margin"] == (None if row.kind == "RRIC" else row.ratio_lower / explicit(2))
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
        rows = [replace(row, bracket=replace(row.bracket, lower=0.0, upper=scale * row.scale))
                for row in report.rows]
        return replace(report, rows=tuple(rows)).to_text()

    assert text(explicit(2) / 2).count("satisfied") == 2 and "estimate" not in text(explicit(2) / 2)
    assert text(1.0).count("undecided") == 2
    assert report.to_text().count("times too large") == 2


def test_verdicts_of_rows_and_reports(report):
    highest = max(row.ratio_upper for row in report.rows)
    lowest = max(row.ratio_lower for row in report.rows)
    assert report.verdict(highest) is Verdict.HOLDS
    assert report.verdict(lowest / 2) is Verdict.VIOLATED
    partial = replace(report, rows=report.rows[:1], interrupted=True)
    assert partial.verdict(1e9) is Verdict.UNDECIDED  # nothing is known of the second layer


@pytest.mark.parametrize("eps", [-1.0, math.nan, math.inf])
def test_an_eps_that_is_none(eps, report):
    with pytest.raises(InvalidInput, match="eps"):
        report.verdict(eps)


def test_a_deep_network_fits_the_page(report):
    deep = replace(report, networks={"": Weights((1000,) * 40, report.sha256)})
    assert max(map(len, deep.to_text().splitlines())) <= 100


def test_a_target_is_on_the_scale_of_the_ratio():
    net = [100 * W for W in network().layers]
    report = wc.certify(net, target=20.0, time_limit=2)
    assert report.verdict(20.0) is Verdict.HOLDS
    assert all(row.alpha > 100 for row in report.rows[:4])


def test_the_gap_is_closed():
    row = wc.certify([network().layers[0]], alpha=1.0, gap=0.001, time_limit=3).rows[0]
    assert row.bracket.gap <= 0.001 * (1 + 1e-9)


def test_the_same_seed_gives_the_same_report(monkeypatch):
    def sampled(condition, *_, rng, **__):
        return wc.bracket(condition, wc.MonteCarlo(samples=500), rng=rng)

    monkeypatch.setattr(of_condition, "bracket", sampled)
    reports = [wc.certify([np.eye(2)], alpha=1.0, rng=7) for _ in range(2)]
    assert reports[0].rows[0].bracket.lower == reports[1].rows[0].bracket.lower
    assert reports[0].seed == "7"


@pytest.mark.parametrize(("options", "word"), [
    ({"measurements": np.eye(3)}, "A: 2 columns"), ({"alpha": "worst"}, "alpha"), ({"alpha": 0}, "alpha"),
    ({"alpha": -1.0}, "alpha"), ({"alpha": math.nan}, "alpha"), ({"time_limit": 0}, "time_limit"),
    ({"time_limit": math.nan}, "time_limit"), ({"time_limit": "1"}, "time_limit"),
    ({"workers": 0}, "workers"),
    ({"rng": -1}, "rng"), ({"rng": "0"}, "rng"), ({"target": -1.0, "alpha": 1.0}, "target"),
    ({"gap": -1.0, "alpha": 1.0}, "gap"), ({"gap": math.nan, "alpha": 1.0}, "gap"),
])
def test_bad_arguments_are_refused_by_name(options, word):
    with pytest.raises(InvalidInput, match=word):
        wc.certify([np.eye(2)], **{"time_limit": 1, **options})


@pytest.mark.parametrize("net", [[], [[[math.nan]]], [np.eye(2), np.eye(3)], 5, [["a"]], [[[1j]]]])
def test_bad_networks_are_refused(net):
    with pytest.raises(InvalidInput):
        wc.certify(net)


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


def test_a_checkpoint_is_resumed_with_its_alpha(tmp_path, monkeypatch):
    first = wc.certify(network(), time_limit=2, checkpoint=tmp_path / "folder")
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == [
        "r2wdc-2.alpha.json", "r2wdc-2.json", "rric.json", "wdc-1.alpha.json", "wdc-1.json",
        "wdc-2.alpha.json", "wdc-2.json"]
    monkeypatch.setattr("wdccheck.engines.calibration.calibration", None)  # not searched for again
    second = wc.certify(network(), time_limit=2, checkpoint=tmp_path / "folder")
    for a, b in zip(first.rows, second.rows, strict=True):
        assert (a.alpha, a.calibration) == (b.alpha, b.calibration)
        assert b.bracket.lower >= a.bracket.lower and b.bracket.upper <= a.bracket.upper
    with pytest.raises(CertificateMismatch):
        wc.certify(network(1), time_limit=2, checkpoint=tmp_path / "folder")


def test_an_unusable_checkpoint_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="checkpoint"):
        wc.certify([np.eye(2)], checkpoint=tmp_path / "file")


def test_an_interrupted_layer_ends_the_report(monkeypatch):
    stop = Stop(Reason.INTERRUPTED, "by hand")

    def interrupted(condition, *engines, **options):
        known = wc.bracket(condition, wc.Spectral())
        return replace(known, stopped={"lower": stop, "upper": stop})

    monkeypatch.setattr(of_condition, "bracket", interrupted)
    report = wc.certify(network(), alpha=1.0)
    assert len(report.rows) == 1 and report.interrupted
    assert "interrupted: 1 of 5 rows begun" in report.to_text()


def test_an_interrupted_calibration_still_gives_bounds(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(of_condition, "kept_calibration", interrupted)
    report = wc.certify(network())
    (row,) = report.rows
    assert report.interrupted and 0 < row.bracket.lower <= row.bracket.upper < math.inf
    assert row.bracket.stopped["upper"].reason is Reason.INTERRUPTED


def test_the_seed_of_a_report_is_that_of_every_layer():
    made = wc.certify(network(), alpha=1.0, rng=np.random.default_rng(5), time_limit=0.5)
    assert {str(work.seed) for row in made.rows for work in row.bracket.engines} == {made.seed}


def test_a_checkpoint_without_a_name_is_refused():
    for path in ("", "/"):
        with pytest.raises(InvalidInput, match="checkpoint"):
            of_condition.certify_condition(wc.WDC(np.eye(2)), checkpoint=path)
