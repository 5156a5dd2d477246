"""Attempts to make readers, sweeps and saved results say what is not so."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.brackets import Reason, Stop
from wdccheck.engines.solve import recalled
from wdccheck.errors import CertificateMismatch, InvalidInput
from wdccheck.reports.row import Row
from wdccheck.weights.files import read_matrix, read_network

ONE, TWO = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])


# -- weight files --------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("w1", "w2", "b2"), ("weight1", "weight2", "bias2")])
def test_a_bias_does_not_change_the_order_of_layers(tmp_path, names):
    np.savez(tmp_path / "net.npz", **dict(zip(names, (ONE, TWO, np.ones(2)), strict=True)))
    net = read_network(tmp_path / "net.npz", ignore_bias=True)
    assert np.array_equal(net.layers[0], ONE) and np.array_equal(net.layers[1], TWO)


@pytest.mark.parametrize("names", [("w1", "W2"), ("weight1", "w2"), ("fc1.weight", "FC2.weight")])
def test_the_spelling_of_a_name_does_not_change_the_order_of_layers(tmp_path, names):
    np.savez(tmp_path / "net.npz", **dict(zip(names, (ONE, TWO), strict=True)))
    net = read_network(tmp_path / "net.npz")
    assert np.array_equal(net.layers[0], ONE) and "another" not in net.origin.ordered_by


@pytest.mark.parametrize("name", ["kernel", "dense_1/kernel", "params.Dense_0.kernel", "dense/kernel:0"])
def test_a_kernel_is_not_taken_as_it_stands(tmp_path, name):
    np.savez(tmp_path / "net.npz", **{name: ONE})
    with pytest.raises(InvalidInput, match="n_in, n_out"):
        read_network(tmp_path / "net.npz")


def test_where_batch_norm_is_taken_to_stand_is_said(tmp_path):
    np.savez(tmp_path / "net.npz", **{"fc1.weight": ONE, "bn1.running_mean": np.zeros(2),
                                      "bn1.running_var": np.ones(2)})
    origin = read_network(tmp_path / "net.npz", fold_batchnorm=True).origin
    assert "assumed, and that it stands right after array 'fc1.weight'" in origin.options["--fold-batchnorm"]


def test_another_order_in_an_npz_file_is_said(tmp_path):
    np.savez(tmp_path / "net.npz", input=ONE, hidden=TWO, output=ONE)
    assert "another" in read_network(tmp_path / "net.npz").origin.ordered_by


def test_a_matrix_with_batch_norm_is_no_matrix(tmp_path):
    np.savez(tmp_path / "A.npz", **{"fc1.weight": ONE, "bn1.running_mean": np.zeros(2),
                                    "bn1.running_var": np.full(2, 4.0)})
    with pytest.raises(InvalidInput, match="bn1"):
        read_matrix(tmp_path / "A.npz")




def torch_file(path, *metadata):
    """A state dict as torch.save writes it, with one tensor of `ONE` that has this metadata."""
    storage = np.ascontiguousarray(ONE, "<f8").tobytes()
    body = pickle.dumps({"w": None}, protocol=2)
    # the value of "w" by hand: _rebuild_tensor_v2(storage, 0, (2, 2), (2, 1), False, {}, *metadata)
    value = (b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nDoubleStorage\n"
             b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89}")
    value += b"".join(pickle.dumps(one, protocol=2)[2:-1] for one in metadata) + b"tR"
    at = body.index(b"Ns")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("net/data.pkl", body[:at] + value + body[at + 1:])
        archive.writestr("net/data/0", storage)
    path.write_bytes(stream.getvalue())


def test_a_tensor_with_the_negative_bit_is_not_read_as_it_is_stored(tmp_path):
    torch_file(tmp_path / "net.pt")
    assert np.array_equal(read_network(tmp_path / "net.pt").layers[0], ONE)
    torch_file(tmp_path / "net.pt", {"neg": True})
    with pytest.raises(InvalidInput, match="negative"):
        read_network(tmp_path / "net.pt")


# -- saved results -------------------------------------------------------------------------------


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
    edited(path, lower=0.0, witness=None, condition={**about, "shape": [200, 2]})
    assert recalled(condition, path).condition == condition.describe()


def test_only_a_bracket_of_zeros_is_shown_as_a_supremum_over_nothing():
    stop = Stop(Reason.EMPTY, "every output is dead")
    known = replace(wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()), stopped={"upper": stop})
    assert not Row(known).empty and "eps = 0" not in Row(known).to_text()


# -- sweeps --------------------------------------------------------------------------------------

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
