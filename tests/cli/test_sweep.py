"""`wdccheck sweep` and `wdccheck plot`, as typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

import wdccheck as wc
from wdccheck.cli.main import main
from wdccheck.studies import plan
from wdccheck.studies.studies import COLUMNS, Study

QUICK = ["sweep", "--k", "1", "--n", "3,5", "--budget", "10", "--workers", "1", "--quiet"]


def test_the_table_goes_to_standard_output(capsys, tmp_path):
    assert main([*QUICK, "--repeat", "2"]) == 0
    out, err = capsys.readouterr()
    (tmp_path / "table.csv").write_text(out)
    assert out.startswith(",".join(COLUMNS)) and err == ""
    assert [row["n"] for row in Study.load(tmp_path / "table.csv").rows] == [3, 3, 5, 5]


def test_a_folder_and_a_figure(capsys, tmp_path):
    out, figure = tmp_path / "out", tmp_path / "figure.svg"
    for _ in range(2):  # the second call finds everything done
        assert main([*QUICK, "--out", str(out), "--plot", str(figure)]) == 0
        assert capsys.readouterr().out == f"2 cells, 0 failed: {out / 'results.csv'}\n"
    assert figure.read_text().startswith("<?xml")
    assert main([*QUICK, "--out", str(out), "--seed", "1"]) == 2
    err = capsys.readouterr().err
    assert "design.json: the design of this sweep (seed: 1) required, found seed: 0" in err


def test_a_failing_cell_is_named(capsys):
    assert main(["sweep", "--k", "2", "--n", "1,2", "--distribution", "orthogonal", "--budget", "10",
                 "--workers", "1", "--quiet"]) == 3
    out, err = capsys.readouterr()
    assert out.count("\n") == 3
    assert err.startswith("condition wdc, distribution orthogonal, k 2, n 1: InvalidInput: ")


def test_an_unsound_bound_is_an_error_of_this_program(capsys, monkeypatch):
    def unsound(*_):
        raise wc.UnsoundBound("lower exceeds upper", None, None)

    monkeypatch.setattr(plan, "_bracketed", unsound)
    assert main(QUICK) == 70
    assert "UnsoundBound: lower exceeds upper" in capsys.readouterr().err


def test_progress_is_plain_where_there_is_no_terminal(capsys):
    assert main(QUICK[:-1]) == 0
    err = capsys.readouterr().err
    assert "sweep: 0/2 cells" in err and "sweep: 2/2 cells" in err and "\r" not in err


def test_every_list(capsys):
    assert main(["sweep", "--condition", "wdc,rric,joint-wdc", "--k", "1", "--expansion", "2,3.5",
                 "--depth", "1,2",
                 "--hidden", "1", "--m", "2", "--l", "4", "--alpha", "1,best", "--budget", "10",
                 "--workers", "1", "--quiet"]) == 0
    assert capsys.readouterr().out.count("\n") == 1 + 8 + 4 + 2


@pytest.mark.parametrize(("arguments", "words"), [
    (["--k", "2,x", "--n", "3"], "integers between commas required, found '2,x'"),
    (["--k", "2", "--n", ""], "integers between commas"),
    (["--k", "2", "--expansion", "a"], "numbers between commas"),
    (["--k", "2"], "n or expansion: at least one value for wdc required"),
    (["--n", "3", "--distribution", "normal"], "one of gaussian, sphere"),
    (["--n", "3", "--plot", "x.gif"], "a name that ends in .pdf, .png, .svg"),
    (["--n", "3", "--time-limit", "0"], "a finite number > 0"),
])
def test_unusable_arguments(capsys, arguments, words):
    assert main(["sweep", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "wdccheck", "sweep", "--k", "4", "--n", "50,51", "--quiet", "--workers", "1",
         "--out", str(out)], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    deadline = time.monotonic() + 60
    while not (out / "cells").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"finished cells are kept in {out}: the same command goes on from there" in err
    assert not list((out / "cells").glob("*.json"))


# -- plot ------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    wc.sweep(k=1, n=[3, 6, 12], budget=10, out=tmp_path / "out")
    return tmp_path / "out" / "results.csv"


def test_plot_writes_beside_the_table(capsys, table):
    assert main(["plot", str(table)]) == 0
    figure = table.with_suffix(".png")
    assert capsys.readouterr().out == f"{figure}\n" and figure.read_bytes().startswith(b"\x89PNG")


def test_plot_of_several_tables_in_several_formats(capsys, table, tmp_path):
    files = [tmp_path / name for name in ("a.pdf", "a.svg")]
    assert main(["plot", str(table), str(table), "--kind", "expansion", "--out", str(files[0]),
                 "--out", str(files[1])]) == 0
    assert all(file.stat().st_size > 3000 for file in files)


def test_plot_beside_a_report(capsys, table, tmp_path):
    report, figure = tmp_path / "report.json", tmp_path / "figure.svg"
    wc.certify([[[1.0], [2.0], [-1.0]]], alpha=1.0, time_limit=1).save(report)
    assert main(["plot", str(table), "--beside", str(report), "--out", str(figure)]) == 0
    assert main(["plot", str(table), "--kind", "trained"]) == 2
    assert main(["plot", str(table), "--kind", "width", "--beside", str(report)]) == 2
    report.write_text(json.dumps({"schema": 1, "rows": [{}]}))
    assert main(["plot", str(table), "--beside", str(report)]) == 2
    assert "a report of `wdccheck certify --json` required" in capsys.readouterr().err


def test_plot_refuses_other_files(capsys, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert main(["plot", str(tmp_path / "x.csv")]) == 2
    assert main(["plot", str(tmp_path / "none.csv")]) == 2
    assert main(["plot"]) == 2
