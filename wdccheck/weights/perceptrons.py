"""Multilayer perceptrons of scikit-learn, or objects built like them, as a chain; it is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs
from wdccheck.weights.readers.chain import Activation, Chain, Scale, Step, dense
from wdccheck.weights.readers.source import shown

__all__ = ["perceptron_chain"]

_SOURCE = "model"
_NAMES = {"identity": "", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax"}
_WAY = "ReLUNetwork([W.T for W in model.coefs_]) takes the matrices alone"


def perceptron_chain(model: Any, layers: slice) -> Chain:
    """The chain of a fitted perceptron, or of a pipeline that ends with one.

    Raises
    ------
    InvalidInput
        It is none, or not fitted, or something before it is no scale.
    """
    steps: list[Step] = []
    named = getattr(model, "steps", None)
    if isinstance(named, Sequence) and not hasattr(model, "coefs_"):
        *before, (_, model) = named or [("", None)]
        for name, one in before:
            steps += _scale(str(name), one)
    kind = type(model).__name__
    coefs, shifts = (getattr(model, name, None) for name in ("coefs_", "intercepts_"))
    if not isinstance(coefs, Sequence) or not isinstance(shifts, Sequence) or len(coefs) != len(shifts):
        raise InvalidInput(_SOURCE, "a fitted MLPRegressor or MLPClassifier, or a Pipeline that ends with "
                           "one (model.fit first)", f"{kind} without coefs_ and intercepts_; {_WAY}")
    hidden, last = (str(getattr(model, name, "")) for name in ("activation", "out_activation_"))
    if hidden not in _NAMES or last not in _NAMES:
        raise InvalidInput(_SOURCE, f"activation and out_activation_ among {', '.join(_NAMES)}",
                           f"{shown(hidden)} and {shown(last)}; {_WAY}")
    every = range(len(coefs))
    if not isinstance(layers, slice) or not every[layers] or every[layers].step != 1:
        raise InvalidInput("layers", f"a slice of the {len(coefs)} layers, like slice(1, None)",
                           shown(layers))
    chosen = every[layers]
    if chosen[0]:
        steps = []
    for i in chosen:
        label = f"layer {i + 1} of {kind}"
        W = inputs.weights(f"{_SOURCE}: {label}", coefs[i])
        steps.append(dense(_SOURCE, label, W.T, shifts[i]))
        act = _NAMES[last if i == len(coefs) - 1 else hidden]
        if act:
            steps.append(Activation(label, act))
    unused = tuple(f"layer {i + 1}" for i in every if i not in chosen)
    return Chain(_SOURCE, tuple(steps), "order of coefs_", unused=unused, in_python="from_sklearn")


def _scale(name: str, step: Any) -> list[Step]:
    """What a step before the perceptron does: x to scale * x + shift."""
    kind, label = type(step).__name__, f"{type(step).__name__} {shown(name)}"
    if step in ("passthrough", None):
        return []
    if kind == "StandardScaler":  # it has a mean also where it does not subtract it
        width = int(step.n_features_in_)
        by = 1.0 / np.asarray(step.scale_, np.float64) if step.with_std else np.ones(width)
        shift = -np.asarray(step.mean_, np.float64) * by if step.with_mean else np.zeros(width)
    elif kind == "MinMaxScaler" and not getattr(step, "clip", False):
        by, shift = (np.asarray(getattr(step, attribute), np.float64) for attribute in ("scale_", "min_"))
    elif kind == "MaxAbsScaler":
        by = 1.0 / np.asarray(step.scale_, np.float64)
        shift = np.zeros(len(by))
    else:
        raise InvalidInput(f"{_SOURCE}: {label}", "StandardScaler, MinMaxScaler or MaxAbsScaler before the "
                           "perceptron (from_sklearn(pipe[-1]) leaves out what stands before it)", kind)
    thing = f"{_SOURCE}: {label}"
    scale, moved = (inputs.vectors(thing, part, len(by)) for part in (by, shift))
    return [Scale(label, scale, moved, rounded=True)]
