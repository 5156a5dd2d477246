"""Bias-free ReLU networks: G(x) = relu(W_d ... relu(W_1 x)), and Lambda_{j,x} on a cone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import hashes, inputs, matrices
from wdccheck.weights.origin import Origin
from wdccheck.weights.shapes import check_chain

if TYPE_CHECKING:
    from wdccheck.weights.folding import Options
    from wdccheck.weights.readers.chain import Chain

__all__ = ["ReLUNetwork"]


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
        values = _values(self.layers)
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
    def from_torch(
        cls, module: Any, *, ignore_bias: bool = False, fold_batchnorm: bool = False, lift_bias: bool = False,
        last_activation: str = "relu",
    ) -> ReLUNetwork:
        """The weights of a PyTorch module, or of anything built like one, as it acts at evaluation.

        A ``Sequential`` is followed by the names of the classes in it: ``Linear``, ``ReLU``,
        ``BatchNorm1d``; ``Identity``, ``Flatten`` and every ``Dropout`` pass. Another module, in
        evaluation mode, is called at random inputs: it is taken only if it gives what its ``Linear``
        layers in order, with a ReLU after each, give. PyTorch itself is not imported.

        Parameters
        ----------
        module : object
            A ``Sequential`` is an iterable of modules; a ``Linear`` has ``weight`` of shape
            (n_out, n_in) and ``bias``, which may be None. Parts of weight norm, spectral norm and
            pruning are put together.
        ignore_bias, fold_batchnorm, lift_bias, last_activation
            As for :func:`wdccheck.read_network`.

        Raises
        ------
        InvalidInput
            Something in it is not covered; the message names it and the argument that would treat it.

        Examples
        --------
        >>> class Linear:
        ...     weight, bias = [[1.0], [-1.0]], [0.5, 0.0]
        >>> class ReLU:
        ...     pass
        >>> class Sequential(list):
        ...     pass
        >>> net = ReLUNetwork.from_torch(Sequential([Linear(), ReLU()]), lift_bias=True)
        >>> net.layers[0], list(net.origin.options)
        (array([[ 1. ,  0.5],
               [-1. ,  0. ]]), ['--lift-bias'])
        """
        from wdccheck.weights.folding import Options
        from wdccheck.weights.modules import module_chain

        options = Options(ignore_bias, fold_batchnorm, lift_bias, last_activation)
        return cls._of_chain(module_chain(module), options, type(module).__name__)

    @classmethod
    def of(cls, value: Any) -> ReLUNetwork:
        """`value` as a network: one as it is, a module by :meth:`from_torch`, else its layers."""
        from wdccheck.weights.modules import is_module

        return value if isinstance(value, ReLUNetwork) else (
            cls.from_torch(value) if is_module(value) else cls(value))

    @classmethod
    def from_sklearn(
        cls, model: Any, *, layers: slice | None = None, ignore_bias: bool = False, lift_bias: bool = False,
        last_activation: str = "relu",
    ) -> ReLUNetwork:
        """The weights of an ``MLPRegressor`` or ``MLPClassifier`` of scikit-learn, which is not imported.

        Parameters
        ----------
        model : object
            A fitted model: ``coefs_`` of shapes (n_in, n_out), ``intercepts_``, ``activation`` "relu", and
            ``out_activation_``. Of a ``Pipeline`` its last step, after ``StandardScaler``, ``MinMaxScaler``
            or ``MaxAbsScaler``, whose scales and shifts become part of the first layer.
        layers : slice, optional
            Which layers are the network: ``slice(2, None)`` leaves out two of an encoder.
        ignore_bias, lift_bias, last_activation
            As for :func:`wdccheck.read_network`; the last layer of a regressor has no activation.

        Raises
        ------
        InvalidInput
            Something in it is not covered; the message names it and the argument that would treat it.

        Examples
        --------
        >>> class MLPRegressor:
        ...     coefs_, intercepts_ = [[[1.0, -1.0]], [[1.0], [2.0]]], [[0.5, 0.0], [0.0]]
        ...     activation, out_activation_ = "relu", "identity"
        >>> net = ReLUNetwork.from_sklearn(MLPRegressor(), lift_bias=True, last_activation="ignore")
        >>> net([[2.0, 1.0]])
        array([[2.5]])
        """
        from wdccheck.weights.folding import Options
        from wdccheck.weights.perceptrons import perceptron_chain

        chain = perceptron_chain(model, slice(None) if layers is None else layers)
        options = Options(ignore_bias, False, lift_bias, last_activation)
        return cls._of_chain(chain, options, type(model).__name__)

    @classmethod
    def _of_chain(cls, chain: Chain, options: Options, name: str) -> ReLUNetwork:
        """The bias-free layers of what was read from an object."""
        from wdccheck.weights.folding import bias_free

        layers, used, folded = bias_free(chain, options)
        check_chain([layer.W for layer in layers], [chain.thing(layer.label) for layer in layers])
        return cls(tuple(layer.W for layer in layers), Origin.of(chain, name, layers, used, folded))

    def _layer_number(self, value: int, first: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) \
                or not first <= value <= self.depth:
            raise InvalidInput("layer", f"an integer from {first} to {self.depth}", repr(value)[:60])
        return int(value)


def _values(layers: Any) -> tuple[Any, ...]:
    """Layers that were given as a sequence; modules and dictionaries are no such."""
    one_module = callable(getattr(layers, "named_modules", None))
    found = () if one_module or not isinstance(layers, Iterable) else tuple(layers)
    if one_module or any(hasattr(one, "weight") or type(one).__name__ == "ReLU" for one in found):
        raise InvalidInput("layers", "a sequence of weight matrices", "modules; ReLUNetwork.from_torch("
                           "model) takes a Sequential, [layer.weight, ...] the layers one by one")
    if isinstance(layers, Mapping):
        raise InvalidInput("layers", "a sequence of weight matrices", "a dictionary; its values in the order "
                           "of the layers are one: [state['0.weight'], ...]")
    if not isinstance(layers, Iterable) or isinstance(layers, str | bytes):
        raise InvalidInput("layers", "a sequence of weight matrices", type(layers).__name__)
    return found
