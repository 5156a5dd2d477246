"""Hostile and damaged weight files of every kind: read correctly, or refused in one line."""

from __future__ import annotations

import io
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wdccheck.errors import InvalidInput
from wdccheck.weights.files import SUFFIXES, read_network
from wdccheck.weights.readers import hdf5, source

DATA = Path(__file__).parent / "data" / "weights"
FILES = {path.name: path.read_bytes() for path in sorted(DATA.iterdir()) if path.suffix in SUFFIXES}
HDF5 = sorted(name for name in FILES if name.endswith((".h5", ".keras")))
OTHERS = sorted(set(FILES) - set(HDF5))
LARGE = 2**24  # bytes: a thousand times what any of these files holds


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(path, *fragments):
    with pytest.raises(InvalidInput) as caught:
        read_network(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600 + 2 * len(str(path))
    for fragment in (str(path), *fragments):
        assert fragment in message


def read_or_refused(path):
    tracemalloc.start()
    try:
        net = read_network(path, lift_bias=True, fold_batchnorm=True, last_activation="ignore")
    except InvalidInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert all(np.isfinite(W).all() for W in net.layers)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < LARGE


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
