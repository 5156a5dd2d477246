"""The three files of a report: written whole, refused, read again."""

from __future__ import annotations

import html
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import refuted, stands
from examples.pages import Page, loaded
from wdccheck import result_files
from wdccheck.cli.main import main
from wdccheck.cli.outputs import folder
from wdccheck.errors import InvalidInput
from wdccheck.reports.report import Report
from wdccheck.weights.origin import Origin


@pytest.fixture
def weights(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "<net> & co.npz"
    np.savez(path, W1=rng.standard_normal((6, 2)), W2=rng.standard_normal((5, 6)))
    return path


def test_the_command_writes_three_files(weights, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    arguments = ["certify", str(weights), "--alpha", "1", "--time-limit", "2", "--workers", "1", "--quiet",
                 "--json", str(tmp_path / "same.json"), "--out", str(out)]
    assert main(arguments) == 0
    capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]
    assert (out / "report.json").read_bytes() == (tmp_path / "same.json").read_bytes()
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert f"wdccheck certify '{weights}' --alpha 1" in page.text and "net" not in page.seen
    assert stands(wc.verify(out / "report.json", rerun=False))


@pytest.mark.parametrize("make", [
    lambda path: path.write_text("a file"),
    lambda path: (path / "report.html").mkdir(parents=True),
    lambda path: path.symlink_to(path.with_name("nowhere") / "else"),
])
def test_a_folder_that_cannot_be_used_is_refused_at_once(make, tmp_path, capsys, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the work began")

    monkeypatch.setattr("wdccheck.certification.of_network.certify", never)
    out = tmp_path / "out"
    make(out)
    assert main(["certify", "--out", str(out)]) == 2
    assert "--out" in capsys.readouterr().err


def test_what_cannot_be_read_leaves_no_folder(tmp_path, capsys):
    assert main(["certify", str(tmp_path / "none.npz"), "--out", str(tmp_path / "out")]) == 2
    assert "none.npz" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")  # a superuser may write anywhere

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(InvalidInput, match=r"report\.html': Permission denied"):
        folder(str(tmp_path), "--out", "report.html")


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    report = loaded("demodulation")
    report.write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(InvalidInput, match="No space left"):
            replace(report, seed=1).write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_that_are_no_report_are_refused(tmp_path):
    path = tmp_path / "x.json"
    result_files.write(path, {"rows": [{}]})
    with pytest.raises(InvalidInput, match="the field wdccheck"):
        Report.load(path)
    for name, value in (("kind", "<b>"), ("shape", ["<b>", 3]), ("shape", [0, 3]), ("shape", [3])):
        data = loaded("demodulation").to_dict()
        data["rows"][0]["bracket"]["condition"][name] = value
        result_files.write(path, data)
        with pytest.raises(InvalidInput, match=f"rows 1: .*{name}"):
            Report.load(path)


def test_the_file_and_the_options_of_reading_survive_a_reload(tmp_path):
    origin = Origin("net.pth", ("array '0.weight' 2 x 2",), "one layer, a ReLU after it assumed",
                    {"--ignore-bias": "the biases are dropped"}, "model.g", ("'enc.weight'",),
                    "G(x) = y to 1e-7")
    report = wc.certify([np.eye(2)], alpha=1.0, time_limit=5)
    one = replace(report, networks={"": replace(report.networks[""], origin=origin)})
    one.write(tmp_path)
    again = wc.Report.load(tmp_path / "report.json")
    assert again.networks[""].origin == origin
    assert again.to_markdown() == one.to_markdown()
    said = ("net.pth, key 'model.g': layer 1 array '0.weight' 2 x 2; one layer, a ReLU after it assumed",
            "the biases are dropped", "not used: 'enc.weight'", "forward check: G(x) = y to 1e-7")
    pages = [html.unescape((tmp_path / page).read_text(encoding="utf-8"))
             for page in ("report.md", "report.html")]
    for text in (*pages, " ".join(again.to_text().split())):
        assert not [part for part in said if part not in text]
    older = {name: origin.to_dict()[name] for name in ("file", "layers", "ordered_by", "options")}
    assert Origin.from_dict(older) == replace(origin, key="", unused=(), checked="")


def test_names_of_a_file_do_not_control_the_terminal():
    unused = tuple(f"'{i}'" for i in range(20))
    origin = Origin("a\x1b[2J.npz", ("array 'W\n' 2 x 2",), "one layer", unused=unused)
    assert origin.to_text().splitlines()[0] == r"a\x1b[2J.npz: layer 1 array 'W\n' 2 x 2; one layer"
    assert "'11' and 8 more" in origin.to_text() and len(origin.to_dict()["unused"]) == 20


@pytest.mark.parametrize("name", ["digits", "demodulation"])
def test_reports_of_schema_1_still_load(name, tmp_path):
    path = Path(__file__).parents[1] / "examples" / "schema1" / f"{name}.json"
    old, report = json.loads(path.read_text()), Report.load(path)
    for row, kept in zip(report.rows, old["rows"], strict=True):
        assert (row.bracket.lower, row.bracket.upper) == (kept["lower"], kept["upper"])
        if kept["ratio_lower_any_alpha"] is not None:
            assert row.least.lower == kept["ratio_lower_any_alpha"] and row.least.upper <= row.ratio_upper
    assert stands(wc.verify(path, rerun=False))
    report.save(tmp_path / "new.json")
    assert json.loads((tmp_path / "new.json").read_text())["schema"] == 2
    assert not refuted(wc.verify(tmp_path / "new.json", rerun=False))  # it has no witnesses of the minimum
