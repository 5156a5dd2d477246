"""Weight files: where they lie, and what it means that one is refused."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from wdccheck.errors import InvalidInput
from wdccheck.weights.files import read_network

DATA = Path(__file__).parents[1] / "data" / "weights"
_STORAGES = {"|u1": "Byte", "<i8": "Long", "<f2": "Half", "<c8": "ComplexFloat", "|b1": "Bool"}
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


class Named:
    """An object of a checkpoint, pickled as the name of its class, arguments and attributes."""

    def __init__(self, name, *arguments, **attributes):
        self.name, self.arguments, self.attributes = name, arguments, attributes


def torch_bytes(data):
    """What torch.save writes for dictionaries, lists, text, numbers, objects and tensors, given as arrays.

    An OrderedDict is written with metadata, as ``state_dict()`` gives it.
    """
    blocks = []
    body = _pickled(data, blocks)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + body + b".")
        for number, block in enumerate(blocks):
            archive.writestr(f"net/data/{number}", block.tobytes())
    return out.getvalue()


def legacy_bytes(data):
    """What torch.save of PyTorch < 1.6 writes: five pickles and the blocks of numbers."""
    blocks = []
    body = _pickled(data, blocks, legacy=True)
    keys = [str(number) for number in range(len(blocks))]
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    out = b"".join(pickle.dumps(part, 2) for part in head) + b"\x80\x02" + body + b"."
    sized = [struct.pack("<q", block.size) + block.tobytes() for block in blocks]
    return out + pickle.dumps(keys, 2) + b"".join(sized)


def _pickled(value, blocks, legacy=False):
    def within(one):
        return _pickled(one, blocks, legacy)

    match value:
        case OrderedDict():
            items = b"".join(within(key) + within(one) for key, one in value.items())
            metadata = within({"_metadata": {"": {"version": 1}}})
            return b"ccollections\nOrderedDict\n)R(" + items + b"u" + metadata + b"b"
        case dict():
            return b"}(" + b"".join(within(key) + within(one) for key, one in value.items()) + b"u"
        case list():
            return b"](" + b"".join(map(within, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(within, value)) + b"t"
        case Named():
            module, _, name = value.name.rpartition(".")
            made = f"c{module}\n{name}\n".encode() + within(value.arguments) + b"R"
            return made + (within(value.attributes) + b"b" if value.attributes else b"")
        case None | bool() | int() | float() | str():
            return pickle.dumps(value, 2)[2:-1].replace(b"q\x00", b"")
    array = np.asarray(value)
    kind = _STORAGES.get(array.dtype.str, "Float")
    array = np.ascontiguousarray(array, "<f4" if kind == "Float" else array.dtype).reshape(array.shape)
    blocks.append(array)
    identity = b"(" + within("storage") + f"ctorch\n{kind}Storage\n".encode() + b"".join(map(within, (
        str(len(blocks) - 1), "cpu", array.size, *((None,) if legacy else ())))) + b"tQ"
    strides = tuple(stride // array.itemsize for stride in array.strides)
    hooks = b"ccollections\nOrderedDict\n)R"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + identity + within(0) + within(array.shape)
            + within(strides) + b"\x89" + hooks + b"tR")


def state(*layers):
    """A state dict of layers "name n_out n_in" with biases, convolutions "name out in kh kw" without."""
    found, rng = {}, np.random.default_rng(0)
    for name, *shape in map(str.split, layers):
        found[f"{name}.weight"] = rng.standard_normal(tuple(map(int, shape))).astype("f4") / 4
        if len(shape) == 2:
            found[f"{name}.bias"] = rng.standard_normal(int(shape[0])).astype("f4")
    return found
