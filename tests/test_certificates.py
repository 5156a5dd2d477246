"""The committed results: their hashes, their witnesses, and what their README says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wdccheck as wc
from wdccheck import certificate
from wdccheck.brackets import Bracket
from wdccheck.data import generator

ROOT = Path(__file__).parent.parent / "certificates"
REPORT = ROOT / "digits" / "report.json"


def test_the_digits_report_is_of_the_bundled_generator():
    data = certificate.read(REPORT)
    net = generator()
    assert data["network"] == {"dims": list(net.dims), "sha256": net.sha256}
    assert [row["layer"] for row in data["rows"]] == [1, 2]
    for row, W in zip(data["rows"], net.layers, strict=True):
        condition = wc.WDC(W, row["alpha"], layer=row["layer"])
        assert row["bracket"]["condition"] == condition.describe()


def test_witnesses_reevaluate():
    for row, W in zip(certificate.read(REPORT)["rows"], generator().layers, strict=True):
        known = Bracket.from_dict(row["bracket"])
        value = float(wc.WDC(W, known.alpha).deviation(known.witness))
        assert known.lower <= value <= known.lower * (1 + 1e-9)


def test_independent_code_agrees():
    checks = wc.verify(REPORT, rerun=False)
    assert checks
    assert all(check.passed for check in checks)


def test_both_layers_are_closed_and_the_second_is_vacuous():
    first, second = certificate.read(REPORT)["rows"]
    assert first["ratio_upper"] <= 1.003 * first["ratio_lower"]
    assert first["upper_by"].startswith("BranchAndBound")
    assert second["vacuous"]
    assert second["ratio_upper"] == pytest.approx(second["ratio_lower"], rel=1e-9) == 0.5
    assert second["upper_by"].startswith("Fact 9")


@pytest.mark.slow
def test_upper_bounds_are_proved_again():
    assert all(check.passed for check in wc.verify(REPORT, workers=-1))


def test_the_table_quotes_the_files():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in certificate.read(REPORT)["rows"]:
        quoted = [float(x) for x in re.findall(r"0\.\d{4}", text)]
        assert any(row["ratio_lower"] - 1e-4 <= x <= row["ratio_lower"] + 1e-9 for x in quoted)
        assert any(row["ratio_upper"] <= x <= row["ratio_upper"] + 1e-4 for x in quoted)
