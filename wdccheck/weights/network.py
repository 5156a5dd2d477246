"""Bias-free ReLU networks: G(x) = relu(W_d ... relu(W_1 x)), and Lambda_{j,x} on a cone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import hashes, inputs, matrices
from wdccheck.weights.origin import Origin

__all__ = ["ReLUNetwork", "check_chain"]


@dataclass(frozen=True, eq=False, repr=False)
class ReLUNetwork:
    """G(x) = relu(W_d ... relu(W_1 x)), without biases, with a ReLU at the output.

    Parameters
    ----------
    layers : sequence of array_like
        The weights W_i of shape (n_i, n_{i-1}), first to last; n_0 = k. They are copied, as
        read-only float64.
    origin : Origin, optional
        The file that they were read from, and what was done to them; no part of the hash.

    Raises
    ------
    InvalidInput
        No layers, a layer that is no finite real matrix, or layers that do not chain.

    Examples
    --------
    >>> net = ReLUNetwork([[[1.0], [-1.0]], [[2.0, 3.0]]])
    >>> net.dims, net.depth
    ((1, 2, 1), 2)
    >>> net([[1.0], [-1.0]])
    array([[2.],
           [3.]])
    """

    layers: tuple[np.ndarray, ...]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Iterable) or isinstance(self.layers, str | bytes):
            raise InvalidInput("layers", "a sequence of weight matrices", type(self.layers).__name__)
        values = tuple(self.layers)
        names = [f"layer {i}" for i in range(1, len(values) + 1)]
        layers = tuple(map(matrices.dense, names, values))
        check_chain(layers, names)
        object.__setattr__(self, "layers", layers)

    def __repr__(self) -> str:
        return f"ReLUNetwork(dims={self.dims}, sha256={self.sha256[:8]})"

    def __reduce__(self) -> tuple[type[ReLUNetwork], tuple[tuple[np.ndarray, ...], Origin | None]]:
        return ReLUNetwork, (self.layers, self.origin)  # unpickled arrays would be writable

    @property
    def depth(self) -> int:
        """The number of layers, d."""
        return len(self.layers)

    @property
    def dims(self) -> tuple[int, ...]:
        """The latent dimension and the widths, (k, n_1, ..., n_d)."""
        return (self.layers[0].shape[1], *(W.shape[0] for W in self.layers))

    @cached_property
    def sha256(self) -> str:
        """The hash of the layers, in hexadecimal."""
        return hashes.hash_arrays(self.layers)

    def __call__(self, x: Any) -> np.ndarray:
        """G(x) of shape (..., n_d) for x of shape (..., k).

        Raises
        ------
        InvalidInput
            The last axis is not of length k, or an entry is not finite.
        """
        value = inputs.vectors("x", x, self.dims[0])
        for W in self.layers:
            value = np.maximum(value @ W.T, 0.0)
        return value

    def jacobian(self, x: Any, layer: int | None = None) -> np.ndarray:
        """Lambda_{j,x} of shape (..., n_j, k), with G_j(x) = Lambda_{j,x} x; x of shape (..., k).

        Parameters
        ----------
        x : array_like of shape (..., k)
            Latent codes.
        layer : int, optional
            j, from 0 (the identity) to d; d if omitted.

        Returns
        -------
        ndarray of shape (..., n_j, k)
            The product of diag(W_i G_{i-1}(x) > 0) W_i over i = j, ..., 1. The inequality is
            strict: a unit at zero is closed.

        Raises
        ------
        InvalidInput
            As for a call, or no such layer.

        Examples
        --------
        >>> net = ReLUNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]])
        >>> net.jacobian([2.0, -1.0])
        array([[1., 0.]])
        """
        value = inputs.vectors("x", x, self.dims[0])
        count = self.depth if layer is None else self._layer_number(layer, 0)
        matrix = np.broadcast_to(np.eye(self.dims[0]), (*value.shape, self.dims[0])).copy()
        for W in self.layers[:count]:
            value = value @ W.T
            matrix = (W @ matrix) * (value > 0)[..., None]
            value = np.maximum(value, 0.0)
        return matrix

    def truncate(self, layer: int) -> ReLUNetwork:
        """G_j, the network of the first j = `layer` layers, from 1 to d.

        Raises
        ------
        InvalidInput
            No such layer.

        Examples
        --------
        >>> ReLUNetwork([[[1.0], [2.0]], [[1.0, 1.0]]]).truncate(1).dims
        (1, 2)
        """
        part = object.__new__(ReLUNetwork)  # whose layers need no second look, and no copy
        vars(part).update(layers=self.layers[: self._layer_number(layer, 1)], origin=None)
        return part

    @classmethod
    def from_torch(cls, module: Any) -> ReLUNetwork:
        """The weights of a PyTorch module, or of anything built like one.

        The modules are recognized by the names of their classes: ``Sequential`` of ``Linear``
        without bias, each followed by ``ReLU``; ``Identity`` and whatever has ``Dropout`` in
        its name pass, since they do nothing at evaluation. PyTorch itself is not imported.

        Parameters
        ----------
        module : object
            A ``Sequential`` is an iterable of modules; a ``Linear`` has ``weight`` of shape
            (n_out, n_in) and ``bias``, which must be None.

        Raises
        ------
        InvalidInput
            A bias, another kind of module, or a Linear without a ReLU after it.

        Examples
        --------
        >>> class Linear:
        ...     weight, bias = [[1.0], [-1.0]], None
        >>> class ReLU:
        ...     pass
        >>> class Sequential(list):
        ...     pass
        >>> ReLUNetwork.from_torch(Sequential([Linear(), ReLU()])).dims
        (1, 2)
        """
        found: list[np.ndarray] = []
        open_linear = ""  # the path of a Linear that still awaits its ReLU
        for path, leaf in _leaves("module", module):
            kind = type(leaf).__name__
            if kind == "ReLU" and not found:
                raise InvalidInput(path, "a Linear before the first ReLU", "none")
            if kind == "Linear":
                if open_linear:
                    break
                found.append(_linear_weight(path, leaf))
            open_linear = "" if kind == "ReLU" else path if kind == "Linear" else open_linear
        if open_linear:
            raise InvalidInput(open_linear, "a ReLU after every Linear, the last one included", "none")
        return cls(tuple(found))

    def _layer_number(self, value: int, first: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) \
                or not first <= value <= self.depth:
            raise InvalidInput("layer", f"an integer from {first} to {self.depth}", repr(value)[:60])
        return int(value)


def check_chain(layers: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Refuse an empty sequence, and layers whose shapes (n_i, n_{i-1}) do not chain.

    Parameters
    ----------
    layers : sequence of ndarray of shape (n_i, n_{i-1})
    names : sequence of str
        What the layers are called in the message.

    Raises
    ------
    InvalidInput
        Names the first layer that does not fit, and says where a transpose would help.
    """
    if not layers:
        raise InvalidInput("layers", "at least one weight matrix", "none")
    shapes = [W.shape for W in layers]
    at = _first_break(shapes)
    if at is None:
        return
    flipped = [shape[::-1] for shape in shapes]
    single = [i for i in (at, at - 1)
              if _first_break([*shapes[:i], flipped[i], *shapes[i + 1:]]) is None]
    hint = "every layer" if _first_break(flipped) is None else names[single[0]] if single else ""
    raise InvalidInput(
        names[at], f"shape (n_out, {shapes[at - 1][0]}) to follow {names[at - 1]} of shape {shapes[at - 1]}",
        f"shape {shapes[at]}"
        + (f"; {hint}: shape (n_out, n_in) expected; did you mean W.T?" if hint else ""))


