"""Arrays by name, of files that hold no graph, as a chain: layers in natural order, a ReLU after each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Norm, Step, dense, norm
from wdccheck.weights.readers.source import natural, shown

__all__ = ["named_chain"]

_ROLES = {"weight": "weight", "weights": "weight", "kernel": "weight", "w": "weight", "gamma": "weight",
          "bias": "bias", "biases": "bias", "b": "bias", "beta": "bias",
          "running_mean": "mean", "moving_mean": "mean",
          "running_var": "variance", "moving_variance": "variance", "num_batches_tracked": "count"}
_WORD = "|".join(sorted(_ROLES, key=len, reverse=True))
_PART_OF = re.compile(r"weight_(g|v|u|orig|mask|ih|hh)|bias_(ih|hh)|in_proj|parametrizations\.",
                      re.IGNORECASE)
_KERNEL = re.compile(r"(?:^|[._/:-])kernel(?![a-z])", re.IGNORECASE)
_EPS = 1e-5


@dataclass
class _Group:
    """The arrays of one layer, by what they are: role to the name in the file and the array."""

    stem: str
    parts: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)

    def get(self, role: str) -> np.ndarray | None:
        return self.parts[role][1] if role in self.parts else None

    @property
    def label(self) -> str:
        name = next(iter(self.parts.values()))[0]
        return f"array {shown(name)}" if name else ""


def named_chain(source: str, arrays: Mapping[str, np.ndarray]) -> Chain:
    """The chain of layers that the arrays of a file without a graph make.

    A matrix is a layer. A vector belongs to the matrix of the same name up to a word like
    ``weight`` or ``bias``. Batch norm stands right after the layer that shares its number or its block.

    Raises
    ------
    InvalidInput
        An array is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> chain = named_chain("net.npz", {"W2": np.ones((1, 2)), "W1": np.ones((2, 1))})
    >>> [step.label for step in chain.steps if isinstance(step, Dense)]
    ["array 'W1'", "array 'W2'"]
    """
    groups = _groups(source, arrays)
    layers = {group.stem: _dense(source, group) for group in groups if "mean" not in group.parts}
    norms = {group.stem: _norm(source, group) for group in groups if "mean" in group.parts}
    owners = {}
    for stem, one in norms.items():
        owner = _owner(stem, list(layers), list(norms))
        if owner is None or owner in owners or len(one.scale) != len(layers[owner].W):
            raise InvalidInput(f"{source}: {one.label}", "batch norm right after a layer, of its width",
                               f"{len(one.scale)} entries, and no layer that it surely follows")
        owners[owner] = replace(
            one, assumed=f"epsilon {_EPS} assumed, and that it stands right after {layers[owner].label}")
    steps: list[Step] = []
    for stem, layer in layers.items():
        steps += [layer, *([owners[stem]] if stem in owners else []), Activation(layer.label, "relu")]
    how = "natural order of names" if len(layers) > 1 else "one layer"
    if missing := _missing([group for group in groups if group.stem in layers]):
        how += f" (none is called {missing})"
    placed = [layer.label for layer in layers.values()]
    stored = [label for name in arrays if (label := f"array {shown(name)}") in placed]
    if len(placed) > 1 and stored != placed:
        how += " (the file has them in another)"
    return Chain(source, tuple(steps), how + ", a ReLU after each assumed" * (len(layers) > 1))


def _groups(source: str, arrays: Mapping[str, np.ndarray]) -> list[_Group]:
    found: dict[str, _Group] = {}
    roles = {name: _role(name) for name in arrays}
    weights = {stem: arrays[name] for name, (stem, role) in roles.items() if role == "weight"}
    for name in sorted(arrays, key=lambda name: (roles[name][1] == "count", natural(name))):
        (stem, role), array = roles[name], arrays[name]
        thing = f"{source}: array {shown(name)}"
        if _PART_OF.search(name):
            raise InvalidInput(thing, "a plain weight matrix or bias",
                               "a part of a recurrent, attention or reparametrized layer")
        if role == "bias" and array.ndim == 2 and not _fits(array, weights.get(stem)):
            stem, role = name, "weight"  # a layer that is called b
        group = found.setdefault(stem, _Group(stem))
        if role in group.parts:
            raise InvalidInput(thing, f"one {role} of this layer", f"also {shown(group.parts[role][0])}")
        group.parts[role] = (name, array)
    return sorted(found.values(), key=lambda group: natural(group.stem.casefold()))


def _role(name: str) -> tuple[str, str]:
    """A name without its word, and the role that the word says; without a word, a weight."""
    match = re.fullmatch(rf"(?:(.*)[._/:-])?({_WORD})_?(\d*)", name, re.IGNORECASE)
    if match is None:
        return name, "weight"
    prefix, word, number = match.groups()
    return "|".join(filter(None, (prefix, number))), _ROLES[word.lower()]


def _fits(array: np.ndarray, weight: np.ndarray | None) -> bool:
    """Whether a matrix of one row or column is the bias of a weight matrix, as MATLAB has it."""
    return (weight is not None and weight.ndim == 2 and 1 in array.shape and array.size == weight.shape[0])


def _dense(source: str, group: _Group) -> Dense:
    W, b = group.get("weight"), group.get("bias")
    thing = f"{source}: {group.label}" if group.label else source
    if W is None or W.ndim != 2:
        array = W if W is not None else next(iter(group.parts.values()))[1]
        hint = {1: ", as of a bias or a normalization", 4: ", as of a convolution"}.get(array.ndim, "")
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                           f"shape {array.shape}{hint}")
    if b is not None and not (b.ndim == 1 or _fits(b, W)):
        raise InvalidInput(f"{source}: array {shown(group.parts['bias'][0])}", f"shape ({W.shape[0]},)",
                           f"shape {b.shape}")
    label = group.parts["weight"][0]
    if _KERNEL.search(label):
        raise InvalidInput(thing, "a matrix of shape (n_out, n_in), named W or weight",
                           "a kernel, which Keras and Flax store as (n_in, n_out)")
    return dense(source, f"array {shown(label)}" if label else "", W, b)


def _norm(source: str, group: _Group) -> Norm:
    if "variance" not in group.parts:
        raise InvalidInput(f"{source}: {group.label}", "a mean and a variance", "no variance")
    return norm(source, f"batch norm {shown(group.stem)}", group.get("mean"), group.get("variance"),
                group.get("weight"), group.get("bias"), _EPS)


def _owner(stem: str, layers: list[str], norms: list[str]) -> str | None:
    """The layer that batch norm surely follows: with the number before, the same, or alone in its block."""
    base, number = _numbered(stem)
    if number is not None:
        before = [one for one in layers if _numbered(one) == (base, number - 1)]
        same = [one for one in layers if _numbered(one)[1] == number and _numbered(one)[0] != base]
        if before or any(_numbered(one)[0] == base for one in layers):
            return before[0] if before else None
        return same[0] if len(same) == 1 else None
    block = stem.rpartition(".")[0]
    inside = [one for one in layers if one.rpartition(".")[0] == block]
    alone = len(inside) == 1 and sum(one.rpartition(".")[0] == block for one in norms) == 1
    return inside[0] if alone else None


def _missing(groups: list[_Group]) -> str:
    """The first name that layers like fc1, fc3 leave out; those of a Sequential may leave out any."""
    names = [group.parts["weight"][0] for group in groups]
    found = [_numbered(name if name[-1:].isdigit() else group.stem)
             for name, group in zip(names, groups, strict=True)]
    for (base, number), (other, following) in itertools.pairwise(found):
        if (base == other and base[-1:].isalpha() and number is not None and following is not None
                and following > number + 1):
            return shown(f"{base}{number + 1}")
    return ""


def _numbered(stem: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(.*?)(\d{1,9})", stem)
    return (match[1], int(match[2])) if match else (stem, None)
