"""Whether the layers that were read compute what their network does: outputs are compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs
from wdccheck.weights.folding import Options
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Norm, Relabel, Step
from wdccheck.weights.readers.numpy_files import read_npy
from wdccheck.weights.readers.source import Bounded, one_line, regular_file

__all__ = ["TOLERANCE", "agrees_with_graph", "agrees_with_outputs", "last_activation"]

TOLERANCE = 1e-4
"""Largest difference of two outputs that are taken as equal, over the largest output: rounding of float32."""

_RANDOM = 4  # inputs at which a graph is evaluated
_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda value: np.maximum(value, 0.0),
    "tanh": np.tanh,
    "sigmoid": lambda value: np.exp(-np.logaddexp(0.0, -value)),
    "no activation": lambda value: value,
}


def agrees_with_outputs(chain: Chain, check: Any, options: Options) -> str:
    """What was compared, if the chain has outputs y at inputs x, before any option changes it.

    Parameters
    ----------
    chain : Chain
    check : pair of array_like or path-like
        x of shape (count, n_in) or (n_in,), and y of as many entries as outputs.
    options : Options
        With ``last_activation="ignore"``, y may be what the last layer gives without an activation, or
        with a ReLU, a sigmoid or tanh after it.

    Raises
    ------
    InvalidInput
        The outputs differ, or they cannot be compared.
    """
    x, y = _pair(check)
    first = next(step for step in chain.steps if isinstance(step, Dense))
    x = inputs.vectors("check: x", x, first.W.shape[1]).reshape(-1, first.W.shape[1])
    body, tail = _cut(chain.steps)
    before = _value(body, x)
    if np.size(y) != before.size:
        raise InvalidInput("check: y", f"{before.shape[1]} outputs for each of {len(x)} inputs x",
                           f"{np.size(y)} entries")
    y = inputs.vectors("check: y", np.ravel(y), before.size).reshape(before.shape)
    largest = float(np.abs(y).max(initial=0.0))
    if not largest:
        raise InvalidInput("check: y", "outputs that are not all 0", "zeros")
    own = _kind(tail)
    if own not in _FUNCTIONS and options.last_activation != "ignore":
        raise InvalidInput("check", f"a last activation among {', '.join(_FUNCTIONS)}", own)
    kinds = [kind for kind in dict.fromkeys([own, *_FUNCTIONS]) if kind in _FUNCTIONS]
    off = {kind: np.abs(_FUNCTIONS[kind](before) - y) for kind in kinds}
    best = min(off, key=lambda kind: float(off[kind].max()))
    kind = best if options.last_activation == "ignore" else own
    worst = float(off[kind].max())
    compared = f"{before.shape[1]} outputs at {len(x)} given x, before any option, with {kind} at the end"
    if worst <= TOLERANCE * largest:
        return f"G(x) = y to {worst / largest:.1e} of the largest: {compared}"
    row, column = np.unravel_index(int(off[kind].argmax()), before.shape)
    hint = (f"; with {best} at the end they agree (--last-activation ignore takes any)"
            if off[best].max() <= TOLERANCE * largest else "")
    raise InvalidInput(
        chain.source, f"G(x) = y to {TOLERANCE} of the largest output",
        f"a difference of {worst:.3g} where the largest is {largest:.3g}, at output {column + 1} of x number "
        f"{row + 1}; compared were {compared}{hint}")


def agrees_with_graph(chain: Chain) -> str:
    """What was compared, if the chain gives what its graph does at a few random inputs; else why nothing was.

    Raises
    ------
    InvalidInput
        The outputs differ.
    """
    if chain.evaluate is None:
        return ""
    first = next((step for step in chain.steps if isinstance(step, Dense)), None)
    steps, inner = chain.steps, not _known(chain.steps)
    if inner:  # compared where the last activation, which may be any, has not acted yet
        steps = steps[:chain.inner]
    if first is None or (inner and not steps) or not _known(steps):
        return "none: an activation is not known here"
    x = np.random.default_rng(0).standard_normal((_RANDOM, first.W.shape[1]))
    with np.errstate(all="ignore"):
        try:
            y = np.asarray(chain.evaluate(x, inner), np.float64)
        except Exception as error:  # the code of others, on a file that may hold anything
            reason = error.found if isinstance(error, InvalidInput) else one_line(error)
            return f"none: {reason}"
        ours = _value(steps, x)
    if not (np.isfinite(y).all() and np.isfinite(ours).all()):
        return "none: an overflow"
    largest = float(np.abs(y).max(initial=0.0))
    worst = float(np.abs(ours - y).max()) if ours.shape == y.shape else np.inf
    if not worst <= TOLERANCE * largest:
        raise InvalidInput(chain.source, "a graph that onnx evaluates to what was read here",
                           f"outputs that differ by {worst:.3g} where the largest is {largest:.3g}")
    where = ", up to the last matrix" if inner else ""
    return (f"these layers, before any option, give what onnx gives for the graph{where} at {_RANDOM} random "
            f"inputs, to {TOLERANCE} of the largest output")


def last_activation(steps: Sequence[Step], x: np.ndarray, y: np.ndarray) -> str | None:
    """What stands after these steps where outputs are y of shape (count, n_out) at inputs x; None: no such.

    Every output may be off by `TOLERANCE` of the largest at its input.
    """
    try:
        before = _value(steps, x)
    except ValueError:  # shapes that do not chain
        return None
    largest = np.abs(y).max(axis=1, keepdims=True, initial=0.0)
    room = TOLERANCE * np.maximum(largest, 1e-3 * largest.max(initial=0.0))
    if before.shape != y.shape or not largest.any():
        return None
    kinds = ("no activation", *_FUNCTIONS)
    return next((kind for kind in kinds if (np.abs(_FUNCTIONS[kind](before) - y) <= room).all()), None)


def _pair(check: Any) -> tuple[Any, Any]:
    try:
        x, y = check
    except (TypeError, ValueError):
        raise InvalidInput("check", "a pair of x and y", f"a {type(check).__name__}") from None
    return _array(x), _array(y)


def _array(value: Any) -> Any:
    """An array, read where it is a file."""
    if not isinstance(value, str | os.PathLike):
        return value
    path = regular_file(value, (".npy",))
    try:
        with Bounded(path) as stream:
            return read_npy(str(path), stream, path.stat().st_size).entries[""]()
    except OSError as error:
        raise InvalidInput(str(path), "a readable file", error.strerror or str(error)) from None


def _cut(steps: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """The steps up to the last layer or batch norm, and what follows."""
    last = max((i for i, step in enumerate(steps) if isinstance(step, Dense | Norm)), default=-1)
    return list(steps[:last + 1]), list(steps[last + 1:])


def _known(steps: Sequence[Step]) -> bool:
    """Whether every activation can be evaluated here."""
    return all(step.kind in _FUNCTIONS for step in steps if isinstance(step, Activation))


def _kind(tail: Sequence[Step]) -> str:
    kinds = [step.kind for step in tail if isinstance(step, Activation)]
    return " and ".join(dict.fromkeys(kinds)) or "no activation"


def _value(steps: Sequence[Step], x: np.ndarray) -> np.ndarray:
    """The value after these steps."""
    for step in steps:
        match step:
            case Dense():
                x = x @ step.W.T + (0.0 if step.b is None else step.b)
            case Norm():
                x = x * step.scale + step.shift
            case Activation():
                x = _FUNCTIONS[step.kind](x)
            case Relabel():
                pass
    return x