def _first_break(shapes: Sequence[tuple[int, ...]]) -> int | None:
    pairs = enumerate(pairwise(shapes), start=1)
    return next((i for i, (before, after) in pairs if after[1] != before[0]), None)


def _leaves(path: str, module: Any) -> Iterator[tuple[str, Any]]:
    kind = type(module).__name__
    if kind == "Sequential":
        for name, child in _children(path, module):
            yield from _leaves(f"{path}.{name}", child)
    elif kind in ("Linear", "ReLU"):
        yield path, module
    elif kind != "Identity" and "Dropout" not in kind:
        raise InvalidInput(path, "Sequential, Linear, ReLU, Identity or Dropout", kind)


def _children(path: str, module: Any) -> list[tuple[str, Any]]:
    # a Sequential yields a repeated module each time; named_modules lists it once
    if isinstance(module, Iterable):
        return [(str(i), child) for i, child in enumerate(module)]
    if not callable(getattr(module, "named_modules", None)):
        raise InvalidInput(path, "an iterable of modules, or named_modules()", "neither")
    return [(name, child) for name, child in module.named_modules() if name and "." not in name]


def _linear_weight(path: str, linear: Any) -> np.ndarray:
    if getattr(linear, "bias", None) is not None:
        raise InvalidInput(f"{path}.bias", "bias=False in every Linear", "a bias")
    weight = getattr(linear, "weight", None)
    for step in ("detach", "cpu"):  # a tensor that needs gradients or is on another device has no __array__
        weight = getattr(weight, step, lambda value=weight: value)()
    return inputs.weights(f"{path}.weight", weight)
