"""What a weight file holds: a chain of steps, each a dense layer, a normalization or an activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs

__all__ = ["Activation", "Chain", "Dense", "Norm", "Relabel", "Scale", "Step", "dense", "first_odd", "needs",
           "norm"]


@dataclass(frozen=True, eq=False)
class Dense:
    """x to W x + b: W of shape (n_out, n_in), b of shape (n_out,) or None; `label` names it in the file."""

    label: str
    W: np.ndarray
    b: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Norm:
    """x to scale * x + shift, both of shape (n,): batch norm; `assumed`: what the file does not say."""

    label: str
    scale: np.ndarray
    shift: np.ndarray
    assumed: str = ""


@dataclass(frozen=True, eq=False)
class Scale(Norm):
    """The same by constants of a graph, which become part of a layer without an option.

    `rounded` says whether they are not exactly those of the file.
    """

    rounded: bool = False


@dataclass(frozen=True)
class Activation:
    """A function of every entry: "relu", or one that the theory does not cover."""

    label: str
    kind: str


@dataclass(frozen=True)
class Relabel:
    """Another shape for the same entries; it is harmless after the last layer only."""

    label: str


Step = Dense | Norm | Activation | Relabel


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps of a network, first to last, of the file `source`, and what their order comes from.

    Attributes
    ----------
    source : str
    steps : tuple of Step
    ordered_by : str
    key : str
        Where in a checkpoint its arrays are.
    unused : tuple of str
        What else the file holds.
    transposed : bool
        Whether every array was transposed.
    evaluate : callable or None
        What the graph of the file gives for inputs of shape (count, n_in), by code of others, at its end
        (False) or right after the last matrix (True); None where the file has no graph.
    inner : int
        How many of the steps end right after the last matrix of the graph.
    folded : tuple of str
        What was computed, moved or passed over to get these steps.
    in_python : str
        The call that takes it, if it was given as an object: messages name arguments then, not options of
        the command line.
    checked : str
        What was evaluated already to see whether the chain is what it should be.
    """

    source: str
    steps: tuple[Step, ...]
    ordered_by: str
    key: str = ""
    unused: tuple[str, ...] = ()
    transposed: bool = False
    evaluate: Callable[[np.ndarray, bool], np.ndarray] | None = None
    inner: int = 0
    folded: tuple[str, ...] = ()
    in_python: str = ""
    checked: str = ""

    def thing(self, label: str) -> str:
        """What messages call a part of the file."""
        return f"{self.source}: {label}" if label else self.source


def first_odd(steps: Sequence[Step]) -> InvalidInput | None:
    """What is no ReLU between two matrices, or stands before the first; None where there is nothing of this.

    What stands after the last matrix is up to the options.

    Examples
    --------
    >>> import numpy as np
    >>> first_odd((dense("f", "layer 1", np.ones((1, 1))), dense("f", "layer 2", np.ones((1, 1))))).required
    'a ReLU after layer 1'
    """
    last = max((i for i, step in enumerate(steps) if isinstance(step, Dense)), default=-1)
    before, relu = "", False
    for step in steps[:last + 1]:
        match step:
            case Activation(kind="relu") if before:
                relu = True
            case Activation(kind=kind):
                return InvalidInput(step.label, f"a ReLU after {before}" if before else
                                    "a network that begins with a matrix", kind)
            case Dense() if before and not relu:
                return InvalidInput(step.label, f"a ReLU after {before}", "no activation")
            case Dense(label=label):
                before, relu = label, False
    return None


def needs(steps: Sequence[Step]) -> tuple[bool, bool, bool]:
    """Whether there are biases, batch norm, and something else than a ReLU after the last matrix.

    Examples
    --------
    >>> needs((dense("f", "layer 1", [[1.0]], [2.0]), Activation("", "tanh")))
    (True, False, True)
    """
    last = max((i for i, step in enumerate(steps) if isinstance(step, Dense)), default=-1)
    body = steps[:last + 2]
    biased = any(isinstance(step, Dense) and step.b is not None for step in body)
    shifted = any(isinstance(step, Norm) and step.shift.any() for step in body)
    normed = any(isinstance(step, Norm) and not isinstance(step, Scale) for step in body)
    end = {step.kind for step in steps[last + 1:] if isinstance(step, Activation)}
    return biased or shifted, normed, end != {"relu"}


def dense(source: str, label: str, W: Any, b: Any = None) -> Dense:
    """A dense layer of checked arrays; a bias of zeros counts as none. W may be complex, for `read_matrix`.

    Raises
    ------
    InvalidInput
        They are no finite arrays of matching shapes, or b is not real.
    """
    thing = f"{source}: {label}" if label else source
    matrix = inputs.matrix(thing, W)
    if b is None:
        return Dense(label, matrix)
    bias = inputs.vectors(f"{thing}, its bias", np.ravel(b), matrix.shape[0])
    return Dense(label, matrix, bias if bias.any() else None)


def norm(source: str, label: str, mean: Any, var: Any, gamma: Any, beta: Any, eps: float,
         assumed: str = "") -> Norm:
    """Batch norm at evaluation: gamma (x - mean) / sqrt(var + eps) + beta; gamma, beta may be None.

    Raises
    ------
    InvalidInput
        They are no finite real vectors of one length, or var + eps is not positive.
    """
    thing = f"{source}: {label}"
    width = int(np.size(mean))
    ones, zeros = np.ones(width), np.zeros(width)
    parts = [inputs.vectors(f"{thing}, its {name}", value, width) for name, value in
             (("mean", np.ravel(mean)), ("variance", var), ("scale", ones if gamma is None else gamma),
              ("shift", zeros if beta is None else beta))]
    if any(part.ndim != 1 for part in parts) or not width:
        raise InvalidInput(thing, "vectors of one length", f"shapes {[part.shape for part in parts]}"[:100])
    m, v, g, s = parts
    if not (np.isfinite(eps) and (v + eps > 0).all()):
        raise InvalidInput(thing, "variances with variance + epsilon > 0", f"{float(v.min())!r} + {eps!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        scale = g / np.sqrt(v + eps)
        shift = s - scale * m
    return Norm(label, inputs.vectors(thing, scale, width), inputs.vectors(thing, shift, width), assumed)
