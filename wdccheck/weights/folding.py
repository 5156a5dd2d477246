"""What the theory does not cover in a chain of layers: refused by name, or treated as an option says."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Norm, Relabel, Scale, Step

__all__ = ["Options", "bias_free"]

_MEANS = {
    "--ignore-bias": "the biases of {} were dropped: the bounds are of the network without them",
    "--lift-bias": "the biases of {} became weights on one more input that is 1: relu(Wx + b) = "
                   "relu([W b](x, 1)), every matrix but the last with one more row (0, 1). The bounds are of "
                   "these matrices over all directions (x, t), not only t = 1; an upper bound of the RRIC "
                   "holds for the network itself, a lower bound may be reached at other t only",
    "--fold-batchnorm": "{} became part of the layer beside; the bounds are of the product, rounded to "
                        "float64",
    "--last-activation": "{} was ignored: the bounds are of the network with a ReLU there",
}


@dataclass(frozen=True)
class Options:
    """How to treat what the theory does not cover.

    Attributes
    ----------
    ignore_bias : bool
        Drop the biases.
    fold_batchnorm : bool
        Multiply batch norm into the layer right before it, else into the one right after it.
    lift_bias : bool
        Make relu(Wx + b) a bias-free layer on (x, 1).
    last_activation : str
        "relu": it must be one; "ignore": whatever it is, take a ReLU.
    """

    ignore_bias: bool = False
    fold_batchnorm: bool = False
    lift_bias: bool = False
    last_activation: str = "relu"

    @property
    def given(self) -> frozenset[str]:
        """Those that treat something, as the command line has them."""
        every = {"--ignore-bias": self.ignore_bias, "--fold-batchnorm": self.fold_batchnorm,
                 "--lift-bias": self.lift_bias, "--last-activation": self.last_activation == "ignore"}
        return frozenset(option for option, treats in every.items() if treats)

    def __post_init__(self) -> None:
        if self.ignore_bias and self.lift_bias:
            raise InvalidInput("biases", "--ignore-bias or --lift-bias", "both")
        if self.last_activation not in ("relu", "ignore"):
            raise InvalidInput("last_activation", "'relu' or 'ignore'", repr(self.last_activation)[:60])


def bias_free(chain: Chain, options: Options) -> tuple[list[Dense], dict[str, str], tuple[str, ...]]:
    """The layers of a bias-free ReLU network, every option used with what it means, and what was folded.

    Raises
    ------
    InvalidInput
        Something is not covered, and no option given treats it. The message names it, and the options.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.weights.readers.chain import dense
    >>> steps = (dense("f", "layer 1", np.ones((1, 1)), [2.0]), Activation("", "relu"))
    >>> layers, used, folded = bias_free(Chain("f", steps, ""), Options(lift_bias=True))
    >>> layers[0].W, list(used), folded
    (array([[1., 2.]]), ['--lift-bias'], ())
    """
    steps, norms, folded = _with_norms_folded(chain)
    layers, last = _alternating(chain, steps)
    biased = [layer.label for layer in layers if layer.b is not None]
    biases = "--ignore-bias" if options.ignore_bias else "--lift-bias"
    found = [  # what, whether it is treated, the option that did it, those that would
        (norms, options.fold_batchnorm, "--fold-batchnorm", "--fold-batchnorm"),
        (biased, options.ignore_bias or options.lift_bias, biases, "--ignore-bias or --lift-bias"),
        (last, options.last_activation == "ignore", "--last-activation", "--last-activation ignore"),
    ]
    refused = {wanted: f"{'a bias of ' if what is biased else ''}{_listed(what)} ({wanted} would treat it)"
               for what, treated, _, wanted in found if what and not treated}
    if refused:
        wanted = [option.rpartition(" or ")[2] for option in refused]
        together = "; together " + " ".join(wanted) if len(refused) > 1 else ""
        if chain.in_python:
            together = f"; ReLUNetwork.{chain.in_python}(model, {', '.join(wanted)}) treats all"
        told = "; ".join(refused.values()) + together
        raise InvalidInput(chain.source, "bias-free layers with a ReLU after each",
                           _arguments(told) if chain.in_python else told)
    if options.ignore_bias:
        layers = [replace(layer, b=None) for layer in layers]
    if options.lift_bias and biased:
        layers = [_lifted(chain, layer, last=i == len(layers)) for i, layer in enumerate(layers, 1)]
    return layers, {given: _MEANS[given].format(_listed(what)) for what, _, given, _ in found if what}, folded


def _arguments(text: str) -> str:
    """Options of the command line as arguments of a call."""
    return re.sub(r"--([a-z-]+)( ignore)?", lambda match: match[1].replace("-", "_") + (
        "='ignore'" if match[2] else "=True"), text)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _lifted(chain: Chain, layer: Dense, last: bool) -> Dense:
    """W and b as one matrix on (x, 1), which passes the 1 on except in the last layer."""
    b = np.zeros(layer.W.shape[0]) if layer.b is None else layer.b
    W = np.column_stack([layer.W, b])
    if not last:
        W = np.vstack([W, np.append(np.zeros(layer.W.shape[1]), 1.0)])
    return Dense(layer.label, inputs.weights(chain.thing(layer.label), W))


def _with_norms_folded(chain: Chain) -> tuple[list[Step], list[str], tuple[str, ...]]:
    """The steps with scales and shifts multiplied into the layers beside; batch norms; what was folded.

    Those that stand beside no layer remain.
    """
    steps, norms, said = list(chain.steps), [], []
    while (found := _beside(steps)) is not None:
        at, into = found
        one, layer = steps[at], steps[into]
        assert isinstance(one, Norm) and isinstance(layer, Dense)
        steps[into] = _folded(chain, layer, one, after=into < at)
        if not isinstance(one, Scale):
            norms.append(one.label + (f" ({one.assumed})" if one.assumed else ""))
        elif layer.b is not None or (one.scale != 1).any() or into > at:
            how = "exactly" if _exactly(layer, one, into < at) else "rounded to float64"
            said.append(f"{one.label} became part of {layer.label}, {how}")
        del steps[at]
    return steps, norms, tuple(said)


def _beside(steps: list[Step]) -> tuple[int, int] | None:
    """The first scale that a layer takes up, and that layer: one right beside it, or before its ReLU."""
    norms = [at for at, one in enumerate(steps) if isinstance(one, Norm)]
    for step in (-1, 1):
        for at in norms:
            if 0 <= at + step < len(steps) and isinstance(steps[at + step], Dense):
                return at, at + step
    for at, one in enumerate(steps):  # relu(Wx) s = relu(s W x) where s > 0
        if isinstance(one, Scale) and (one.scale > 0).all() and not one.shift.any():
            before = next((i for i in reversed(range(at)) if isinstance(steps[i], Dense | Norm)), -1)
            between = {step.kind for step in steps[before + 1:at] if isinstance(step, Activation)}
            if before >= 0 and isinstance(steps[before], Dense) and between == {"relu"}:
                return at, before
    return None


def _exactly(layer: Dense, one: Scale, after: bool) -> bool:
    """Whether no product or sum of a fold is rounded: 24 bits each, of moderate size, or a factor 1."""
    def short(values: np.ndarray) -> bool:
        sizes = np.abs(values[values != 0])
        return bool((values == values.astype(np.float32)).all() and (sizes > 2.0**-126).all())

    if one.rounded or (not after and one.shift.any()):
        return False
    with np.errstate(all="ignore"):
        products = bool((one.scale == 1).all()) or (short(one.scale) and short(layer.W))
        if not after or layer.b is None:
            return products
        shifted = one.scale * layer.b
        sums = shifted + one.shift  # exact if both terms come back from it
        return bool(products and ((one.scale == 1).all() or short(layer.b))
                    and (sums - shifted == one.shift).all() and (sums - one.shift == shifted).all())


def _folded(chain: Chain, layer: Dense, norm: Norm, after: bool) -> Dense:
    """The layer with a normalization of its outputs (`after`) or of its inputs."""
    thing = chain.thing(norm.label)
    width = layer.W.shape[0 if after else 1]
    if len(norm.scale) != width:
        raise InvalidInput(thing, f"{width} entries beside {layer.label}", f"{len(norm.scale)}")
    b = np.zeros(layer.W.shape[0]) if layer.b is None else layer.b
    with np.errstate(over="ignore", invalid="ignore"):
        W = layer.W * (norm.scale[:, None] if after else norm.scale)
        b = norm.scale * b + norm.shift if after else layer.W @ norm.shift + b
    b = inputs.vectors(thing, b, len(b))
    return Dense(layer.label, inputs.weights(thing, W), b if b.any() else None)


def _alternating(chain: Chain, steps: list[Step]) -> tuple[list[Dense], list[str]]:
    """The layers, if a ReLU and nothing else stands after each; and what stands after the last instead."""
    at = [i for i, step in enumerate(steps) if isinstance(step, Dense)]
    if not at or at[0] != 0:
        found = steps[0].label if steps else "nothing"
        raise InvalidInput(chain.source, "a network that begins with a matrix", found)
    layers: list[Dense] = []
    for begin, end in zip(at, [*at[1:], len(steps)], strict=True):
        layer, between = steps[begin], steps[begin + 1:end]
        assert isinstance(layer, Dense)
        layers.append(layer)
        if end == len(steps):
            between = [step for step in between if not isinstance(step, Relabel)]
        kinds = [_kind(step) for step in between]
        if kinds and set(kinds) == {"relu"}:
            continue
        found = " and ".join(kinds) or "no activation"
        if end == len(steps):
            return layers, [f"{found} after the last layer"]
        raise InvalidInput(chain.thing(between[0].label if between else layer.label),
                           f"a ReLU after {layer.label}", found)
    return layers, []


def _kind(step: Step) -> str:
    match step:
        case Activation():
            return step.kind
        case Scale():
            return "a scale or shift"
        case Norm():
            return "batch norm"
        case _:
            return "a change of shape"
