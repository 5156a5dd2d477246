"""Files of some kilobytes that claim, or inflate to, much more: sized before anything is inflated."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from examples.weight_files import legacy_bytes, put, refused, state, torch_bytes

MUCH = 2**25  # bytes of zeros, which deflate to a thousandth
FEW = 2**22  # bytes that a refusal may take


def element(code, body):
    return struct.pack("<II", code, len(body)) + body + b"\0" * (-len(body) % 8)


def mat(inflated):
    packed = zlib.compress(inflated)
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed


def matrix(shape, data):
    return element(14, element(6, struct.pack("<II", 6, 0)) + element(5, np.array(shape, "<i4").tobytes())
                   + element(1, b"W") + data)


def with_members(base, members):
    """The zip archive with these members in place of its own, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        kept = [(name, old.read(name)) for name in old.namelist() if name not in members]
        for name, data in [*kept, *members.items()]:
            new.writestr(name, data)
    return out.getvalue()


def keras(config):
    with zipfile.ZipFile(out := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"")
    return out.getvalue()


TORCH = torch_bytes(state("0 3 2"))
SIX = struct.pack("<q", 6)
LEGACY = legacy_bytes(state("0 3 2"))


def repeated():
    """The matrix as 4096 x 4096 views of its first entry."""
    with zipfile.ZipFile(io.BytesIO(TORCH)) as archive:
        pickled = archive.read("net/data.pkl")
    views = pickled.replace(b"(K\x03K\x02t(K\x02K\x01t", b"(M\x00\x10M\x00\x10t(K\x00K\x00t")
    return with_members(TORCH, {"net/data.pkl": views})


HOSTILE = {  # what makes the file, in the test that needs it
    "empty elements.mat": (lambda: mat(struct.pack("<II", 14, MUCH) + bytes(MUCH)),
                           "flags, dimensions and a name"),
    "long.mat": (lambda: mat(matrix((2, 2), element(9, bytes(MUCH)))),
                 "at most 32 bytes of data for shape (2, 2)"),
    "many parts.mat": (lambda: mat(matrix((2, 2), bytes(2048))), "dimensions and one block of numbers"),
    "storage.pt": (lambda: with_members(TORCH, {"net/data/0": bytes(MUCH)}), f"{MUCH} bytes"),
    "pickle.pt": (lambda: with_members(TORCH, {"net/data.pkl": bytes(MUCH)}), "at most 16777216 bytes"),
    "order.pt": (lambda: with_members(TORCH, {"net/byteorder": bytes(MUCH)}), "at most 16 bytes"),
    "repeated.pt": (repeated, "at most the 6 entries of its storage"),
    "claims.ckpt": (lambda: LEGACY.replace(SIX, struct.pack("<q", 2**50)), "the storages that its tensors"),
    "longer.ckpt": (lambda: LEGACY + bytes(9), "bytes for its 2 storages"),
    "config.keras": (lambda: keras(b"{" + b" " * MUCH + b"}"), "at most 4194304 bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_claims_more_than_its_arrays_take_is_refused_before_it_is_inflated(tmp_path, name):
    made, fragment = HOSTILE[name]
    path = put(tmp_path, name, made())
    tracemalloc.start()
    try:
        refused(path, fragment)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < FEW


def test_a_shape_that_no_file_can_hold_is_refused(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 0]}}).encode()
    refused(put(tmp_path, "w.safetensors", struct.pack("<Q", len(header)) + header), "shape")
    onnx = pytest.importorskip("onnx")
    huge = onnx.TensorProto(name="W", data_type=1, dims=[2**40, 2**20])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "W"], ["y"])], "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 2])],
        [onnx.helper.make_tensor_value_info("y", 1, None)], [huge])
    model = onnx.helper.make_model(graph).SerializeToString()
    refused(put(tmp_path, "w.onnx", model), "arrays of at most", f"({2**40}, {2**20})")


def test_a_compressed_dataset_that_is_too_large_is_not_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Dense", "config": {"name": "d", "units": 2**20, "activation": "relu",
                                           "use_bias": False, "batch_input_shape": [None, 2**20]}}]}}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights/d")
        group.attrs["weight_names"] = [b"kernel:0"]
        group.create_dataset("kernel:0", shape=(2**20, 2**20), dtype="f8", chunks=(64, 64),
                             compression="gzip")
    refused(tmp_path / "w.h5", f"({2**20}, {2**20})", "too large")
