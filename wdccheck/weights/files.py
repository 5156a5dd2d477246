"""Weight files to networks, or the reason why not. The files are untrusted: nothing is unpickled.

Every size is known, and small enough, before anything of that size is allocated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.checkpoints import checkpoint_chain
from wdccheck.weights.content import content
from wdccheck.weights.folding import Options, bias_free
from wdccheck.weights.forward import agrees_with_graph, agrees_with_outputs
from wdccheck.weights.network import ReLUNetwork
from wdccheck.weights.origin import Origin
from wdccheck.weights.readers.chain import Chain, Dense, Norm
from wdccheck.weights.readers.keras.layers import read_h5, read_keras
from wdccheck.weights.readers.matlab import read_mat
from wdccheck.weights.readers.names import named_chain
from wdccheck.weights.readers.numpy_files import read_npy, read_npz
from wdccheck.weights.readers.onnx.graph import read_onnx
from wdccheck.weights.readers.pytorch import read_torch
from wdccheck.weights.readers.safetensors import read_safetensors
from wdccheck.weights.readers.selection import Arrays, Selection, listed
from wdccheck.weights.readers.source import Bounded, regular_file
from wdccheck.weights.shapes import check_chain

__all__ = ["SUFFIXES", "read_layer", "read_matrix", "read_network"]

Reader = Callable[[str, Bounded, int, Selection], Chain]


def _plain(read: Callable[[str, Bounded, int], Arrays]) -> Reader:
    """The reader of a file of arrays by name."""
    def chain(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
        choice.only(source, "arrays by name", "--arrays", "--transpose")
        return named_chain(read(source, stream, size), choice)

    return chain


def _torch(source: str, stream: Bounded, size: int, choice: Selection) -> Chain:
    choice.only(source, "a checkpoint", "--arrays", "--key", "--transpose")
    return checkpoint_chain(source, read_torch(source, stream, size), choice)


_READERS: dict[str, Reader] = {
    ".npy": _plain(read_npy),
    ".npz": _plain(read_npz),
    ".mat": _plain(read_mat),
    ".safetensors": _plain(read_safetensors),
    ".pt": _torch,
    ".pth": _torch,
    ".onnx": read_onnx,
    ".h5": read_h5,
    ".keras": read_keras,
}
SUFFIXES = tuple(_READERS)
"""The files that can be read; what one holds decides before its name."""


def read_network(
    path: str | os.PathLike[str], *, arrays: str | Iterable[str] | None = None, key: str | None = None,
    from_: str | None = None, to: str | None = None, transpose: bool = False, check: Any = None,
    ignore_bias: bool = False, fold_batchnorm: bool = False, lift_bias: bool = False,
    last_activation: str = "relu",
) -> ReLUNetwork:
    """Read the layers of a network; ``.origin`` says which they are and what was done to them.

    Nothing is guessed: a file that may hold more than one network, or has its layers in another order than
    their names say, is refused with the `arrays` that choose.

    Parameters
    ----------
    path : path-like
        ``.npy`` (one layer), ``.npz``, ``.mat`` (version 5), ``.safetensors``, ``.pt`` (what torch.save
        writes: a state dict, a checkpoint that holds one, tensors): arrays W_i of shape (n_i, n_{i-1}),
        layers in natural order of names (W2 before W10), a ReLU after each assumed. ``.onnx``, ``.keras`` and
        ``.h5`` (whole models of Keras): layers and activations as the model has them. What the file holds
        decides, not its name.
    arrays : str or iterable of str, optional
        Arrays of the file that are the layers, in the order given: names, or patterns like ``'decoder.*'``,
        which stand for what they match in the order of the file (of ``.mat`` and ``.safetensors``, whose
        writers sort names: in natural order). Biases and batch norm of these layers come along.
    key : str, optional
        The dictionary of a checkpoint of PyTorch that holds the arrays: ``'a.b'`` is b within a.
    from_, to : str, optional
        Where in a graph the network begins and ends: values or nodes of ``.onnx``, layers of Keras.
    transpose : bool
        The file stores matrices as (n_in, n_out): each is transposed.
    check : pair of array_like or path-like, optional
        Inputs x of shape (count, n_in) and outputs y, arrays or ``.npy`` files: refuse the file unless the
        network in it, before any of the options below, has G(x) = y up to 1e-4 of the largest output.
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
    >>> read_network(path, arrays="W2").origin.unused
    ("'W1'", "'b1'")
    """
    options = Options(ignore_bias, fold_batchnorm, lift_bias, last_activation)
    choice = Selection.of(arrays, key, from_, to, transpose)
    chain = _chain(path, replace(choice, treated=options.given))
    layers, used, folded = bias_free(chain, options)
    check_chain([layer.W for layer in layers], [chain.thing(layer.label) for layer in layers])
    checked = [agrees_with_graph(chain), "" if check is None else agrees_with_outputs(chain, check, options)]
    return _network(chain, layers, used, "; ".join(filter(None, checked)), folded)


def read_layer(
    path: str | os.PathLike[str], *, arrays: str | Iterable[str], key: str | None = None,
    transpose: bool = False,
) -> ReLUNetwork:
    """Read one matrix by its name, whatever else the file holds, as a network of one layer.

    Parameters
    ----------
    path, arrays, key, transpose
        As for :func:`read_network`; `arrays` has to choose one matrix. Its bias, batch norm and whatever
        else stands in the file is left alone.

    Raises
    ------
    InvalidInput
        As for :func:`read_network`, or `arrays` choose several matrices.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "net.npz")
    >>> np.savez(path, W1=np.ones((4, 2)), b1=np.ones(4), K=np.ones((3, 4, 5, 5)))
    >>> read_layer(path, arrays="W1").origin.unused
    ("'b1'", "'K'")
    """
    chain = _chain(path, Selection.of(arrays, key, None, None, transpose, alone=True))
    return _network(chain, [_only(chain, "one matrix by --arrays, or --layer of a chain")], {})


def _network(chain: Chain, layers: list[Dense], used: dict[str, str], checked: str = "",
             folded: tuple[str, ...] = ()) -> ReLUNetwork:
    return ReLUNetwork(tuple(layer.W for layer in layers),
                       Origin.of(chain, os.path.basename(chain.source), layers, used, folded, checked))


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
    chain = _chain(path, Selection(alone=True), complex_too)
    matrix = _only(chain)
    others = tuple(step for step in chain.steps if isinstance(step, Dense | Norm))
    bias_free(replace(chain, steps=others), Options(last_activation="ignore"))
    return matrix.W


def _only(chain: Chain, required: str = "one array") -> Dense:
    found = [step for step in chain.steps if isinstance(step, Dense)]
    if len(found) != 1:
        names = f": {listed(step.label for step in found)}" if found else ""
        raise InvalidInput(chain.source, required, f"{len(found)}{names}")
    return found[0]


def _chain(path: str | os.PathLike[str], choice: Selection, complex_too: bool = False) -> Chain:
    """The chain that a file holds, of real matrices unless `complex_too`."""
    source = regular_file(path)
    try:
        with Bounded(source) as stream:
            size = source.stat().st_size
            read = _READERS[content(str(source), source.suffix, stream, size, SUFFIXES)]
            chain = read(str(source), stream, size, choice)
    except OSError as error:
        raise InvalidInput(str(source), "a readable file", error.strerror or str(error)) from None
    for step in chain.steps if not complex_too else ():
        if isinstance(step, Dense) and np.iscomplexobj(step.W):
            raise InvalidInput(chain.thing(step.label), "an array of real numbers", f"dtype {step.W.dtype}")
    return chain
