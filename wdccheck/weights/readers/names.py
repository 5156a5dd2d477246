"""Arrays by name, of files that hold no graph, as a chain: layers in order of names, a ReLU after each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Activation, Chain, Dense, Norm, Step, dense, needs, norm
from wdccheck.weights.readers.parts import named_part, put_together, said
from wdccheck.weights.readers.roles import owner, owners, role, says_role
from wdccheck.weights.readers.selection import Ambiguous, Arrays, Selection
from wdccheck.weights.readers.sequence import Named, in_one_sequence, missing, ways
from wdccheck.weights.readers.source import natural, shown
from wdccheck.weights.shapes import check_chain

__all__ = ["named_chain"]

_KERNEL = re.compile(r"(?:^|[._/:-])kernel(?![a-z])|/~/.*/w$|(?:^|/)linear(?:_\d+)?/w$", re.IGNORECASE)
_NORM = re.compile(r"(?:^|[./])(?:Batch|Layer|Group|Instance|RMS)Norm_\d+(?:[./]scale)?$")  # of Flax
_EPS = 1e-5


@dataclass
class _Group:
    """The arrays of one layer, by what they are: role to the name in the file and the array."""

    stem: str
    parts: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)

    def get(self, role: str) -> np.ndarray | None:
        return self.parts[role][1] if role in self.parts else None

    @property
    def name(self) -> str:
        """That of the matrix, if there is one."""
        return (self.parts.get("weight") or next(iter(self.parts.values())))[0]

    @property
    def label(self) -> str:
        return f"array {shown(self.name)}" if self.name else ""

    @property
    def axes(self) -> int:
        """Those of its weight; of none, as in batch norm, 0."""
        W = self.get("weight")
        return 0 if W is None or "mean" in self.parts else W.ndim

    def named(self, normed: bool) -> Named:
        """As a layer of a sequence, with batch norm after it or without."""
        n, k = self.parts["weight"][1].shape
        b = self.get("bias")
        return Named(self.name, self.stem, (n, k), b is not None and bool(np.any(b)), normed)


def named_chain(arrays: Arrays, choice: Selection | None = None) -> Chain:
    """The chain of layers that the arrays of a file without a graph make.

    A matrix is a layer. A vector belongs to the matrix of the same name up to a word like
    ``weight`` or ``bias``. Batch norm stands right after the layer that shares its number or its block.
    Both come along where the matrix is chosen by name.

    Raises
    ------
    InvalidInput
        An array is none of these, or it is in doubt which of them are one chain, in which order.

    Examples
    --------
    >>> import numpy as np
    >>> arrays = Arrays.read("net.npz", {"W1": np.ones((2, 1)), "W2": np.ones((1, 2))})
    >>> [step.label for step in named_chain(arrays).steps if isinstance(step, Dense)]
    ["array 'W1'", "array 'W2'"]
    """
    choice = choice or Selection()
    arrays, folds = put_together(arrays)
    read, source = _turned(arrays, choice.transpose), arrays.source
    taken = arrays.selected(choice.arrays, _place) if choice.arrays else list(arrays.entries)
    if choice.arrays and not choice.alone:
        taken = _with_their_parts(arrays, taken, read)
    place = {name: i for i, name in enumerate(taken)}
    groups = _groups(source, taken, read)
    if choice.arrays:
        groups.sort(key=lambda group: place[group.name])
        if choice.alone:
            groups = [replace(group, parts={"weight": group.parts["weight"]}) for group in groups
                      if group.axes > 1] or groups
    lone = next((group for group in groups if group.axes == 1 and _NORM.search(group.stem)), None)
    if lone is not None:
        raise InvalidInput(f"{source}: {lone.label}", "batch norm with its statistics (np.savez of params "
                           "and batch_stats)", "a normalization without")
    kernel = next((group for group in groups if group.axes == 2 and _KERNEL.search(group.name)), None)
    if kernel is not None and not choice.transpose:
        raise Ambiguous(f"{source}: {kernel.label}", "a matrix of shape (n_out, n_in), named W or weight",
                        "a kernel, which Keras, Flax and Haiku store as (n_in, n_out) (--transpose turns it)",
                        _turned_ways(arrays, choice))
    norms = owners(arrays.entries)
    layers = [group.named(group.stem in norms.values()) for group in groups if group.axes == 2]
    stored = sorted(layers, key=lambda layer: place[layer.name])
    kept = arrays.keeps_order([layer.name for layer in stored])
    others = [name for group in groups if group.axes != 2 and not norms.get(group.stem)
              for name, _ in group.parts.values()]
    way = () if choice.arrays or choice.alone else ways(
        _free(stored if kept else layers, groups, norms), others, choice)
    dense_of = {group.stem: _dense(source, group, choice.transpose, way) for group in groups
                if "mean" not in group.parts}
    if not choice.alone:
        _check_widths(arrays, layers, choice, way)
    if not (choice.arrays or choice.alone):
        in_one_sequence(source, layers, stored if kept else None, others, choice)
    steps = _steps(dense_of, _norms_after(arrays, groups, dense_of))
    used = {name for group in groups for name, _ in group.parts.values()}
    unused = [shown(name) for name in arrays.entries
              if name not in used and role(name)[1] != "count"]
    return Chain(source, tuple(steps), _ordered_by(arrays, choice, layers), arrays.key,
                 (*unused, *arrays.elsewhere), choice.transpose, folded=said(folds, taken))


def _free(layers: Iterable[Named], groups: Iterable[_Group], norms: Mapping[str, str | None]) -> list[Named]:
    """The layers beside which nothing stands that no option covers, as layer norm or PReLU do."""
    barred = {group.stem.rpartition(".")[0] for group in groups
              if (group.stem in norms and norms[group.stem] is None) or (
                  group.axes == 1 and says_role(group.parts["weight"][0]))}
    return [layer for layer in layers if layer.stem.rpartition(".")[0] not in barred]


def _turned_ways(arrays: Arrays, choice: Selection) -> list[str]:
    """The options that read a file of kernels."""
    turned = replace(choice, transpose=True)
    try:
        steps = named_chain(arrays, turned).steps
    except Ambiguous as error:
        return [f"--transpose {way}" for way in error.ways]
    except InvalidInput:
        return []
    layers = [step.W.shape for step in steps if isinstance(step, Dense)]
    dims = "-".join(map(str, [layers[0][1], *(n for n, _ in layers)]))
    return [f"--transpose{choice.beside(*needs(steps))} ({dims})"]


def _ordered_by(arrays: Arrays, choice: Selection, layers: Sequence[Named]) -> str:
    if choice.alone:
        return "one matrix"
    if len(layers) <= 1:
        return "one layer, a ReLU after it assumed"
    how = "natural order of names"
    if choice.arrays:
        how = f"order given by --arrays {shown(','.join(choice.arrays))}"
        if any(layer.name not in ",".join(choice.arrays).split(",") for layer in layers):
            kept = arrays.keeps_order(list(arrays.entries))
            how += f", within a pattern in {'the order of the file' if kept else 'natural order'}"
    elif gap := missing(layers):
        how += f" (none is called {gap})"
    return f"{how}, a ReLU after each assumed"


def _with_their_parts(arrays: Arrays, chosen: Iterable[str], read: Callable[[str], np.ndarray]) -> list[str]:
    """What was chosen, with the biases of the layers in it, and batch norm that surely follows one."""
    taken = dict.fromkeys(chosen)
    roles = {name: role(name) for name in arrays.entries}
    stems = {roles[name][0] for name in taken if roles[name][1] == "weight"}
    norms = owners(arrays.entries)
    weights = {stem: name for name, (stem, what) in roles.items() if what == "weight"}
    for name, (stem, what) in roles.items():
        follows = stem in norms and (norms[stem] in stems or stem in stems)
        if name not in taken and (follows or (what == "bias" and stem in stems and stem not in norms
                                              and _may_be_bias(read(name), read(weights[stem])))):
            taken[name] = None
    return list(taken)


def _groups(source: str, names: Iterable[str], read: Callable[[str], np.ndarray]) -> list[_Group]:
    found: dict[str, _Group] = {}
    roles = {name: role(name) for name in names}
    weights = {stem: name for name, (stem, what) in roles.items() if what == "weight"}
    for name in sorted(roles, key=lambda name: (roles[name][1] == "count", natural(name))):
        (stem, what), thing = roles[name], f"{source}: array {shown(name)}"
        if part := named_part(name):
            raise InvalidInput(thing, "a plain weight matrix or bias", part)
        array = read(name)
        if what == "bias" and array.ndim == 2 and not (
                stem in weights and _may_be_bias(array, read(weights[stem]))):
            stem, what = name, "weight"  # a layer that is called b
        group = found.setdefault(stem, _Group(stem))
        if what in group.parts:
            raise InvalidInput(thing, f"one {what} of this layer", f"also {shown(group.parts[what][0])} "
                               "(--arrays chooses)")
        group.parts[what] = (name, array)
    return sorted(found.values(), key=lambda group: natural(group.stem.casefold()))


def _place(name: str) -> Any:
    """Natural order of layers."""
    return natural(role(name)[0].casefold())


def _may_be_bias(array: np.ndarray, weight: np.ndarray) -> bool:
    """Whether an array is the bias of a weight: a vector, or one row or column, as MATLAB has it."""
    return array.ndim == 1 or (
        weight.ndim == 2 and array.ndim == 2 and 1 in array.shape and array.size == weight.shape[0])


def _turned(arrays: Arrays, transpose: bool) -> Callable[[str], np.ndarray]:
    """What reads an array, its transpose where the file stores (n_in, n_out)."""
    read = arrays.reader()
    return (lambda name: read(name).T if read(name).ndim == 2 else read(name)) if transpose else read


def _check_widths(arrays: Arrays, layers: Sequence[Named], choice: Selection, way: Sequence[str]) -> None:
    """Refuse layers that do not chain, with what may help: all turned, where they chain then."""
    try:
        if layers:
            check_chain([np.broadcast_to(0.0, layer.shape) for layer in layers],
                        [f"{arrays.source}: array {shown(layer.name)}" for layer in layers])
    except InvalidInput as error:
        turned = "every layer" in error.found and not choice.transpose
        raise Ambiguous(error.thing, error.required,
                        error.found + ("; --transpose turns every array" if turned else ""),
                        (turned and _turned_ways(arrays, choice)) or way) from None


def _dense(source: str, group: _Group, transposed: bool, way: Sequence[str]) -> Dense:
    W, b = group.get("weight"), group.get("bias")
    thing = f"{source}: {group.label}" if group.label else source
    if W is None or W.ndim != 2:
        array = W if W is not None else next(iter(group.parts.values()))[1]
        hint = {1: ", as of a bias, a normalization or an activation with weights",
                4: ", as of a convolution"}.get(array.ndim, "")
        if not way and not transposed:
            hint += "; --arrays NAME takes the matrices that are named"
        raise Ambiguous(thing, "a matrix of shape (n_out, n_in) with at least one entry",
                        f"shape {array.shape}{hint}", way)
    if b is not None and not _may_be_bias(b, W):
        raise InvalidInput(f"{source}: array {shown(group.parts['bias'][0])}", f"shape ({W.shape[0]},)",
                           f"shape {b.shape}")
    return dense(source, group.label, W, b)


def _norms_after(arrays: Arrays, groups: Iterable[_Group], layers: dict[str, Dense]) -> dict[str, Norm]:
    """Batch norm by the stem of the layer that it follows."""
    norms = {group.stem: _norm(arrays.source, group) for group in groups if "mean" in group.parts}
    roles = [role(name) for name in arrays.entries]
    every = {stem for stem, what in roles if what == "mean"}
    weights = [*layers, *dict.fromkeys(
        stem for stem, what in roles if what == "weight" and stem not in every and stem not in layers)]
    found: dict[str, Norm] = {}
    for stem, one in norms.items():
        before = owner(stem, weights, list(every))
        if before not in layers or before in found or len(one.scale) != len(layers[before].W):
            raise InvalidInput(
                f"{arrays.source}: {one.label}", "batch norm right after a layer, of its width",
                f"{len(one.scale)} entries, and no layer that it surely follows")
        found[before] = replace(
            one, assumed=f"epsilon {_EPS} assumed, and that it stands right after {layers[before].label}")
    return found


def _steps(layers: dict[str, Dense], norms: dict[str, Norm]) -> list[Step]:
    steps: list[Step] = []
    for stem, layer in layers.items():
        steps += [layer, *([norms[stem]] if stem in norms else []), Activation(layer.label, "relu")]
    return steps


def _norm(source: str, group: _Group) -> Norm:
    if "variance" not in group.parts:
        raise InvalidInput(f"{source}: {group.label}", "a mean and a variance", "no variance")
    return norm(source, f"batch norm {shown(group.stem)}", group.get("mean"), group.get("variance"),
                group.get("weight"), group.get("bias"), _EPS)
