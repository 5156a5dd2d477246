"""Tensors of PyTorch as a pickle names them: blocks of numbers and views of these, none read yet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.source import Room, decoded, shown
from wdccheck.weights.readers.unpickler import Global, Inert

__all__ = ["Storage", "Tensor", "reduced", "stored", "strided", "understood"]

_KINDS = {"Double": ("f8", 8), "Float": ("f4", 4), "Half": ("f2", 2), "BFloat16": ("bf16", 2),
          "Long": ("i8", 8), "Int": ("i4", 4), "Short": ("i2", 2), "Char": ("i1", 1), "Byte": ("u1", 1),
          "Bool": ("?", 1), "ComplexFloat": ("c8", 8), "ComplexDouble": ("c16", 16)}
_ODD = {"QInt8": ("quantized numbers (x.dequantize() makes them plain)", 1),
        "QUInt8": ("quantized numbers (x.dequantize() makes them plain)", 1),
        "QInt32": ("quantized numbers (x.dequantize() makes them plain)", 4)}
_ORDERED, _SIZE = "collections.OrderedDict", "torch.Size"
_STRIDED = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_WRAPPED = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_TYPED = "torch._tensor._rebuild_from_type_v2"
_TYPES = ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
_UNREAD = {
    "torch._utils._rebuild_tensor_v3": "of a type that NumPy does not have (x.float() makes it plain)",
    "torch._utils._rebuild_qtensor": "quantized (x.dequantize() makes it plain)",
    "torch._utils._rebuild_sparse_tensor": "sparse (x.to_dense() makes it plain)",
    "torch._utils._rebuild_sparse_csr_tensor": "sparse (x.to_dense() makes it plain)",
    "torch._utils._rebuild_nested_tensor": "nested (its parts are plain: x.unbind())",
    "torch._utils._rebuild_meta_tensor_no_storage": "without values, on the device 'meta'",
}
_UNTYPED = ("torch.UntypedStorage", "torch.storage.UntypedStorage")
_PLAIN = re.compile(  # what stands beside the weights in a checkpoint, and is neither read nor called
    r"torch\.(device|strided|preserve_format|contiguous_format|layout|dtype|bool|half|double|long|short"
    r"|b?float\d*|u?int\d*|q?u?int\d*|complex\d*)|torch\.serialization\._get_layout"
    r"|torch\.torch_version\.TorchVersion|torch\.nn\.modules\.(activation|loss)\.\w+|torch\.optim(\.\w+)+"
    r"|collections\.(deque|Counter)|numpy\.random(\.\w+)+"
    r"|argparse\.Namespace|types\.SimpleNamespace|pathlib(\._local)?\.\w*Path|datetime\.\w+|uuid\.UUID"
    r"|decimal\.Decimal|fractions\.Fraction|enum\.\w+|_codecs\.encode|re\._compile"
    r"|(__builtin__|builtins)\.(set|frozenset|slice|range|xrange|complex|bytearray|bytes|list|dict|int|float"
    r"|str|bool|tuple|object)"
    r"|numpy(\._?core)?\.(multiarray|numeric)\.(scalar|_reconstruct|_frombuffer)|numpy\.(ndarray|dtype)"
    r"|numpy\.(bool_?|u?int\d+|float\d+)|numpy\.dtypes\.\w+DType"
    r"|(pytorch_lightning|lightning|lightning_fabric|lightning_utilities)(\.\w+)*\.(AttributeDict|_FxValidator)"
    r"|omegaconf(\.\w+)+|easydict\.EasyDict|typing\.Any")


@dataclass(frozen=True)
class Storage:
    """One block of numbers of a file."""

    key: str
    code: str
    count: int

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return (_KINDS.get(self.code) or _ODD[self.code])[1]

    def decoded(self, data: bytes, order: str) -> np.ndarray:
        """The numbers that these bytes are."""
        return decoded(data, _KINDS[self.code][0], order)


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; bounds are checked when it is read. `unread`: why it cannot be."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    unread: str = ""

    def __repr__(self) -> str:
        return f"a tensor of shape {shown(self.shape)}"

    @property
    def may_be_a_matrix(self) -> bool:
        """Whether a layer could be meant by it."""
        return bool(self.unread) or len(self.shape) > 1


def understood(name: str) -> bool:
    """Whether a global of this name may occur in a file: what tensors and plain values are made of."""
    sort = name.removeprefix("torch.").removesuffix("Storage")
    return (name in (_ORDERED, _SIZE, "collections.defaultdict", _TYPED, *_STRIDED, *_WRAPPED, *_TYPES,
                     *_UNREAD, *_UNTYPED)
            or (name == f"torch.{sort}Storage" and (sort in _KINDS or sort in _ODD))
            or _PLAIN.fullmatch(name) is not None)


def reduced(name: str, arguments: tuple[Any, ...]) -> Any:
    """What a global applied to arguments stands for."""
    if name in (_ORDERED, "collections.defaultdict"):
        if name == _ORDERED and arguments:
            raise ValueError(f"{name} of unexpected arguments")
        return {}
    if name == _SIZE and len(arguments) == 1 and isinstance(arguments[0], tuple):
        return arguments[0]
    if name in _WRAPPED and arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if name == _TYPED and len(arguments) >= 3:
        function, sort, inner = arguments[:3]
        if (isinstance(function, Global) and isinstance(sort, Global) and sort.name in _TYPES
                and function.name in (*_STRIDED, *_UNREAD)):
            return reduced(function.name, inner)
    if name in _UNREAD:
        return Tensor(Storage("", "Float", 0), 0, (), (), _UNREAD[name])
    if name in _STRIDED and len(arguments) >= 4:
        return _view(name, arguments)
    if _PLAIN.fullmatch(name):
        return Inert(name)
    raise ValueError(f"{name} of unexpected arguments")


def _view(name: str, arguments: tuple[Any, ...]) -> Tensor:
    storage, offset, shape, strides = arguments[:4]
    numbers = [offset, *shape, *strides]
    if not (isinstance(storage, Storage) and len(shape) == len(strides) <= 8
            and all(type(n) is int and 0 <= n < 2**62 for n in numbers)):
        raise ValueError(f"{name} of unexpected arguments")
    changed = "with the negative or conjugate bit (x.resolve_neg().resolve_conj() makes it plain)"
    unread = changed if any(arguments[6:]) else ""  # requires_grad and hooks come before
    if storage.code in _ODD:
        unread = f"of {_ODD[storage.code][0]}"
    return Tensor(storage, offset, tuple(shape), tuple(strides), unread)


def stored(identity: Any) -> Storage:
    """The storage that a persistent id names; files of PyTorch before 1.6 have whose view it is, too."""
    word, sort, key, _, count, *view = identity
    if not (word == "storage" and isinstance(sort, Global) and isinstance(key, str) and type(count) is int
            and count >= 0 and view in ([], [None])):
        raise ValueError("a persistent id that names no storage")
    code = sort.name.removeprefix("torch.").removesuffix("Storage")
    if sort.name in _UNTYPED:
        code = "Byte"
    if code not in _KINDS and code not in _ODD:
        raise ValueError("a persistent id that names no storage")
    return Storage(key, code, count)


def strided(thing: str, tensor: Tensor, load: Callable[[Storage], np.ndarray], room: Room) -> np.ndarray:
    """The entries of a tensor, if they lie within its storage and there is room for them.

    Raises
    ------
    InvalidInput
        They do not, or there is none.
    """
    if tensor.unread:
        raise InvalidInput(thing, "a plain tensor", f"one {tensor.unread}")
    room.take(thing, tensor.shape, tensor.storage.itemsize)
    if math.prod(tensor.shape) > tensor.storage.count:
        raise InvalidInput(thing, f"at most the {shown(tensor.storage.count)} entries of its storage",
                           f"shape {shown(tensor.shape)} (x.clone() has entries of its own)")
    block = load(tensor.storage)
    steps = [(n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
    if 0 not in tensor.shape and tensor.offset + sum(steps) >= len(block):
        raise InvalidInput(thing, f"entries within the {len(block)} of its storage",
                           f"shape {shown(tensor.shape)}, strides {shown(tensor.strides)}, offset "
                           f"{shown(tensor.offset)}")
    if 0 in tensor.shape:
        return np.zeros(tensor.shape)
    strides = [stride * block.itemsize if n > 1 else 0
               for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
    view = np.lib.stride_tricks.as_strided(block[tensor.offset:], tensor.shape, strides, writeable=False)
    return view.copy()
