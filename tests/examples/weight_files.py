"""Weight files: where they lie, and what it means that one is refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from wdccheck.errors import InvalidInput
from wdccheck.weights.files import read_network

DATA = Path(__file__).parents[1] / "data" / "weights"
LARGE = 2**24  # bytes: a thousand times what any of these files holds


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(path, *fragments):
    """The file is refused in one line that names it and has all fragments."""
    with pytest.raises(InvalidInput) as caught:
        read_network(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600 + 2 * len(str(path))
    for fragment in (str(path), *fragments):
        assert fragment in message


def read_or_refused(path):
    """Finite layers or one line, and no more memory than that takes."""
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


def torch_bytes(data):
    """What torch.save writes for dictionaries, lists, text, numbers and tensors, these given as arrays."""
    blocks = []

    def pickled(value):
        if isinstance(value, dict):
            return b"}(" + b"".join(pickled(key) + pickled(one) for key, one in value.items()) + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(map(pickled, value)) + b"e"
        if isinstance(value, tuple):
            return b"(" + b"".join(map(pickled, value)) + b"t"
        if isinstance(value, str):
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        if isinstance(value, int):
            return b"J" + struct.pack("<i", value)
        if value is None:
            return b"N"
        array = np.ascontiguousarray(value, "<f4")
        blocks.append(array.tobytes())
        storage = ("storage", "FloatStorage", str(len(blocks) - 1), "cpu", array.size)
        named = pickled(storage).replace(pickled("FloatStorage"), b"ctorch\nFloatStorage\n")
        strides = tuple(stride // 4 for stride in array.strides)
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + named + b"Q" + pickled(0) + pickled(array.shape)
                + pickled(strides) + b"\x89}tR")

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + pickled(data) + b".")
        for number, block in enumerate(blocks):
            archive.writestr(f"net/data/{number}", block)
    return out.getvalue()


def state(*layers):
    """A state dict of layers "name n_out n_in" with biases, convolutions "name out in kh kw" without."""
    found, rng = {}, np.random.default_rng(0)
    for name, *shape in map(str.split, layers):
        found[f"{name}.weight"] = rng.standard_normal(tuple(map(int, shape))).astype("f4") / 4
        if len(shape) == 2:
            found[f"{name}.bias"] = rng.standard_normal(int(shape[0])).astype("f4")
    return found
