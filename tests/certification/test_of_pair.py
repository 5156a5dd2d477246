"""`certify_pair`: the rows of [HJ] Theorem 3, their scales, and reports that verify."""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import outcomes, proved, refuted
from wdccheck.brackets import Verdict
from wdccheck.certification import over_alpha
from wdccheck.errors import InvalidInput


def pair(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    B = [rng.standard_normal((5, 2)) / math.sqrt(5), scale * rng.standard_normal((4, 5)) / 2]
    C = [rng.standard_normal((4, 2)) / 2]
    return wc.ReLUNetwork(B), wc.ReLUNetwork(C)


pytestmark = pytest.mark.usefixtures("quick")


@functools.cache
def report_at(alpha, seed=0):
    """One report for all tests that look at it."""
    return wc.certify_pair(*pair(seed), alpha=alpha)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "pair.json"
    report_at(0.75).save(path)
    return path


def test_the_rows_of_the_theorem():
    report = wc.certify_pair(*pair(), alpha=(0.5, 0.25))
    assert [(row.name, row.alpha) for row in report.rows] == [
        ("WDC of layer 1 of B", 1.0), ("WDC of layer 2 of B", 0.5), ("WDC of layer 1 of C", 0.25),
        ("joint-WDC", 0.125)]
    assert [row.shape for row in report.rows] == [(5, 2), (4, 5), (4, 2), (4, 5, 2)]
    for row in report.rows:
        assert 0 < row.bracket.lower <= row.bracket.upper < math.inf


def test_the_joint_scale_is_the_product_of_those_that_were_found():
    report = wc.certify_pair(*pair())
    _, first, second, joint = report.rows
    assert first.note == "for which 1/2 is proved"
    assert second.note in ("for which 1/2 is proved", "chosen to minimize eps/alpha")  # 1/2, to one in 10^5
    assert "product" in joint.note
    assert all(row.scope == "pair" and row.headline[1] == "eps/alpha" for row in report.rows)
    assert all(row.least.lower <= row.ratio_upper for row in report.rows)  # a note beside it
    assert joint.alpha == first.alpha * second.alpha
    assert report.rows[0].alpha == 1.0


def test_the_three_statements_share_the_scale():
    """Fact 3: b times the last layer of B has b^2 times alpha1 and the joint alpha; no ratio changes."""
    rows = [wc.certify_pair(*pair(scale=s), alpha=(0.5 * s * s, 0.25)).rows for s in (1.0, 8.0)]
    for plain, scaled in zip(*rows, strict=True):
        assert scaled.ratio_lower == pytest.approx(plain.ratio_lower, rel=1e-9)
        assert scaled.ratio_upper == pytest.approx(plain.ratio_upper, rel=1e-9)


def test_the_text_says_what_was_used():
    text = report_at(0.5).to_text()
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    for words in ("B: 2-5-4, sha256", "C: 2-4, sha256", "as the theorem asks of inner layers",
                  "joint-WDC: 4 x 5 and 4 x 2",
                  "at alpha = 0.25, the product of those of the two last layers",
                  "[HJ] Theorem 3", "at least two layers are needed"):
        assert words in flat
    assert "beyond the theorem" not in flat
    big = wc.certify_pair(*pair(scale=4.0), alpha=(8.0, 0.5)).to_text()
    assert "beyond the theorem" in " ".join(big.split())
    B, _ = pair()
    assert "constant not given in the paper" in " ".join(wc.certify_pair(B, B, alpha=1.0).to_text().split())


def test_one_epsilon_for_every_row():
    report = report_at(0.5)
    most = max(row.ratio_upper for row in report.rows)
    assert report.verdict(most) is Verdict.HOLDS
    assert report.verdict(max(row.ratio_lower for row in report.rows) / 2) is Verdict.VIOLATED


def test_last_layers_that_do_not_match():
    B, _ = pair()
    with pytest.raises(InvalidInput, match=r"last layers of B and C.*shapes \(4, 5\) and \(3, 2\)"):
        wc.certify_pair(B, [np.ones((3, 2))])


@pytest.mark.parametrize(("options", "word"), [
    ({"alpha": (1.0, 1.0, 1.0)}, "alpha"), ({"alpha": (1.0, 0.0)}, "alpha"), ({"alpha": "worst"}, "alpha"),
    ({"alpha": ("best", math.nan)}, "alpha"), ({"time_limit": 0}, "time_limit"), ({"workers": 0}, "workers")])
def test_bad_arguments(options, word):
    with pytest.raises(InvalidInput, match=word):
        wc.certify_pair(*pair(), **options)


def test_a_checkpoint_has_a_file_per_row(tmp_path):
    wc.certify_pair(*pair(), alpha=1.0, checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "joint-wdc.json", "wdc-B-1.json", "wdc-B-2.json", "wdc-C-1.json"]


def test_an_interruption_keeps_what_stands(monkeypatch):
    def interrupted(condition, *engines, **options):
        if isinstance(condition, wc.JointWDC):
            raise KeyboardInterrupt
        return wc.bracket(condition, *engines, **options)

    monkeypatch.setattr(over_alpha, "bracket", interrupted)
    report = wc.certify_pair(*pair(), alpha=1.0)
    assert report.interrupted and len(report.rows) == 3
    assert "interrupted: 3 of 4 rows begun" in report.to_text() and "no upper bound" in report.to_text()


def test_where_an_alpha_comes_from_survives_a_reload(saved):
    report, again = report_at(0.75), wc.Report.load(saved)
    assert [row.note for row in again.rows] == [row.note for row in report.rows]
    assert [bool(row.note) for row in again.rows] == [True, False, False, True]
    assert again.to_markdown() == report.to_markdown()


def test_a_pair_is_verified(saved):
    checks = wc.verify(saved)
    assert proved(checks)
    assert checks[-2].what == "pair" and checks[-2].detail == "4 of 4 rows, in order"
    assert json.loads(saved.read_text())["pair"]["C"]["dims"] == [2, 4]


@pytest.mark.parametrize("forged", ["alpha", "inner", "side", "left out", "hash", "joint"])
def test_forged_pairs_are_refuted(saved, forged):
    data = json.loads(saved.read_text())
    rows = data["rows"]
    if forged == "alpha":
        other = report_at(0.5).to_dict()["rows"]
        rows[3] = other[3]
    elif forged == "inner":
        B, _ = pair()
        rows[0] = wc.certify_pair([B.layers[0]], [B.layers[0]], alpha=0.5).to_dict()["rows"][0]
    elif forged == "side":
        rows[0]["of"] = "C"
    elif forged == "left out":
        del rows[2]
    elif forged == "hash":
        data["pair"]["C"]["sha256"] = "0" * 64
    else:
        rows[3] = report_at(0.75, seed=1).to_dict()["rows"][3]
    saved.write_text(json.dumps(data))
    assert refuted(wc.verify(saved, rerun=False))


def test_a_pair_without_its_weights(saved):
    data = json.loads(saved.read_text())
    for row in data["rows"]:
        del row["bracket"]["condition"]["weights"]
    saved.write_text(json.dumps(data))
    assert set(outcomes(wc.verify(saved))) == {"proved", "not proved"}
    assert proved(wc.verify(saved, weights=pair()))
