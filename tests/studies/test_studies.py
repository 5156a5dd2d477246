"""Sweeps: bounds, resuming, failing cells, tables."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas
import pytest

import wdccheck as wc
from examples.checks import proved
from examples.definitions import plane_epsilon
from examples.designs import DESIGN
from wdccheck import result_files
from wdccheck.running.progress import Bar
from wdccheck.studies import plan
from wdccheck.studies.designs import Cell, product
from wdccheck.studies.studies import COLUMNS, Study

pytestmark = pytest.mark.usefixtures("short_climbs")
QUICK = {"k": 1, "n": [3, 5, 9], "budget": 100}  # k = 1 is exact by enumeration


def without_time(study):
    return [{**row, "seconds": None} for row in study.rows]


def test_more_cells_change_no_other():
    few = wc.sweep(**QUICK)
    many = wc.sweep(**{**QUICK, "n": [3, 4, 5, 9], "distribution": ["sphere", "gaussian"], "repeat": 2})
    kept = [row for row in without_time(many) if row in without_time(few)]
    assert len(kept) == len(few.rows) == 3


# -- bounds --------------------------------------------------------------------------------------


def test_bounds_enclose_the_exact_value():
    study = wc.sweep(k=2, n=[5, 12], budget=2000, rtol=0.3)
    for row, cell in zip(study.rows, product("wdc", **{**DESIGN, "n": [5, 12]}), strict=True):
        exact = plane_epsilon(cell.build(row["seed"]).W)
        assert row["lower"] <= exact * (1 + 1e-9) and exact <= row["upper"] * (1 + 1e-9)
        assert row["upper"] <= 1.6 * row["lower"]


def test_every_condition_in_one_table():
    kinds = ["wdc", "r2wdc", "rric", "joint-wdc"]
    study = wc.sweep(kinds, k=1, n=4, depth=2, hidden=1, m=2, l=5, budget=10)
    assert [row["condition"] for row in study.rows] == kinds
    for row in study.rows:
        assert row["error"] is None and row["lower"] <= row["upper"] and set(row) == set(COLUMNS)


def test_the_best_alpha_is_chosen_cell_by_cell():
    given, best = wc.sweep(k=1, n=4, repeat=1, alpha=[1.0, "best"], budget=10).rows
    assert best["calibrated"] and not given["calibrated"] and best["seed"] == given["seed"]
    assert best["upper"] / best["alpha"] <= given["upper"] + 1e-9


def test_a_budget_is_one_of_the_search_for_alpha_too(monkeypatch):
    asked = []
    real = plan.calibration
    monkeypatch.setattr(plan, "calibration", lambda *a, **b: asked.append(b["blocks"]) or real(*a, **b))
    for budget in (10, 20_000, None):
        wc.sweep(k=1, n=2, alpha="best", budget=budget)
    assert asked == [8, 20, None]


def test_results_do_not_depend_on_workers():
    design = {"k": 1, "n": [2, 3, 4, 5], "repeat": 2, "budget": 10}
    assert without_time(wc.sweep(**design)) == without_time(wc.sweep(**design, workers=2))


def test_progress_counts_cells():
    events = []
    wc.sweep(**QUICK, progress=events.append)
    assert [event.done for event in events] == [0, 1, 2, 3]
    assert {event.total for event in events} == {3}


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_with_the_time_left():
    screen = Screen()
    bar = Bar("sweep", screen)
    wc.sweep(**QUICK, progress=bar)
    assert "sweep: 100%" in screen.getvalue() and "3/3" in screen.getvalue() and "<00:00" in screen.getvalue()


# -- folders -------------------------------------------------------------------------------------


def test_a_finished_sweep_computes_nothing(tmp_path, monkeypatch):
    first = wc.sweep(**QUICK, out=tmp_path / "out")
    monkeypatch.setattr(plan, "_bracketed", lambda *_: pytest.fail("computed twice"))
    assert wc.sweep(**QUICK, out=tmp_path / "out").rows == first.rows
    assert Study.load(tmp_path / "out" / "results.csv").rows == first.rows


def test_a_cell_is_a_result_of_its_own(tmp_path):
    study = wc.sweep(**QUICK, out=tmp_path)
    files = sorted((tmp_path / "cells").iterdir())
    assert len(files) == 3
    loaded = [wc.load(file) for file in files]
    assert {x.upper for x in loaded} == {row["upper"] for row in study.rows}
    assert proved(wc.verify(files[0]))


def test_a_kill_loses_the_cell_at_work_only(tmp_path, monkeypatch):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "wdccheck", "sweep", "--k", "2", "--n", "5,6", "--repeat", "50",
               "--budget", "100", "--workers", "1", "--quiet", "--out", str(out)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(list(out.glob("cells/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    kept = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in out.glob("cells/*.json")}
    assert 2 <= len(kept) < 100 and not (out / "results.csv").exists()
    computed = []

    def quick(_, cell, seed):
        computed.append(cell.name)
        return wc.bracket(cell.build(seed), wc.Spectral())

    monkeypatch.setattr(plan, "_bracketed", quick)
    study = wc.sweep(k=2, n=[5, 6], repeat=50, budget=100, out=out)
    assert len(study.rows) == 100 and not study.failed
    names = {cell.name for cell in product("wdc", **{**DESIGN, "n": [5, 6], "repeat": 50})}
    assert sorted(computed) == sorted(names - {file.stem for file in kept})
    assert all((file.stat().st_mtime_ns, file.read_bytes()) == was for file, was in kept.items())
    assert all(json.loads(was[1])["row"] in [dict(row) for row in study.rows] for was in kept.values())


@pytest.mark.parametrize(("change", "word"), [
    ({"n": [3, 5, 10]}, "cells"), ({"rng": 1}, "seed"), ({"budget": 200}, "engines"),
    ({"rtol": 0.1}, "engines"), ({"time_limit": 9.0}, "time_limit")])
def test_a_folder_of_another_design_is_refused(tmp_path, change, word):
    wc.sweep(**QUICK, out=tmp_path)
    with pytest.raises(wc.InvalidInput, match=f"design.json: the design of this sweep .{word}: "):
        wc.sweep(**{**QUICK, **change}, out=tmp_path)


def test_of_two_designs_in_one_new_folder_one_goes_on(tmp_path, monkeypatch):
    real = result_files.write

    def late(path, data, **options):  # the other sweep is a moment earlier
        monkeypatch.setattr(result_files, "write", real)
        wc.sweep(**QUICK, rng=1, out=tmp_path)
        real(path, data, **options)

    monkeypatch.setattr(result_files, "write", late)
    with pytest.raises(wc.InvalidInput, match=r"design.json: the design of this sweep \(seed: 0\)"):
        wc.sweep(**QUICK, out=tmp_path)
    assert len(wc.sweep(**QUICK, rng=1, out=tmp_path).rows) == 3


def test_folders_of_something_else_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(wc.InvalidInput, match=r"a new folder.*thesis\.tex"):
        wc.sweep(**QUICK, out=tmp_path)
    with pytest.raises(wc.InvalidInput, match="a folder"):
        wc.sweep(**QUICK, out=tmp_path / "thesis.tex")
    assert sorted(x.name for x in tmp_path.iterdir()) == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', '{"schema": 1, "row": {"lower": 0}}'])
def test_a_damaged_cell_is_refused(tmp_path, text):
    wc.sweep(**QUICK, out=tmp_path)
    file = sorted((tmp_path / "cells").iterdir())[0]
    file.write_text(text)
    with pytest.raises(wc.InvalidInput, match=file.name):
        wc.sweep(**QUICK, out=tmp_path)


# -- cells that fail -------------------------------------------------------------------------------


def test_a_failing_cell_is_reported_and_the_rest_goes_on(tmp_path):
    study = wc.sweep(distribution="orthogonal", k=2, n=[1, 2], budget=10, out=tmp_path)
    (bad,) = study.failed
    assert bad["n"] == 1 and "at least 2 rows" in bad["error"] and bad["lower"] is bad["upper"] is None
    assert study.rows[1]["upper"] >= 0.99
    assert Study.load(tmp_path / "results.csv").rows == study.rows


def test_a_failing_cell_is_tried_again(tmp_path, monkeypatch):
    real = plan._bracketed

    def no_memory(*arguments):
        raise MemoryError("none left")

    monkeypatch.setattr(plan, "_bracketed", no_memory)
    assert len(wc.sweep(**QUICK, out=tmp_path).failed) == 3
    monkeypatch.setattr(plan, "_bracketed", real)
    study = wc.sweep(**QUICK, out=tmp_path)
    assert not study.failed and all(row["lower"] > 0 for row in study.rows)


def test_ctrl_c_leaves_finished_cells(tmp_path, monkeypatch):
    real, calls = plan._bracketed, itertools.count()

    def interrupted(*arguments):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(plan, "_bracketed", interrupted)
    study = wc.sweep(**QUICK, out=tmp_path)
    assert study.interrupted and len(study.rows) == 1 and not (tmp_path / "results.csv").exists()
    assert len(list((tmp_path / "cells").iterdir())) == 1
    monkeypatch.setattr(plan, "_bracketed", real)
    assert len(wc.sweep(**QUICK, out=tmp_path).rows) == 3


# -- tables and arguments ----------------------------------------------------------------------------


def test_tables_read_back(tmp_path):
    study = wc.sweep(**QUICK)
    odd = Study((*study.rows, {**study.rows[0], "upper": np.inf, "error": 'a "quoted", one\nof two lines'}))
    for name in ("a.csv", "b.txt"):
        odd.save(tmp_path / name)
        assert Study.load(tmp_path / name).rows == odd.rows


def test_parquet(tmp_path):
    study = wc.sweep(**QUICK, out=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pandas.read_parquet(tmp_path / "results.parquet")
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["upper"]) == [row["upper"] for row in study.rows]
    assert list(frame["seed"]) == [row["seed"] for row in study.rows]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\nwdc,gaussian,x\n", "\0", "é"])
def test_other_files_are_no_tables(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(wc.InvalidInput, match=r"table\.csv"):
        Study.load(path)
    with pytest.raises(wc.InvalidInput, match="readable"):
        Study.load(tmp_path / "none.csv")


@pytest.mark.parametrize(("change", "match"), [
    ({"n": None}, "n or expansion"), ({"n": []}, "n: at least one"), ({"n": 0}, "n: integers"),
    ({"n": 2.5}, "n: integers"), ({"k": True}, "k: integers"), ({"expansion": 2}, "n and expansion"),
    ({"condition": "wcd"}, "condition: one of"), ({"condition": "rric"}, "m: at least"),
    ({"condition": "joint-wdc"}, "l: at least"), ({"distribution": "normal"}, "distribution: one of"),
    ({"alpha": 0}, "alpha"), ({"alpha": "worst"}, "alpha"), ({"repeat": 0}, "repeat"),
    ({"budget": 0}, "budget"),
    ({"time_limit": 0}, "time_limit"), ({"rng": -1}, "rng"), ({"gap": -1}, "gap"), ({"rtol": 2}, "rtol"),
    ({"workers": 0}, "workers"), ({"n": None, "expansion": "2"}, "expansion"),
    ({"n": None, "expansion": np.nan}, "expansion")])
def test_unusable_arguments(change, match):
    with pytest.raises(wc.InvalidInput, match=match):
        wc.sweep(**{**QUICK, **change})


# -- the committed study -----------------------------------------------------------------------------


TABLES = sorted((Path(__file__).parents[2] / "docs" / "figures").glob("*.csv"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_committed_tables_are_of_the_seeds_they_name(path):
    rows = Study.load(path).rows
    assert len(rows) >= 18 and not Study(rows).failed
    for row in rows:
        cell = Cell(*(row[field.name] for field in fields(Cell)))
        assert row["seed"] == cell.seed(0) and row["lower"] <= row["upper"]
        if row["k"] == 2 and row["n"] == 10:
            exact = plane_epsilon(cell.build(row["seed"]).W)
            assert row["lower"] <= exact * (1 + 1e-9) and exact <= row["upper"] * (1 + 1e-9)


def test_the_study_is_committed():
    assert {path.stem for path in TABLES} == {"capped", "k2", "k3", "k4", "random3", "random32"}
