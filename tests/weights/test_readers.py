"""PyTorch, safetensors and MATLAB files by hand: what is read, what is refused and why."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest

from examples.weight_files import put, read_or_refused, refused
from wdccheck.weights.files import read_network
from wdccheck.weights.readers import source

# ---- PyTorch


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def torch_file(pickled, members=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("net/data.pkl", pickled)
        for name, data in members:
            archive.writestr(f"net/{name}", data)
    return out.getvalue()


def tensor(shape, strides, offset=0, count=6, storage="FloatStorage", key="0"):
    """The pickle of {"w": a tensor}."""
    def integer(n):
        return b"\x8a\x09" + n.to_bytes(9, "little", signed=True)

    def numbers(values):
        return b"(" + b"".join(map(integer, values)) + b"t"

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    identity = (b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text(key) + text("cpu")
                + integer(count) + b"tQ")
    return (b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + identity + integer(offset)
            + numbers(shape) + numbers(strides) + b"\x89}tRs.")


SIX = np.arange(1, 7, dtype="<f4")


def test_a_tensor_by_hand(tmp_path):
    data = [("data/0", SIX.tobytes())]
    net = read_network(put(tmp_path, "net.pt", torch_file(tensor((2, 2), (1, 3), 1), data)))
    np.testing.assert_array_equal(net.layers[0], [[2, 5], [3, 6]])
    big = [("data/0", SIX.astype(">f4").tobytes()), ("byteorder", b"big")]
    net = read_network(put(tmp_path, "net.pt", torch_file(tensor((3, 2), (2, 1)), big)))
    np.testing.assert_array_equal(net.layers[0], SIX.reshape(3, 2))


@pytest.mark.parametrize(("pickled", "fragments"), [
    (tensor((2, 2), (3, 3)), ["within the 6 of its storage"]),
    (tensor((2, 2), (2, 1), 3), ["offset 3"]),
    (tensor((2, 2), (-1, 1)), ["well-formed"]),
    (tensor((2**31, 2**31), (0, 0)), ["arrays of at most"]),
    (tensor((2**61, 2**61), (2**61, 2**61)), ["arrays of at most"]),
    (tensor((2, 2), (2, 1), 2**61), ["within the 6"]),
    (tensor((2, 2), (2, 1, 1)), ["well-formed"]),
    (tensor((2, 3), (3, 1), count=7), ["28 bytes for 7 entries of Float", "24 bytes"]),
    (tensor((2, 3), (3, 1), storage="DoubleStorage"), ["48 bytes", "24 bytes"]),
    (tensor((2, 3), (3, 1), storage="QInt8Storage"), ["quantized numbers (x.dequantize()"]),
    (tensor((2, 3), (3, 1), key="../../etc/passwd"), ["of this name in the archive"]),
    (tensor((0, 3), (3, 1)), ["at least one entry"]),
    (pickle.dumps(Bomb(), 2), ["posix.abort", "not executed"]),
    (pickle.dumps({"state_dict": {}, "hooks": Bomb()}, 2), ["not executed"]),
    (pickle.dumps({"a": 1}, 2), ["a state dict", "'a'"]),
    (pickle.dumps(np.ones(3), 2), ["a state dict", "numpy"]),
    (pickle.dumps({(1, 2): 3}, 2), ["without tensors: '(1, 2)'"]),
    (b"\x80\x02}X\x01\0\0\0aK\x01sX\x01\0\0\0aK\x02s.", ["every name once"]),
    (b"\x80\x02}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.", ["every name once", "'a' twice"]),
    (b"\x80\x02]q\x00h\x00a.", ["a state dict", "list"]),
    (b"\x80\x02cbuiltins\neval\nX\x01\0\0\0x\x85R.", ["builtins.eval"]),
    (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", ["posix.system"]),
    (b"\x80\x02ctorch\nFloatStorage\n.", ["a state dict"]),
    (b"\x80\x02r\xff\xff\xff\xff.", ["well-formed"]),
    (b"\x80\x02X\xff\xff\xff\x7fabc.", ["well-formed"]),
    (b"(" * 5000 + b".", ["well-formed"]),
    (b"\x80\x02N" + b"\x86" * 10 + b".", ["well-formed"]),
])
def test_hostile_pickles(tmp_path, pickled, fragments):
    path = put(tmp_path, "net.pt", torch_file(pickled, [("data/0", SIX.tobytes())]))
    refused(path, *fragments)
    read_or_refused(path)


def test_a_pickle_that_grows_exponentially_is_refused_at_once(tmp_path):
    nested = b"\x80\x02K\x01q\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(200))
    refused(put(tmp_path, "net.pt", torch_file(nested + b".")))
    refused(put(tmp_path, "net.pt", torch_file(b"\x80\x02}X\x01\0\0\0a" + nested[2:] + b"s.")))


def test_a_long_name_that_many_keys_would_repeat_is_refused(tmp_path):
    long = b"X" + struct.pack("<I", 2**20) + b"n" * 2**20 + b"q\x00"
    inner = b"}K\x00" + tensor((2, 3), (3, 1))[3:-2].replace(b"X\x01\0\0\0w", b"") + b"s"
    body = b"\x80\x02]}" + long + inner + b"sa" + 200 * (b"}h\x00" + inner + b"sa")
    path = put(tmp_path, "net.pt", torch_file(body + b".", [("data/0", SIX.tobytes())]))
    refused(path, "names of at most 1000 characters")
    read_or_refused(path)


def test_checkpoints_that_hold_two_networks(tmp_path):
    one = tensor((2, 3), (3, 1))[2:-1]
    two = b"\x80\x02}X\x05\0\0\0model" + one + b"sX\x03\0\0\0net" + one + b"s."
    path = put(tmp_path, "net.pt", torch_file(two, [("data/0", SIX.tobytes())]))
    refused(path, "take one with --arrays 'model.w' (3-2) or --arrays 'net.w' (3-2)")
    assert read_network(path, key="model").dims == read_network(path, arrays="net.w").dims == (3, 2)


# ---- safetensors


def safetensors(header, data=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(3, 2), offsets=(0, 24)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(("data", "fragments"), [
    (struct.pack("<Q", 2**62) + b"{}", ["a header of 2 to"]),
    (safetensors(b"[]"), ["a header in JSON"]),
    (safetensors(b"{" + b'"a":{' * 30000), ["JSON"]),
    (safetensors(b'{"a": 1, "a": 2}'), ["every name once"]),
    (safetensors({"w": entry("F8_E4M3", offsets=(0, 6))}, b"123456"), ["'w'", "one of the dtypes"]),
    (safetensors({"w": entry("BOOL", offsets=(0, 6))}, b"123456"), ["one of the dtypes"]),
    (safetensors({"w": entry(shape=(3, 3))}, SIX.tobytes()), ["36 bytes for shape (3, 3)"]),
    (safetensors({"w": entry(shape=(2**40, 2**40))}, SIX.tobytes()), ["within the file"]),
    (safetensors({"w": entry(shape=(-3, -2))}, SIX.tobytes()), ["within the file"]),
    (safetensors({"w": entry(offsets=(0, 48))}, SIX.tobytes()), ["within the file"]),
    (safetensors({"w": entry(), "v": entry()}, SIX.tobytes()), ["side by side"]),
    (safetensors({"w": entry()}, SIX.tobytes() + b"x"), ["more bytes"]),
    (safetensors({"w": []}), ["dtype, shape and data_offsets"]),
    (safetensors({"w": entry()}, np.full(6, np.nan, "<f4").tobytes()), ["finite numbers", "nan"]),
    (safetensors({"w": entry()}, b"\x01\0\x80\x7f" * 6), ["finite numbers"]),  # signaling
    (safetensors({}), ["begins with a matrix", "nothing"]),
])
def test_hostile_safetensors(tmp_path, data, fragments):
    refused(put(tmp_path, "net.safetensors", data), *fragments)


# ---- MATLAB


def element(code, body):
    return struct.pack("<II", code, len(body)) + body + b"\0" * (-len(body) % 8)


def matrix(name=b"W", shape=(3, 2), sort=6, body=None, code=9, flags=0):
    body = np.arange(1.0, 7.0).tobytes() if body is None else body
    dims = np.array(shape, "<i4").tobytes()
    return element(14, element(6, struct.pack("<II", sort | flags, 0)) + element(5, dims) + element(1, name)
                   + element(code, body))


def mat(*elements):
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def compressed(data):
    packed = zlib.compress(data)
    return struct.pack("<II", 15, len(packed)) + packed


def test_mat_files_by_hand(tmp_path):
    wanted = np.arange(1.0, 7.0).reshape(3, 2, order="F")
    big = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + b"".join([
        struct.pack(">II", 14, 104), struct.pack(">IIII", 6, 8, 6, 0), struct.pack(">IIii", 5, 8, 3, 2),
        struct.pack(">II", 1, 1) + b"W".ljust(8, b"\0"),
        struct.pack(">II", 9, 48) + np.arange(1.0, 7.0).astype(">f8").tobytes()])
    small = matrix(body=bytes(range(1, 7)), code=2)  # doubles stored as bytes
    for data in (mat(matrix()), mat(compressed(matrix())), mat(small), big):
        np.testing.assert_array_equal(read_network(put(tmp_path, "W.mat", data)).layers[0], wanted)


@pytest.mark.parametrize(("data", "fragments"), [
    (mat(), ["at least one array"]),
    (mat(matrix(), matrix()), ["'W'", "one array of this name", "two"]),
    (mat(matrix(sort=5)), ["a sparse matrix"]),
    (mat(matrix(sort=1)), ["an element of type 9"]),
    (mat(matrix(flags=0x800)), ["complex"]),
    (mat(matrix(flags=0x200)), ["logical"]),
    (mat(matrix(shape=(3, 3))), ["72 bytes of data for shape (3, 3)"]),
    (mat(matrix(shape=(2**30, 2**30))), ["arrays of at most"]),
    (mat(matrix(shape=(-3, -2))), ["at least one entry"]),
    (mat(matrix(body=np.full(6, np.inf).tobytes())), ["finite"]),
    (mat(struct.pack("<II", 14, 2**31) + b"x"), ["an element of 2147483648 bytes"]),
    (mat(struct.pack("<II", 9, 0)), ["matrices only"]),
    (mat(compressed(struct.pack("<II", 14, 2**31))), ["claims 2147483648 bytes"]),
    (mat(compressed(matrix() + b"more")), ["a compressed element of 104 bytes"]),
    (mat(compressed(compressed(matrix()))), ["matrices only"]),
    (mat(struct.pack("<II", 15, 4) + b"abcd"), ["an undamaged compressed element"]),
    (b"GARBAGE".ljust(124) + b"\x00\x01IM" + matrix(), ["a .mat file of version 5", "GARBAGE"]),
    (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", ["-v7", "version 7.3"]),
])
def test_hostile_mat_files(tmp_path, data, fragments):
    refused(put(tmp_path, "net.mat", data), *fragments)


def test_bytes_that_would_be_eight_times_as_much_in_float64(tmp_path, monkeypatch):
    data = safetensors({"w": entry("U8", (8, 8), (0, 64))}, bytes(64))
    monkeypatch.setattr(source, "LIMIT", 200)
    refused(put(tmp_path, "net.safetensors", data), "arrays of at most 200 bytes together as float64")
