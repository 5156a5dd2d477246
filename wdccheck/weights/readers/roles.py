"""What the name of an array says that it is: a weight, a bias, a part of batch norm, and of which layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from wdccheck.weights.readers.sequence import numbered

__all__ = ["owner", "owners", "role", "says_role"]

_ROLES = {"weight": "weight", "weights": "weight", "kernel": "weight", "w": "weight", "gamma": "weight",
          "bias": "bias", "biases": "bias", "b": "bias", "beta": "bias",
          "running_mean": "mean", "moving_mean": "mean",
          "running_var": "variance", "moving_variance": "variance", "num_batches_tracked": "count"}
_WORD = "|".join(sorted(_ROLES, key=len, reverse=True))
_NAME = re.compile(rf"(?:(.*)[._/:-])?({_WORD})_?{{?(\d*)}}?", re.IGNORECASE)

_FLAX = re.compile(r"(.*[./])?(params|batch_stats)[./](.+)[./](\w+)")
_FLAX_ROLES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "mean", "var": "variance"}


def role(name: str) -> tuple[str, str]:
    """A name without its word, and the role that the word says; without a word, a weight.

    Examples
    --------
    >>> role("fc1.bias"), role("W2"), role("biases{2}"), role("center")
    (('fc1', 'bias'), ('2', 'weight'), ('2', 'bias'), ('center', 'weight'))
    >>> role("batch_stats/BatchNorm_0/mean"), role("params/BatchNorm_0/scale")
    (('BatchNorm_0', 'mean'), ('BatchNorm_0', 'weight'))
    """
    if (flax := _FLAX.fullmatch(name)) is not None:
        around, collection, layer, word = flax.groups()
        if word in _FLAX_ROLES and (collection == "batch_stats") == (word in ("mean", "var")):
            return f"{around or ''}{layer}", _FLAX_ROLES[word]
    match = _NAME.fullmatch(name)
    if match is None:
        return name, "weight"
    prefix, word, number = match.groups()
    return "|".join(filter(None, (prefix, number))), _ROLES[word.lower()]


def says_role(name: str) -> bool:
    """Whether a name has such a word at all."""
    return _NAME.fullmatch(name) is not None


def owners(names: Iterable[str]) -> dict[str, str | None]:
    """Batch norm among these arrays, by its stem: the stem of the layer that it surely follows, or None."""
    roles = [role(name) for name in names]
    norms = list(dict.fromkeys(stem for stem, what in roles if what == "mean"))
    layers = list(dict.fromkeys(stem for stem, what in roles if what == "weight" and stem not in norms))
    return {stem: owner(stem, layers, norms) for stem in norms}


def owner(stem: str, layers: Sequence[str], norms: Sequence[str]) -> str | None:
    """The layer that batch norm surely follows: with the number before, the same, or alone in its block."""
    base, number = numbered(stem)
    if number is not None and base.endswith("BatchNorm_"):  # Flax counts every kind of layer for itself
        beside = base.removesuffix("BatchNorm_") + "Dense_"
        dense = sum(numbered(one)[0] == beside for one in layers)
        count = sum(numbered(one)[0] == base for one in norms)
        return f"{beside}{number}" if count in (dense, dense - 1) else None
    if number is not None:
        before = [one for one in layers if numbered(one) == (base, number - 1)]
        same = [one for one in layers if numbered(one)[1] == number and numbered(one)[0] != base]
        if before or any(numbered(one)[0] == base for one in layers):
            return before[0] if before else None
        return same[0] if len(same) == 1 else None
    block = stem.rpartition(".")[0]
    inside = [one for one in layers if one.rpartition(".")[0] == block]
    alone = len(inside) == 1 and sum(one.rpartition(".")[0] == block for one in norms) == 1
    return inside[0] if alone else None
