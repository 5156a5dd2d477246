"""Weights that a file holds as parts, as of weight normalization: put together, or the call that does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.selection import Arrays, listed
from wdccheck.weights.readers.source import shown

__all__ = ["Folds", "named_part", "put_together", "said"]

_PART = re.compile(r"(?P<stem>|.*[._/])(?:(?P<old>weight|bias)_(?P<part>g|v|u|orig|mask)"
                   r"|parametrizations\.(?P<new>weight|bias)\.(?P<inner>original[01]?|\d+\._[uv]))")
_CALLS = [  # what a name is a part of, and how to have plain weights
    (r"weight_[gv]$", "a part of a weight norm; torch.nn.utils.remove_weight_norm(module) before saving "
                      "makes it plain"),
    (r"parametrizations\.", "a part of a parametrization; torch.nn.utils.parametrize.remove_parametrizations("
                            "module, 'weight') before saving makes it plain"),
    (r"(weight|bias)_mask$", "a mask of pruned entries; torch.nn.utils.prune.remove(module, 'weight') before "
                             "saving applies it"),
    (r"(weight|bias)_(u|orig)$", "a part of a weight that is scaled where it is used, as by spectral norm; "
                                 "torch.nn.utils.remove_spectral_norm(module) before saving makes it plain"),
    (r"lora_(A|B|embedding)|lora_magnitude", "a part of a low-rank adapter; model.merge_and_unload() of peft "
                                             "before saving adds it to the weights"),
    (r"weight_(scale|zero_point|format)|\.SCB$|weight\.(absmax|quant)",
     "a part of a quantized weight; x.dequantize() before saving makes it plain"),
    (r"(weight|bias)_(ih|hh)", "a part of a recurrent layer (--arrays takes others)"),
    (r"in_proj", "a part of an attention layer (--arrays takes others)"),
]


@dataclass(frozen=True)
class _Fold:
    """How parts make a weight: a name, what it means, and the function of the arrays of the parts."""

    name: str
    means: str
    of: Callable[..., np.ndarray]


Folds = dict[str, tuple[_Fold, tuple[str, ...]]]
"""The names of weights that were put together: how, and of which arrays."""


def named_part(name: str) -> str:
    """What an array of this name is a part of, and how to have it plain; empty if it may be plain itself."""
    return next((told for pattern, told in _CALLS if re.search(pattern, name, re.IGNORECASE)), "")


def put_together(arrays: Arrays) -> tuple[Arrays, Folds]:
    """The arrays with every weight that parts make in place of these.

    Examples
    --------
    >>> import numpy as np
    >>> parts = {"0.weight_g": np.array([[10.0]]), "0.weight_v": np.array([[3.0, 4.0]])}
    >>> found, folds = put_together(Arrays.read("net.npz", parts))
    >>> found.entries["0.weight"](), list(folds)
    (array([[6., 8.]]), ['0.weight'])
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in arrays.entries:
        if match := _PART.fullmatch(name):
            key = match["stem"] + (match["old"] or match["new"]), "old" if match["old"] else "new"
            found.setdefault(key, {})[match["part"] or match["inner"]] = name
    folds: Folds = {}
    for (whole, _), parts in found.items():
        roles = tuple(sorted(parts))
        if roles in _FOLDS and whole not in arrays.entries and whole not in folds:
            folds[whole] = _FOLDS[roles], tuple(parts[role] for role in roles)
    first = {names[0]: whole for whole, (_, names) in folds.items()}
    inside = {name for _, names in folds.values() for name in names}
    entries: dict[str, Callable[[], np.ndarray]] = {}
    for name, read in arrays.entries.items():
        if name in first:
            entries[first[name]] = partial(_made, arrays, first[name], *folds[first[name]])
        elif name not in inside:
            entries[name] = read
    return replace(arrays, entries=entries), folds


