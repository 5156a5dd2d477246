"""Weight files to networks, or the reason why not. The files are untrusted: nothing is unpickled.

Every size is known, and small enough, before anything of that size is allocated.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.folding import Options, bias_free
from wdccheck.weights.network import ReLUNetwork, check_chain
from wdccheck.weights.origin import Origin
from wdccheck.weights.readers.chain import Chain, Dense, Norm
from wdccheck.weights.readers.keras import read_h5, read_keras
from wdccheck.weights.readers.matlab import read_mat
from wdccheck.weights.readers.names import named_chain
from wdccheck.weights.readers.numpy_files import read_npy, read_npz
from wdccheck.weights.readers.onnx_graph import read_onnx
from wdccheck.weights.readers.pytorch import read_torch
from wdccheck.weights.readers.safetensors import read_safetensors
from wdccheck.weights.readers.source import Bounded, regular_file

__all__ = ["SUFFIXES", "read_matrix", "read_network"]

Reader = Callable[[str, Bounded, int], Chain]


def _torch(source: str, stream: Bounded, size: int) -> Chain:
    return named_chain(source, read_torch(source, stream))


_READERS: dict[str, Reader] = {
    ".npy": lambda source, stream, size: named_chain(source, read_npy(source, stream, size)),
    ".npz": lambda source, stream, size: named_chain(source, read_npz(source, stream)),
    ".mat": lambda source, stream, size: named_chain(source, read_mat(source, stream, size)),
    ".safetensors": lambda source, stream, size: named_chain(source, read_safetensors(source, stream, size)),
    ".pt": _torch,
    ".pth": _torch,
    ".onnx": read_onnx,
    ".h5": read_h5,
    ".keras": lambda source, stream, size: read_keras(source, stream),
}
SUFFIXES = tuple(_READERS)
"""The files that can be read."""


def read_network(
    path: str | os.PathLike[str], *, ignore_bias: bool = False, fold_batchnorm: bool = False,
    lift_bias: bool = False, last_activation: str = "relu",
) -> ReLUNetwork:
    """Read the layers of a network; ``.origin`` says which they are and what was done to them.

    Parameters
    ----------
    path : path-like
        ``.npy`` (one layer), ``.npz``, ``.mat`` (version 5), ``.safetensors``, ``.pt`` or ``.pth`` (a state
        dict of PyTorch, or a checkpoint that holds one): arrays W_i of shape (n_i, n_{i-1}), layers in
        natural order of their names (W2 before W10), a ReLU after each assumed. ``.onnx``, ``.keras`` and
        ``.h5`` (whole models of Keras): layers and activations as the model has them.
    ignore_bias : bool
        Drop the biases: the network is another one.
    fold_batchnorm : bool
        Fold batch norm into the layer beside it, as it acts at evaluation.
    lift_bias : bool
        Make relu(Wx + b) a bias-free layer on (x, 1): one latent dimension more. The bounds are then over
        all directions (x, t), of which the network itself uses t = 1.
    last_activation : {"relu", "ignore"}
        "ignore": take a ReLU after the last layer, whatever the file has there.

    Raises
    ------
    InvalidInput
        The file is missing, malformed or too large, or something in it is not covered; the message
        names the file and the array, what is required and what was found.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "net.npz")
    >>> np.savez(path, W1=np.ones((4, 2)), b1=np.ones(4), W2=np.ones((3, 4)))
    >>> read_network(path, ignore_bias=True).dims
    (2, 4, 3)
    >>> read_network(path, lift_bias=True).dims
    (3, 5, 3)
    >>> read_network(path, lift_bias=True).origin.layers
    ("array 'W1' 5 x 3", "array 'W2' 3 x 5")
    """
    options = Options(ignore_bias, fold_batchnorm, lift_bias, last_activation)
    chain = _chain(path)
    layers, used = bias_free(chain, options)
    check_chain([layer.W for layer in layers], [chain.thing(layer.label) for layer in layers])
    order = tuple(f"{layer.label} {' x '.join(map(str, layer.W.shape))}".strip() for layer in layers)
    return ReLUNetwork(tuple(layer.W for layer in layers),
                       Origin(os.path.basename(chain.source), order, chain.ordered_by, used))


def read_matrix(path: str | os.PathLike[str], *, complex_too: bool = False) -> np.ndarray:
    """Read one matrix, read-only float64 of shape (n, k), from a file that holds no other.

    With `complex_too` a complex one is read as well, as complex128, from ``.npy`` or ``.npz``.

    Raises
    ------
    InvalidInput
        As for :func:`read_network`, or there are several arrays, a bias, or batch norm.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "A.npy")
    >>> np.save(path, np.eye(2, dtype=np.float32))
    >>> read_matrix(path).dtype
    dtype('float64')
    """
    chain = _chain(path, complex_too)
    found = [step for step in chain.steps if isinstance(step, Dense)]
    if len(found) != 1:
        raise InvalidInput(chain.source, "one array", f"{len(found)}")
    others = tuple(step for step in chain.steps if isinstance(step, Dense | Norm))
    bias_free(replace(chain, steps=others), Options(last_activation="ignore"))
    return found[0].W


def _chain(path: str | os.PathLike[str], complex_too: bool = False) -> Chain:
    """The chain that a file holds, of real matrices unless `complex_too`."""
    source = regular_file(path, SUFFIXES)
    try:
        with Bounded(source) as stream:
            chain = _READERS[source.suffix](str(source), stream, source.stat().st_size)
    except OSError as error:
        raise InvalidInput(str(source), "a readable file", error.strerror or str(error)) from None
    for step in chain.steps if not complex_too else ():
        if isinstance(step, Dense) and np.iscomplexobj(step.W):
            raise InvalidInput(chain.thing(step.label), "an array of real numbers", f"dtype {step.W.dtype}")
    return chain
