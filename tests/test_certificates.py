"""The committed results: their hashes, their witnesses, and what their README says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import wdccheck as wc
from wdccheck import certificate
from wdccheck.brackets import Bracket
from wdccheck.data import digits

ROOT = Path(__file__).parent.parent / "certificates"
REPORT = ROOT / "digits" / "report.json"


def test_the_digits_report_is_of_the_bundled_generator():
    data = certificate.read(REPORT)
    net = digits()
    assert data["network"] == {"dims": list(net.dims), "sha256": net.sha256}
    assert [row["layer"] for row in data["rows"]] == [1, 2]
    for row, W in zip(data["rows"], net.layers, strict=True):
        condition = wc.WDC(W, row["alpha"], layer=row["layer"])
        assert row["bracket"]["condition"] == condition.describe()


def test_witnesses_reevaluate():
    for row, W in zip(certificate.read(REPORT)["rows"], digits().layers, strict=True):
        known = Bracket.from_dict(row["bracket"])
        value = float(wc.WDC(W, known.alpha).deviation(known.witness))
        assert known.lower <= value <= known.lower * (1 + 1e-9)


def test_independent_code_agrees():
    checks = wc.verify(REPORT, rerun=False)
    assert checks
    assert all(check.passed for check in checks)


def test_layer_one_is_closed_and_layer_two_is_a_cap():
    first, second = (Bracket.from_dict(row["bracket"]) for row in certificate.read(REPORT)["rows"])
    assert first.upper <= 1.03 * first.lower
    assert first.upper_by.startswith("BranchAndBound")
    assert second.upper_by.startswith("Fact 9")


@pytest.mark.slow
def test_upper_bounds_are_proved_again():
    assert all(check.passed for check in wc.verify(REPORT, workers=-1))


def test_the_table_quotes_the_files():
    text = (ROOT / "README.md").read_text()
    for row in certificate.read(REPORT)["rows"]:
        for value in (row["ratio_lower"], row["ratio_upper"]):
            assert f"{value:.4f}"[:5] in text, f"certificates/README.md does not quote {value:.4f}"