def said(folds: Folds, used: Iterable[str]) -> tuple[str, ...]:
    """What was put together, one line for each kind: which of the arrays `used`, of which parts, and how."""
    kinds: dict[_Fold, list[str]] = {}
    for name in used:
        if name in folds:
            fold, parts = folds[name]
            kinds.setdefault(fold, []).append(f"{shown(name)} of {' and '.join(map(shown, parts))}")
    return tuple(f"{fold.name}: {listed(names, 4)}: {fold.means}" for fold, names in kinds.items())


def _made(arrays: Arrays, whole: str, fold: _Fold, parts: tuple[str, ...]) -> np.ndarray:
    """A weight of its parts."""
    read = [np.asarray(arrays.entries[name]()) for name in parts]
    thing = f"{arrays.source}: {fold.name} of {shown(whole)}"
    if any(one.dtype.kind not in "fiub" for one in read):
        raise InvalidInput(thing, "real numbers", " and ".join(str(one.dtype) for one in read))
    read = [one.astype(np.float64) for one in read]  # copies, which a fold may use up
    if not all(np.isfinite(one).all() for one in read):
        raise InvalidInput(thing, "finite numbers", "nan or inf")
    return fold.of(thing, *read)


def _weight_norm(thing: str, g: np.ndarray, v: np.ndarray) -> np.ndarray:
    """g v/|v|, the norm taken over the axes along which g has one entry."""
    axes = tuple(i for i, n in enumerate(g.shape) if n == 1)
    fits = g.ndim == v.ndim and all(a in (1, b) for a, b in zip(g.shape, v.shape, strict=True))
    kept, wide = g.ndim - len(axes), sum(n > 1 for n in v.shape)
    if g.ndim and not (fits and (kept == 1 or (kept == 0 and wide <= 1))):
        raise InvalidInput(thing, "a length for every row, every column or the whole of its directions",
                           f"shapes {g.shape} and {v.shape}")
    over: Any = axes if g.ndim else None
    largest = np.abs(v).max(axis=over, keepdims=True, initial=0.0)
    if v.size == 0 or not largest.all():
        raise InvalidInput(thing, "directions that are not 0", "a direction of zeros")
    unit = np.ldexp(v, -np.frexp(largest)[1], out=v)
    unit /= np.sqrt((unit * unit).sum(axis=over, keepdims=True))
    unit *= g
    return unit


def _spectral_norm(thing: str, W: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """W / (u . W v)."""
    if W.ndim != 2 or (u.shape, v.shape) != ((W.shape[0],), (W.shape[1],)):
        raise InvalidInput(thing, "a matrix and its singular vectors", f"shapes {W.shape}, {u.shape}, "
                           f"{v.shape}; torch.nn.utils.remove_spectral_norm(module) makes it plain")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sigma, size = float(u @ (W @ v)), float(np.abs(u) @ (np.abs(W) @ np.abs(v)))
        if not 1e-5 * size < abs(sigma) < np.inf:
            raise InvalidInput(thing, "a norm u . W v that is not 0 beyond rounding", repr(sigma))
        W /= sigma
    return W


def _pruned(thing: str, mask: np.ndarray, W: np.ndarray) -> np.ndarray:
    """The entries that the mask keeps."""
    if mask.shape != W.shape or not np.isin(mask, (0.0, 1.0)).all():
        raise InvalidInput(thing, f"a mask of zeros and ones of shape {W.shape}", f"shape {mask.shape}"
                           if mask.shape != W.shape else "other numbers")
    W[mask == 0.0] = 0.0
    return W


_NORMED = _Fold("weight norm", "W = g v/|v|, |v| over the axes along which g has one entry; the "
                "bounds are of the W computed in float64", _weight_norm)
_SCALED = _Fold("spectral norm", "W = original/(u . original v), as at evaluation and along axis 0; the "
                "bounds are of the W computed in float64", _spectral_norm)
_FOLDS = {
    ("g", "v"): _NORMED, ("original0", "original1"): _NORMED,
    ("orig", "u", "v"): _SCALED,
    ("0._u", "0._v", "original"): replace(_SCALED, of=lambda thing, u, v, W: _spectral_norm(thing, W, u, v)),
    ("mask", "orig"): _Fold("pruning", "the entries that the mask keeps, and 0; exact", _pruned),
}
