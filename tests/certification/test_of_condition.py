"""`certify`: targets, gaps, seeds, checkpoints, interruptions, bad arguments."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.brackets import Verdict
from wdccheck.certification import of_condition, over_alpha
from wdccheck.engines.calibration import calibration
from wdccheck.errors import CertificateMismatch, InvalidInput
from wdccheck.stops import Reason, Stop

pytestmark = pytest.mark.usefixtures("short_climbs")


def network(seed=0):
    rng = np.random.default_rng(seed)
    return wc.ReLUNetwork([rng.standard_normal((20, 2)) / 4, rng.standard_normal((12, 20)) / 3])


def test_a_target_is_on_the_scale_of_the_ratio():
    net = [100 * W for W in network().layers]
    report = wc.certify(net, ratio=20.0, time_limit=2)
    assert report.verdict(20.0) is Verdict.HOLDS
    assert all(row.alpha > 100 for row in report.rows[:4])


def test_the_gap_is_closed():
    row = wc.certify([network().layers[0]], np.eye(20), alpha=1.0, gap=0.0005, time_limit=3).rows[0]
    assert row.bracket.gap <= 0.0005 * (1 + 1e-9)


def test_the_same_seed_gives_the_same_report(monkeypatch):
    def sampled(condition, *_, rng, **__):
        return wc.bracket(condition, wc.MonteCarlo(samples=500), rng=rng)

    monkeypatch.setattr(over_alpha, "bracket", sampled)
    reports = [wc.certify([np.eye(2)], alpha=1.0, rng=7) for _ in range(2)]
    assert reports[0].rows[0].bracket.lower == reports[1].rows[0].bracket.lower
    assert reports[0].seed == 7


@pytest.mark.parametrize(("options", "word"), [
    ({"measurements": np.eye(3)}, "A: 2 columns"), ({"alpha": "worst"}, "alpha"), ({"alpha": 0}, "alpha"),
    ({"alpha": -1.0}, "alpha"), ({"alpha": math.nan}, "alpha"), ({"time_limit": 0}, "time_limit"),
    ({"time_limit": math.nan}, "time_limit"), ({"time_limit": "1"}, "time_limit"),
    ({"workers": 0}, "workers"),
    ({"rng": -1}, "rng"), ({"rng": "0"}, "rng"), ({"ratio": -1.0, "alpha": 1.0}, "ratio"),
    ({"gap": -1.0, "alpha": 1.0}, "gap"), ({"gap": math.nan, "alpha": 1.0}, "gap"),
])
def test_bad_arguments_are_refused_by_name(options, word):
    with pytest.raises(InvalidInput, match=word):
        wc.certify([np.eye(2)], **{"time_limit": 1, **options})


@pytest.mark.parametrize("net", [[], [[[math.nan]]], [np.eye(2), np.eye(3)], 5, [["a"]], [[[1j]]]])
def test_bad_networks_are_refused(net):
    with pytest.raises(InvalidInput):
        wc.certify(net)


def test_a_checkpoint_is_resumed_with_its_alpha(tmp_path, monkeypatch):
    A = np.random.default_rng(3).standard_normal((5, 12)) / 2
    first = wc.certify(network(), A, time_limit=2, checkpoint=tmp_path / "folder")
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == [
        "r2wdc-2.alpha.json", "r2wdc-2.json", "rric.json", "wdc-1.alpha.json", "wdc-1.json",
        "wdc-2.alpha.json", "wdc-2.json"]
    monkeypatch.setattr("wdccheck.engines.calibration.calibration", None)  # not searched for again
    second = wc.certify(network(), A, time_limit=2, checkpoint=tmp_path / "folder", rng=8)
    for a, b in zip(first.rows, second.rows, strict=True):
        assert a.alpha == b.alpha and (a.kind == "RRIC" or b.least.upper <= a.least.upper)
        assert b.bracket.lower >= a.bracket.lower * (1 - 1e-12)  # that of layer 1 is measured again
        assert b.bracket.upper <= a.bracket.upper
    with pytest.raises(CertificateMismatch):
        wc.certify(network(1), A, time_limit=2, checkpoint=tmp_path / "folder")


def test_an_unusable_checkpoint_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="checkpoint"):
        wc.certify([np.eye(2)], checkpoint=tmp_path / "file")


def test_an_interrupted_layer_ends_the_report(monkeypatch):
    stop = Stop(Reason.INTERRUPTED, "by hand")

    def interrupted(condition, *engines, **options):
        known = wc.bracket(condition, wc.Spectral())
        return replace(known, stopped={"lower": stop, "upper": stop})

    monkeypatch.setattr(over_alpha, "bracket", interrupted)
    report = wc.certify(network(), alpha=1.0)
    assert len(report.rows) == 1 and report.interrupted
    assert "interrupted: 1 of 5 rows begun" in report.to_text()


def test_an_interrupted_calibration_still_gives_bounds(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(over_alpha, "kept_calibration", interrupted)
    report = wc.certify(network())
    (row,) = report.rows
    assert report.interrupted and 0 < row.bracket.lower <= row.bracket.upper < math.inf
    assert row.bracket.stopped["upper"].reason is Reason.INTERRUPTED


def test_the_seed_of_a_report_is_that_of_every_layer():
    made = wc.certify(network(), alpha=1.0, rng=np.random.default_rng(5), time_limit=0.5)
    assert {work.seed for row in made.rows for work in row.bracket.engines} == {made.seed}


def test_a_checkpoint_without_a_name_is_refused():
    for path in ("", "/"):
        with pytest.raises(InvalidInput, match="checkpoint"):
            of_condition.certify_condition(wc.WDC(np.eye(2)), checkpoint=path)


def test_a_poor_alpha_leads_to_a_better_one(monkeypatch):
    """The bracket at one alpha closes, its witness is a line, and where all lines are lowest is the next."""
    W = np.random.default_rng(0).standard_normal((30, 2)) / np.sqrt(30)
    found = calibration(wc.WDC(W), blocks=1)
    poor = replace(found, alpha=3.0, proved_alpha=3.0, lines=())
    monkeypatch.setattr(over_alpha, "kept_calibration", lambda *_: poor)
    row = of_condition.certify_condition(wc.WDC(W), time_limit=20)
    assert row.settled and row.state == "closed" and 0.3 < row.alpha < 2.0
    assert row.least.upper == row.ratio_upper and len(row.least.witnesses) == 2
    monkeypatch.setattr(over_alpha, "_AGAIN", 0)
    assert of_condition.certify_condition(wc.WDC(W), time_limit=20).state == "closed at alpha = 3"


@pytest.mark.parametrize(("factor", "verdict"), [(1.02, "holds"), (0.995, "violated")])
def test_a_ratio_stops_a_row_where_it_decides_the_minimum(factor, verdict, monkeypatch):
    """At a poor alpha both ratios are exceeded at once, which decides nothing of the minimum over alpha."""
    W = np.random.default_rng(0).standard_normal((30, 2)) / np.sqrt(30)
    ratio = 0.4412 * factor  # 0.44068 <= min eps/alpha <= 0.44157
    poor = replace(calibration(wc.WDC(W), blocks=1), alpha=3.0, proved_alpha=3.0, lines=())
    monkeypatch.setattr(over_alpha, "kept_calibration", lambda *_: poor)
    row = of_condition.certify_condition(wc.WDC(W), time_limit=20, ratio=ratio)
    assert row.verdict(ratio).value == verdict and row.asks(ratio).startswith("min eps/alpha")
    shared = of_condition.certify_condition(wc.WDC(W), time_limit=20, ratio=ratio, shared=True)
    assert shared.alpha == 3.0 and shared.bracket.verdict(ratio=ratio).value == "violated"


def test_a_vacuous_ratio_is_asked_of_a_shared_alpha():
    """Every layer has 1/2 at a large alpha, but a pair is compared at its own."""
    W = np.random.default_rng(0).standard_normal((30, 2)) / np.sqrt(30)
    row = of_condition.certify_condition(wc.WDC(W), time_limit=5, ratio=0.5, shared=True)
    assert row.bracket.verdict(ratio=0.5).value == "holds"


def test_an_interruption_at_a_later_alpha_is_one_of_the_row(monkeypatch):
    """The row keeps the better bracket, found before, and yet the report ends with it."""
    W = np.random.default_rng(0).standard_normal((30, 2)) / np.sqrt(30)
    poor = replace(calibration(wc.WDC(W), blocks=1), alpha=3.0, proved_alpha=3.0, lines=())
    monkeypatch.setattr(over_alpha, "kept_calibration", lambda *_: poor)
    stop, calls = Stop(Reason.INTERRUPTED, "interrupted from the keyboard"), []

    def interrupted(condition, *engines, **options):
        calls.append(condition.alpha)
        known = wc.bracket(condition, wc.Spectral() if len(calls) > 1 else wc.BranchAndBound(rtol=0.002))
        return known if len(calls) == 1 else replace(known, stopped={"lower": stop, "upper": stop})

    monkeypatch.setattr(over_alpha, "bracket", interrupted)
    row = of_condition.certify_condition(wc.WDC(W), time_limit=60)
    assert calls[0] == row.alpha == 3.0 and len(calls) == 2
    assert row.bracket.interrupted
