"""Modules of PyTorch, or objects built like them, as a chain; PyTorch itself is not imported.

A ``Sequential`` is followed. What another module computes is not known from its parts: they are taken in
order, a ReLU after each layer, only if this chain gives what the module itself gives at random inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs
from wdccheck.weights.forward import TOLERANCE, last_activation
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Relabel, Step, dense, norm
from wdccheck.weights.readers.parts import Folds, put_together, said
from wdccheck.weights.readers.selection import Arrays, listed
from wdccheck.weights.readers.source import one_line, shown

__all__ = ["is_module", "module_chain"]

_LINEAR = ("Linear", "ParametrizedLinear", "NonDynamicallyQuantizableLinear")
_NORMS = ("BatchNorm1d", "ParametrizedBatchNorm1d")
_KINDS = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"} | {kind: kind for kind in (
    "LeakyReLU", "ReLU6", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign", "Hardtanh",
    "Hardsigmoid", "Hardswish", "PReLU", "RReLU", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink",
    "Threshold", "Softmax", "LogSoftmax", "Softmin")}
_RESHAPES = ("Unflatten",)
_NOTHING = ("Identity", "Flatten", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout",
            "FeatureAlphaDropout")
_PARTS = [f"{name}_{part}" for name in ("weight", "bias") for part in ("g", "v", "u", "orig", "mask")]
_SOURCE = "module"
_COUNT = 64  # inputs at which a module is evaluated
_EXPORT = "torch.onnx.export(model, torch.zeros(1, k), 'net.onnx') writes its graph, which is read"


def is_module(candidate: Any) -> bool:
    """Whether this looks like a module: by its class name, or because it says what modules are in it."""
    kind = type(candidate).__name__
    return kind in ("Sequential", *_LINEAR) or callable(getattr(candidate, "named_modules", None))


def module_chain(module: Any) -> Chain:
    """The chain that a module computes at evaluation.

    Raises
    ------
    InvalidInput
        It has parts that are not covered, or it is no Sequential and computes something else than its parts
        one after the other.
    """
    folds: Folds = {}
    parts = list(_leaves("", module))
    named = callable(getattr(module, "named_modules", None))
    if all(_leaf(one) for _, one in parts) or not (callable(module) and named):
        steps = [step for path, one in parts for step in _steps(path, one, folds)]
        return Chain(_SOURCE, tuple(steps), "order of the modules", folded=said(folds, folds),
                     in_python="from_torch")
    inside = [(path, one) for path, one in module.named_modules() if path]
    ends = [(path, one) for path, one in inside
            if not any(other.startswith(f"{path}.") for other, _ in inside)]
    layers = [step for path, one in ends if type(one).__name__ in (*_LINEAR, *_NORMS)
              for step in _steps(path, one, folds)]
    others = [_label(path, one) for path, one in ends if not _leaf(one)]
    steps, kind = _evaluated(module, inside, layers, f", with {listed(others, 2)}" if others else "")
    last = [Activation(f"the output of {type(module).__name__}", kind)] if kind != "no activation" else []
    checked = (f"these layers, before any option, with {kind} at the end, give what the module gives at "
               f"{_COUNT} random inputs, to {TOLERANCE} of the largest output")
    return Chain(_SOURCE, (*steps, *last), "order of the modules; that a ReLU follows each, its outputs say",
                 folded=said(folds, folds), in_python="from_torch", checked=checked)


def _label(path: str, module: Any) -> str:
    kind = type(module).__name__
    return f"{kind} {shown(path)}" if path else kind


def _leaf(module: Any) -> bool:
    kind = type(module).__name__
    return kind in (*_LINEAR, *_NORMS, *_KINDS, *_RESHAPES, *_NOTHING)


def _leaves(path: str, module: Any) -> Iterator[tuple[str, Any]]:
    """The modules of a Sequential, and of those within it, in order."""
    if type(module).__name__ != "Sequential":
        yield path, module
        return
    # a Sequential yields a repeated module each time; named_modules lists it once
    if isinstance(module, Iterable):
        children = [(str(i), one) for i, one in enumerate(module)]
    elif callable(getattr(module, "named_modules", None)):
        children = [(name, one) for name, one in module.named_modules() if name and "." not in name]
    else:
        raise InvalidInput(f"module {path}".strip(), "an iterable of modules, or named_modules()", "neither")
    for name, one in children:
        yield from _leaves(f"{path}.{name}" if path else name, one)


def _steps(path: str, module: Any, folds: Folds) -> list[Step]:
    """What one module does; names of weights that were put together are added to `folds`."""
    kind, label = type(module).__name__, _label(path, module)
    if kind in _LINEAR:
        return [_linear(label, path, module, folds)]
    if kind in _NORMS:
        if getattr(module, "running_mean", None) is None or getattr(module, "running_var", None) is None:
            raise InvalidInput(f"{_SOURCE}: {label}", "batch norm with track_running_stats=True", "none")
        mean, var, scale, shift = (_numbers(label, module, name)
                                  for name in ("running_mean", "running_var", "weight", "bias"))
        return [norm(_SOURCE, label, mean, var, scale, shift, float(getattr(module, "eps", 1e-5)))]
    if kind in _KINDS:
        return [Activation(label, _KINDS[kind])]
    if kind in _RESHAPES:
        return [Relabel(label)]
    if kind in _NOTHING:
        return []
    raise InvalidInput(f"{_SOURCE}: {label}", "a Sequential of Linear, ReLU, BatchNorm1d, Dropout, Identity",
                       f"{kind}; {_EXPORT}")


def _linear(label: str, path: str, module: Any, folds: Folds) -> Dense:
    """Its weight as it is used at evaluation: one of parts may be stale until the module is called."""
    if type(module).__name__ == "ParametrizedLinear" and getattr(module, "training", False):
        raise InvalidInput(f"{_SOURCE}: {label}", "evaluation, where a parametrization has one value",
                           "training; call model.eval() before")
    prefix = f"{path}." if path else ""
    given = {prefix + name: _reader(label, module, name) for name in ("weight", "bias", *_PARTS)
             if getattr(module, name, None) is not None}
    stale = {name.rpartition("_")[0] for name in given if name.rpartition("_")[2] in ("g", "v", "u", "orig")}
    arrays, made = put_together(Arrays(_SOURCE, {name: read for name, read in given.items()
                                                if name not in stale}))
    folds.update(made)
    unknown = [name for name in arrays.entries if name not in (f"{prefix}weight", f"{prefix}bias")]
    if unknown or f"{prefix}weight" not in arrays.entries:
        raise InvalidInput(f"{_SOURCE}: {label}", "a weight",
                           f"{shown(unknown[0])}; torch.nn.utils.remove_spectral_norm(module) or "
                           "remove_weight_norm makes it plain" if unknown else "none")
    bias = arrays.entries.get(f"{prefix}bias")
    W = inputs.weights(f"{_SOURCE}: {label}, its weight", arrays.entries[f"{prefix}weight"]())
    return dense(_SOURCE, label, W, None if bias is None else bias())


def _reader(label: str, module: Any, name: str) -> Callable[[], Any]:
    return lambda: _numbers(label, module, name)


def _numbers(label: str, module: Any, name: str) -> Any:
    """An attribute as an array; None if it is not there."""
    tensor = getattr(module, name, None)
    return None if tensor is None else inputs.real(f"{_SOURCE}: {label}, its {name}", tensor)


def _evaluated(module: Any, inside: Sequence[tuple[str, Any]], layers: Sequence[Step],
               others: str) -> tuple[list[Step], str]:
    """The layers with a ReLU between them, and what stands at the end, if the module computes just that."""
    first = next((step for step in layers if isinstance(step, Dense)), None)
    name, inner = type(module).__name__ + others, _within(inside)
    if first is None or not isinstance(layers[0], Dense):
        raise InvalidInput(_SOURCE, "a Sequential, or a module that begins with a Linear",
                           f"{name}; {inner}")
    if any(getattr(one, "training", False) for one in (module, *(one for _, one in inside))):
        raise InvalidInput(_SOURCE, "a Sequential, or a module at evaluation, which is called to see what it "
                           "does", f"{name} in training; call model.eval() before")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_COUNT, first.W.shape[1])) * 10.0 ** rng.uniform(-1, 1, (_COUNT, 1))
    try:
        tensor = next(one.weight for _, one in inside if type(one).__name__ in _LINEAR)
        y = inputs.real("its output", module(tensor.new_tensor(x.tolist())))
        y = y.reshape(_COUNT, -1)
        x = inputs.real("x", tensor.new_tensor(x.tolist()))
    except Exception as error:  # the module is the code of others
        raise InvalidInput(_SOURCE, f"a module that maps a batch of shape (count, {first.W.shape[1]}) to one "
                           "array", f"{one_line(error)} in {name}; {inner}") from None
    steps = _with_gates(layers)
    if (kind := last_activation(steps, x, y)) is not None:
        return steps, kind
    raise InvalidInput(_SOURCE, "a Sequential, or a module that computes its Linear layers in order with a "
                       "ReLU after each", f"{name}, which gives other outputs; {inner}")


def _within(inside: Sequence[tuple[str, Any]]) -> str:
    """The calls that take a part of a module, or its graph."""
    parts = [f"ReLUNetwork.from_torch(model.{path})" for path, one in inside
             if type(one).__name__ == "Sequential" and "." not in path]
    return f"{' or '.join(parts[:4])} takes a part of it; {_EXPORT}" if parts else _EXPORT


def _with_gates(layers: Sequence[Step]) -> list[Step]:
    """A ReLU before each layer but the first."""
    steps: list[Step] = []
    for step in layers:
        if isinstance(step, Dense) and steps:
            steps.append(Activation(f"before {step.label}", "relu"))
        steps.append(step)
    return steps
