"""Which dictionary of a PyTorch file is the network: the only one, the one that its name or a key says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.chain import Chain, Dense, Norm
from wdccheck.weights.readers.names import named_chain
from wdccheck.weights.readers.pytorch import Held
from wdccheck.weights.readers.selection import Ambiguous, Selection, listed
from wdccheck.weights.readers.source import shown

__all__ = ["checkpoint_chain"]

_TRIED, _ENTRIES = 4, 2**24  # dictionaries that are read to say how to take them, numbers of one


def checkpoint_chain(source: str, held: Sequence[Held], choice: Selection) -> Chain:
    """The chain of the dictionary of tensors that is meant.

    It is the one of the key that was asked for; the only one that has matrices; or the only one that is
    called a state dict, where nothing suggests that the others are layers.

    Raises
    ------
    Ambiguous
        It is in doubt which; the message has the options that take each.
    InvalidInput
        As for :func:`named_chain`.
    """
    found = _meant(held, choice)
    if len(found) != 1:
        every = [one for one in found or held if not one.inside] or found
        matrices = [one for one in every if one.has_matrices] or every
        required = ("one dictionary of tensors, or --key to choose one" if choice.key is None else
                    f"a key of a dictionary that holds tensors, and not {shown(choice.key)}")
        left = f" and {len(matrices) - _TRIED} more" if len(matrices) > _TRIED else ""
        raise Ambiguous(source, required, f"{len(matrices)}{left}",
                        sorted((_way(one, choice) for one in matrices[:_TRIED]), key=_narrows))
    one = found[0].arrays
    others = [f"{listed(map(shown, other.arrays.entries), 2)} of "
              f"{shown(other.key) if other.key else 'the top'}" for other in held
              if other is not found[0] and not other.inside]
    return named_chain(replace(one, elsewhere=(*one.elsewhere, *others)), choice)


def _meant(held: Sequence[Held], choice: Selection) -> list[Held]:
    """The dictionaries that may be meant."""
    if choice.key is not None:
        exact = [one for one in held if one.key == choice.key]
        if exact:
            return [one for one in exact if not one.inside] or exact
    every = [one for one in held if not one.inside]
    matrices = [one for one in every if one.has_matrices] or every
    if choice.key is not None:
        return [one for one in matrices if one.key.startswith(f"{choice.key}.")]
    if choice.arrays and len(matrices) > 1:  # the names may say which
        return [one for one in matrices if choice.fits(one.arrays.entries)]
    called = [one for one in matrices if one.key.endswith("state_dict")]
    others = [one for one in matrices if one not in called]
    return called if len(called) == 1 and all(one.loose for one in others) else matrices


def _way(one: Held, choice: Selection) -> str:
    """The options that read this dictionary, found by reading it, and its widths; else what it holds."""
    key = f"--key {shown(one.key)}"
    if one.entries <= _ENTRIES:
        try:
            steps = named_chain(one.arrays, replace(choice, key=None)).steps
        except Ambiguous as error:
            if error.ways and not choice.arrays:
                return f"{key} {error.ways[0]}"
        except InvalidInput:
            pass
        else:
            layers = [step for step in steps if isinstance(step, Dense)]
            beside = choice.beside(any(step.b is not None for step in layers),
                                   any(isinstance(step, Norm) for step in steps))
            return f"{key}{beside} ({'-'.join(map(str, _widths(layers)))})"
    return f"--key {one}"


def _narrows(way: str) -> bool:
    """Whether the widths at the end of a way do not grow, as those of a generator do."""
    ends = re.search(r"\((\d+)-(?:.*-)?(\d+)\)$", way)
    return ends is None or int(ends[2]) <= int(ends[1])


def _widths(layers: Sequence[Dense]) -> list[int]:
    return [layers[0].W.shape[1], *(layer.W.shape[0] for layer in layers)] if layers else []
