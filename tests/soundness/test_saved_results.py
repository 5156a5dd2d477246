"""Forged brackets, checkpoints, cells and tables: refused, or contradicted by their witness."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck import checker
from wdccheck.brackets import Bracket
from wdccheck.engines.loop import recalled
from wdccheck.errors import CertificateMismatch, InvalidInput
from wdccheck.reports.row import Row
from wdccheck.stops import Reason, Stop


def test_a_forged_checkpoint_is_contradicted_or_refused(tmp_path):
    condition, path = wc.WDC(np.eye(2)), tmp_path / "forged.json"
    Bracket(condition.describe(), upper=0.5).save(path)
    with pytest.raises(wc.UnsoundBound):  # the file is trusted until a witness refutes it
        wc.bracket(condition, wc.Spectral(), checkpoint=path)
    witness = {"r": np.ones(2), "s": np.ones(2)}
    for claimed, point in ((0.9, witness), (0.4, None)):
        Bracket(condition.describe(), lower=claimed, witness=point).save(path)
        with pytest.raises(wc.InvalidInput, match="witness"):
            wc.bracket(condition, wc.Spectral(), checkpoint=path)


# -- saved results ---------------------------------


def edited(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_upper_bound_below_its_own_witness_is_refused(tmp_path):
    condition, path = wc.WDC(np.random.default_rng(0).standard_normal((20, 2)), 20.0), tmp_path / "saved.json"
    wc.bracket(condition, wc.Spectral(), wc.Ascent(starts=2)).save(path)
    edited(path, lower=0.1, upper=0.2)
    for use in (lambda: recalled(condition, path), lambda: wc.bracket(condition, checkpoint=path),
                lambda: wc.testing.assert_holds(condition, 0.3, certificate=path)):
        with pytest.raises(CertificateMismatch, match="witness"):
            use()


def test_what_is_said_of_a_recalled_bracket_is_of_the_condition(tmp_path):
    condition, path = wc.WDC(np.eye(2)), tmp_path / "saved.json"
    wc.bracket(condition, wc.Spectral()).save(path)
    about = json.loads(path.read_text())["condition"]
    del about["weights"]
    edited(path, lower=0.0, witness=None, condition={**about, "shape": [200, 2]})
    assert recalled(condition, path).condition == condition.describe()


def test_only_a_bracket_of_zeros_is_shown_as_a_supremum_over_nothing():
    stop = Stop(Reason.EMPTY, "every output is dead")
    known = replace(wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()), stopped={"upper": stop})
    assert not Row(known).empty and "eps = 0" not in Row(known).to_text()


# -- sweeps ---------------------------------

DESIGN = {"k": 1, "n": [4], "alpha": [1.0, 2.0], "budget": 100}


@pytest.fixture
def cells(tmp_path):
    wc.sweep(**DESIGN, out=tmp_path)
    return sorted((tmp_path / "cells").iterdir())


def refused(folder, design=DESIGN):
    with pytest.raises(InvalidInput, match="cells"):
        wc.sweep(**design, out=folder)


def test_a_cell_in_the_place_of_another_is_refused(tmp_path, cells):
    shutil.copy(cells[0], cells[1])  # alpha is no part of the seed
    refused(tmp_path)


@pytest.mark.parametrize("change", [
    {"lower": "2.0"}, {"upper": "nan"}, {"lower": "nan"}, {"upper": ""}, {"lower": "-1.0"}])
def test_a_table_of_impossible_bounds_is_refused(tmp_path, change):
    wc.Study(({**wc.sweep(k=1, n=4, budget=100).rows[0], **change},)).save(tmp_path / "study.csv")
    with pytest.raises(InvalidInput, match="lower <= upper"):
        wc.Study.load(tmp_path / "study.csv")


@pytest.mark.parametrize("change", [{"lower": 0.9, "upper": 0.95}, {"lower": 0.0, "upper": 0.001}])
def test_a_cell_whose_bounds_are_not_of_its_witness_is_refused(tmp_path, cells, change):
    edited(cells[0], **change)
    refused(tmp_path)


def test_a_row_that_is_not_of_its_cell_is_refused(tmp_path, cells):
    edited(cells[0], row={**json.loads(cells[0].read_text())["row"], "n": 400})
    refused(tmp_path)


def test_a_calibrated_cell_is_recalled(tmp_path):
    design = {"k": 2, "n": [12], "alpha": "best", "budget": 100}
    first = wc.sweep(**design, out=tmp_path)
    assert wc.sweep(**design, out=tmp_path).rows == first.rows
    (cell,) = (tmp_path / "cells").iterdir()
    data = json.loads(cell.read_text())
    edited(cell, condition={**data["condition"], "alpha": 100.0})
    refused(tmp_path, design)


# -- pairs and layers behind others ---------------------------------


def test_forged_files_are_refused_or_refuted(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "pair.json"
    pair = wc.JointWDC(rng.standard_normal((5, 2)), rng.standard_normal((5, 2)))
    wc.bracket(pair, wc.Spectral()).save(path)
    data = json.loads(path.read_text())
    other = {"B": "C", "C": "B"}[data["part"]]
    weights = data["condition"]["weights"]
    forged = [({"part": value}, "refuted") for value in (other, None, "wdc", "")]
    forged += [({"part": value}, "refused") for value in ([data["part"]], {"B": 1}, 5)]
    forged += [({"lower": 0.0}, "proved"), ({"witness": None}, "refuted")]
    forged += [({"condition": {**data["condition"], **change}}, expected) for change, expected in (
        ({"shape": [5, 2, 3]}, "refused"), ({"shape": 5}, "refused"), ({"alpha": 2.0}, "refuted"),
        ({"weights": {"B": weights["C"], "C": weights["B"]}}, "refuted"), ({"weights": [1]}, "refused"),
        ({"weights": {**weights, "B": {**weights["B"], "shape": [1e400, 2]}}}, "refused"))]
    for change, expected in forged:
        path.write_text(json.dumps({**data, **change}).replace("Infinity", "1e999"))
        try:
            found = wc.verify(path, rerun=False)[0].outcome
        except wc.InvalidInput:
            found = "refused"
        assert found == expected, change


def test_a_forged_layer_or_shape_is_refuted():
    net = wc.ReLUNetwork([np.eye(2), np.ones((3, 2))])
    for condition in (wc.R2WDC(net, 2), wc.RRIC(np.eye(3), net)):
        data = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(16)).to_dict()
        assert checker.reevaluate(data).outcome == "proved"
        for forged in ({"layer": 7}, {"shape": [9, 9]}):
            condition = {**data["condition"], **forged}
            assert checker.reevaluate({**data, "condition": condition}).outcome == "refuted"
