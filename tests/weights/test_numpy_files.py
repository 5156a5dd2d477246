"""npy and npz files: read, refused, hostile."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from examples.weight_files import put, refused
from wdccheck import InvalidInput
from wdccheck.weights.files import read_matrix, read_network
from wdccheck.weights.readers import source

W1, W2 = np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(4, 3)


def npy_bytes(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version)
    return stream.getvalue()


def npz_bytes(members, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def header(text):
    text = text.encode("latin1").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_in_natural_order(tmp_path, save):
    layers = {f"W{i}": np.full((i + 1, i), float(i)) for i in range(1, 12)}
    save(tmp_path / "net.npz", **layers)
    net = read_network(tmp_path / "net.npz")
    assert net.dims == tuple(range(1, 13))
    for found, wanted in zip(net.layers, layers.values(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_npy_is_one_layer_and_one_matrix(tmp_path):
    np.save(tmp_path / "W.npy", W1)
    np.savez(tmp_path / "A.npz", A=W1)
    assert read_network(str(tmp_path / "W.npy")).dims == (2, 3)
    for name in ("W.npy", "A.npz"):
        matrix = read_matrix(tmp_path / name)
        np.testing.assert_array_equal(matrix, W1)
        assert not matrix.flags.writeable
    np.savez(tmp_path / "net.npz", W1=W1, W2=W2)
    with pytest.raises(InvalidInput, match=r"one array required, found 2"):
        read_matrix(tmp_path / "net.npz")


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "i1", "u2", ">i4", "<i8", "<u8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_dtypes_orders_versions(tmp_path, dtype, order, version):
    path = put(tmp_path, "W.npy", npy_bytes(np.array(W1, dtype, order=order), version))
    np.testing.assert_array_equal(read_matrix(path), W1)


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_large_matrices(tmp_path, save):
    W = np.random.default_rng(0).standard_normal((700, 300))  # more than one read of any buffer
    path = tmp_path / ("W.npy" if save is np.save else "W.npz")
    save(path, W)
    np.testing.assert_array_equal(read_matrix(path), W)


def test_zero_rows_are_legal_however_well_they_compress(tmp_path):
    np.savez_compressed(tmp_path / "zeros.npz", W=np.zeros((1000, 300)))
    assert not read_matrix(tmp_path / "zeros.npz").any()


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.ones((2, 2), complex), "dtype complex128"),
        (np.array([["a"]]), "dtype str"),
        (np.array([[b"a"]]), "dtype bytes"),
        (np.ones((2, 2), bool), "dtype bool"),
        (np.zeros((2, 2), [("x", "f8")]), "dtype void"),
        (np.zeros((1, 1), "M8[s]"), "dtype datetime64"),
        (np.array([[2**53 + 1]]), "integers of magnitude at most 2**53 required"),
        (np.array([[np.nan]]), "finite numbers required"),
        (np.array([[np.inf]]), "finite numbers required"),
        (np.ones(3), "shape (3,)"),
        (np.ones((0, 3)), "shape (0, 3)"),
        (np.ones((1, 1, 1)), "shape (1, 1, 1)"),
        (np.float64(1), "shape ()"),
    ],
)
def test_refused_arrays_are_named(tmp_path, array, found):
    refused(put(tmp_path, "W.npy", npy_bytes(array)), found)
    refused(put(tmp_path, "net.npz", npz_bytes([("V.npy", npy_bytes(array))])), "array 'V'", found)


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def test_nothing_is_unpickled(tmp_path):
    for protocol in (2, 5):
        data = pickle.dumps(Bomb(), protocol=protocol)
        refused(put(tmp_path, "net.npz", data), "a zip archive of .npy arrays required", "a pickle")
        refused(put(tmp_path, "W.npy", data), "an array in .npy format required", "a pickle")
    data = npy_bytes(np.array([[Bomb()]], dtype=object))
    refused(put(tmp_path, "W.npy", data), "dtype object")
    refused(put(tmp_path, "net.npz", npz_bytes([("W.npy", data)])), "array 'W'", "dtype object")
    refused(put(tmp_path, "net.npz", npz_bytes([("archive/data.pkl", data)])), "well-formed pickle")


def test_files_that_are_none(tmp_path):
    refused(tmp_path / "absent.npz", "No such file")
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz", "a regular file required, found a directory")
    refused(put(tmp_path, "empty.npz", b""), "an empty file")
    refused(put(tmp_path, "empty.npy", b""), "an empty file")
    refused(put(tmp_path, "net.txt", b""), "*.npy, *.npz", "*.keras) required", "an empty file")
    refused(put(tmp_path, "net.npy", npz_bytes([])), "1 to 1024 members required, found none")
    refused(put(tmp_path, "none.npz", npz_bytes([])), "1 to 1024 arrays required, found none")
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "a regular file")
    for path in (3, "nul\0.npz", None):
        with pytest.raises(InvalidInput, match="a readable file"):
            read_network(path)


def test_truncated_and_damaged(tmp_path):
    whole = npy_bytes(W1)
    for size in (4, 7, 9, 60, len(whole) - 1):
        refused(put(tmp_path, "W.npy", whole[:size]))
    refused(put(tmp_path, "W.npy", whole[:-8]), "48 bytes of data", "40 bytes")
    refused(put(tmp_path, "W.npy", whole + b"\0"), "48 bytes of data", "49 bytes")
    whole = npz_bytes([("W.npy", whole)])
    for size in range(2, len(whole), 7):
        refused(put(tmp_path, "net.npz", whole[:size]))
    at = whole.index(W1.tobytes()) + 9
    refused(put(tmp_path, "net.npz", whole[:at] + b"?" + whole[at + 1:]), "array 'W'", "CRC")


def test_layers_that_do_not_chain(tmp_path):
    np.savez(tmp_path / "net.npz", A=W1, B=W2.T)
    refused(tmp_path / "net.npz", "array 'B'", "(n_out, 3)", "found shape (3, 4)", "did you mean W.T?")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_no_network(tmp_path):
    array = npy_bytes(W1)
    refused(put(tmp_path, "net.npz", npz_bytes([("W.npy", array)] * 2)), "array 'W'", "found two")
    refused(put(tmp_path, "net.npz", npz_bytes([("W.npy", array)], zipfile.ZIP_LZMA)), "another compression")
    refused(put(tmp_path, "net.npz", npz_bytes([(f"W{i}.npy", b"") for i in range(1025)])), "found 1025")
    crowd = npz_bytes([(f"{i}".rjust(200, "W") + ".npy", b"") for i in range(1500)])
    refused(put(tmp_path, "net.npz", crowd), "a complete zip archive")  # its directory is not even read


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 10000), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 3), }",
        "{'descr': ('<f8', (3,)), 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f0', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f8', 'shape': (3, 2), }",
        "{'descr': 3, 'fortran_order': False, 'shape': (3, 2), }",
        "(" * 110,
        "-" * 110,
        "'\\d'",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': 3L, }",
        "9" * 110,
    ],
)
def test_hostile_headers(tmp_path, text):
    data = header(text) + W1.tobytes()
    refused(put(tmp_path, "W.npy", data))
    refused(put(tmp_path, "net.npz", npz_bytes([("W.npy", data)])), "array 'W'")


def test_a_long_header_is_not_read(tmp_path):
    refused(put(tmp_path, "W.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"(" * 10**6), "a header")


def claim_size(data, size):
    """`data`, a zip of one member, with another uncompressed size in both of its headers."""
    old = (len(npy_bytes(W1))).to_bytes(4, "little")
    at = data.rindex(b"PK\x01\x02")
    assert data[at + 24:at + 28] == old and data[22:26] == old
    new = size.to_bytes(4, "little")
    return data[:22] + new + data[26:at + 24] + new + data[at + 28:]


def test_claimed_sizes(tmp_path, monkeypatch):
    data = npz_bytes([("W.npy", npy_bytes(W1))], zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(read_matrix(put(tmp_path, "net.npz", claim_size(data, 176))), W1)
    refused(put(tmp_path, "net.npz", claim_size(data, 2**31)), "arrays of at most 1073741824 bytes")
    refused(put(tmp_path, "net.npz", claim_size(data, 2**29)), "a size that its compressed bytes can hold")
    refused(put(tmp_path, "net.npz", claim_size(data, 177)), "48 bytes of data")
    monkeypatch.setattr(source, "LIMIT", 1000)
    refused(put(tmp_path, "W.npy", npy_bytes(np.ones((200, 1), "u1"))), "at most 1000 bytes", "(200, 1)")
    two = npz_bytes([(f"{i}.npy", npy_bytes(np.ones((100, 1), "u1"))) for i in range(2)])
    refused(put(tmp_path, "net.npz", two), "array '1'", "together")
    refused(put(tmp_path, "W.npy", npy_bytes(np.ones((200, 1)))), "at most 1000 bytes", "1728 bytes")


VALID = {
    "net.npz": npz_bytes([("W1.npy", npy_bytes(W1)), ("W2.npy", npy_bytes(W2))], zipfile.ZIP_DEFLATED),
    "raw.npz": npz_bytes([("W1.npy", npy_bytes(W1)), ("W2.npy", npy_bytes(W2.astype(">f4")))]),
    "W.npy": npy_bytes(W1),
}


@st.composite
def damaged(draw):
    """A valid file with bytes overwritten, cut out and repeated."""
    name = draw(st.sampled_from(sorted(VALID)))
    data = bytearray(VALID[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        until = at + draw(st.integers(0, 6))
        data[at:until] = draw(st.binary(max_size=6) | st.just(bytes(data[at:until]) * 2))
    return name, bytes(data)


@settings(max_examples=400, deadline=None)
@given(damaged() | st.tuples(st.sampled_from(sorted(VALID)), st.binary(max_size=300)))
def test_any_bytes_are_read_or_refused(tmp_path_factory, example):
    name, data = example
    path = put(tmp_path_factory.getbasetemp(), name, data)
    try:
        net = read_network(path)
    except InvalidInput as error:
        assert str(path) in str(error)
    else:
        assert all(np.isfinite(W).all() for W in net.layers)


def test_a_sparse_npz_is_named_for_what_it_is(tmp_path):
    path = tmp_path / "thin.npz"
    sparse.save_npz(path, sparse.eye_array(5, format="csr"))
    refused(path, "dense arrays", "scipy.sparse.load_npz")
