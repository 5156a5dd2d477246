"""Hostile and damaged weight files of every kind: read correctly, or refused in one line."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.weight_files import (
    DATA,
    Named,
    legacy_bytes,
    put,
    read_or_refused,
    refused,
    state,
    torch_bytes,
)
from wdccheck.errors import InvalidInput
from wdccheck.weights.files import SUFFIXES, read_matrix, read_network
from wdccheck.weights.readers import hdf5, source

FILES = {path.name: path.read_bytes() for path in sorted(DATA.iterdir()) if path.suffix in SUFFIXES}
MADE = {  # idioms of PyTorch that no file beside the tests has
    "made.pt": torch_bytes(OrderedDict({
        "0.weight_g": np.ones((4, 1)), "0.weight_v": np.ones((4, 2)), "0.bias": np.ones(4),
        "2.parametrizations.weight.original": np.ones((3, 4)), "2.parametrizations.weight.0._u": np.ones(3),
        "2.parametrizations.weight.0._v": np.ones(4)})),
    "made.ckpt": torch_bytes({"epoch": 3, "state_dict": OrderedDict(state("0 4 2")), "center": np.eye(2),
                              "args": Named("argparse.Namespace", lr=0.5, set=None)}),
    "list.bin": torch_bytes([np.ones((4, 2)), np.ones((3, 4))]),
    "made.pth.tar": legacy_bytes({"state_dict": OrderedDict(state("0 4 2", "2 3 4")), "lr": 0.5}),
}
FILES |= MADE
HDF5 = sorted(name for name in FILES if name.endswith((".h5", ".keras")))
OTHERS = sorted(set(FILES) - set(HDF5))


@st.composite
def damaged(draw, names):
    """A real file with bits flipped, bytes overwritten, cut out or repeated, or its end missing."""
    name = draw(st.sampled_from(names))
    data = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(("flip", "large", "splice", "cut")))
        if kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "large":
            data[at:at + 4] = draw(st.sampled_from((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x40")))
        elif kind == "splice":
            data[at:at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
        elif kind == "cut":
            del data[at:]
    return name, bytes(data)


@settings(max_examples=300, deadline=None)
@given(damaged(OTHERS))
def test_damaged_files_are_read_or_refused(tmp_path_factory, example):
    read_or_refused(put(tmp_path_factory.getbasetemp(), *example))


@settings(max_examples=8, deadline=None)
@given(damaged(HDF5))
def test_damaged_hdf5_is_read_or_refused(tmp_path_factory, example):
    whole = hdf5.SECONDS
    hdf5.SECONDS = 2
    try:
        read_or_refused(put(tmp_path_factory.getbasetemp(), *example))
    finally:
        hdf5.SECONDS = whole


@pytest.mark.parametrize("name", OTHERS)
def test_every_truncation_is_read_or_refused(tmp_path, name):
    data = FILES[name]
    for size in range(0, len(data), max(1, len(data) // 60)):
        read_or_refused(put(tmp_path, name, data[:size]))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("data", [b"", b"\0" * 300, b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80\x02.", b"{}",
                                  b"\xff" * 64])
def test_other_bytes_are_refused(tmp_path, suffix, data):
    refused(put(tmp_path, f"net{suffix}", data), "required, found")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_large_files_are_refused_unread(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(source, "LIMIT", 100)
    refused(put(tmp_path, f"net{suffix}", b"x" * 101), "at most 100 bytes required, found 101 bytes")


@pytest.mark.parametrize("name", [".pt", ".keras", ".npz"])
def test_zip_bombs(tmp_path, name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(30):
            archive.writestr(f"net/{i}.npy", bytes(10**6))
    data = out.getvalue()
    at = data.index(b"PK\x01\x02") + 24
    claimed = data[:at] + (2**31).to_bytes(4, "little") + data[at + 4:]
    refused(put(tmp_path, f"net{name}", claimed), "bytes together required")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(tmp_path / f"two{name}", "w") as archive:
            archive.writestr("net/data.pkl", b"")
            archive.writestr("net/data.pkl", b"")
    refused(tmp_path / f"two{name}", "of this name required, found two")


def test_hdf5_that_never_returns(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    refused(put(tmp_path, "net.h5", FILES["plain.h5"]), "one that h5py cannot read in 1 s")


ONE, TWO = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])


# -- names, batch norm, bits that change what is stored ---------------------------------


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


def test_names_of_several_kinds_say_no_order(tmp_path):
    np.savez(tmp_path / "net.npz", input=ONE, hidden=TWO, output=ONE)
    refused(tmp_path / "net.npz", "names of 3 kinds", "--arrays 'input,hidden,output' (2-2-2-2)")
    net = read_network(tmp_path / "net.npz", arrays="*")
    assert np.array_equal(net.layers[1], TWO)
    assert "within a pattern in the order of the file" in net.origin.ordered_by


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
