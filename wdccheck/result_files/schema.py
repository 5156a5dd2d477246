"""Schema 2, which schema 1 fits: every field of the file of a bracket or of a report, and its form.

What a file says of bounds is checked by ``verify``; here it is only checked that it says it in this form.
`arrays`, `proofs`, `conclusions` and `low` are for later versions: they are allowed, and nothing reads them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck import kinds
from wdccheck.errors import InvalidInput
from wdccheck.result_files.shapes import (
    all_of,
    boolean,
    bound,
    hexadecimal,
    integer,
    little_endian,
    many,
    named,
    nothing,
    null_or,
    number,
    one_of,
    open_record,
    plain,
    record,
    refuse,
    text,
)
from wdccheck.stops import Reason

__all__ = ["check_bracket", "check_calibration", "check_report"]

_SIZES = {sides: many(integer(1), sides, sides) for sides in (2, 3)}
_STORED = record({"shape": _SIZES[2], "data": text}, {"imaginary": text, "indptr": text, "indices": text})


def _matrix(value: Any, thing: str, *, complex_too: bool = False, sparse_too: bool = False) -> None:
    """A matrix, whole: as many finite entries as its shape says."""
    _STORED(value, thing)
    is_sparse = "indptr" in value or "indices" in value
    if (is_sparse and not (sparse_too and {"indptr", "indices"} <= set(value))) or (
            "imaginary" in value and (is_sparse or not complex_too)):
        raise refuse(thing, "a matrix in this place", sorted(value))
    n, k = value["shape"]
    for part in ("data", "imaginary"):
        entries = little_endian(value[part], f"{thing}: {part}") if part in value else b""
        if len(entries) % 8 or (part in value and not is_sparse and len(entries) != 8 * n * k):
            raise refuse(f"{thing}: {part}", f"{n} x {k} numbers of 8 bytes", f"{len(entries)} bytes")
        if not np.isfinite(np.frombuffer(entries, "<f8")).all():
            raise refuse(f"{thing}: {part}", "finite numbers", "nan or inf")
    for part in ("indptr", "indices") if is_sparse else ():
        little_endian(value[part], f"{thing}: {part}")


def _layer(value: Any, thing: str) -> None:
    _matrix(value, thing, sparse_too=True)


def _orthonormal(value: Any, thing: str) -> None:
    _matrix(value, thing, complex_too=True)


def _alpha(value: Any, thing: str) -> None:
    number(value, thing)
    if not value > 0:
        raise refuse(thing, "a number > 0", value)


_ABOUT = {"kind": text, "shape": many(integer(1), 1), "sha256": text}
_OPEN = open_record(_ABOUT, {
    "layer": null_or(integer(1)), "options": named(plain),
    "network": many(plain), "weights": plain, "measurements": plain})
"""A condition of a kind that this version does not know, of a user of the protocol."""


def _condition(value: Any, thing: str) -> None:
    _OPEN(value, thing)
    if not kinds.known(value["kind"]):
        return
    kind = kinds.named(value["kind"])
    carried: dict[str, Any] = {"weights": record({"B": _matrix, "C": _matrix}) if kind.paired else _layer}
    if kind.over_range:
        carried = {"network": many(_matrix, 1)}
    if kind.measured:
        carried["measurements"] = _orthonormal if kind.orthonormal else _matrix
    layer = null_or(integer(1)) if not kind.over_range else integer(1)
    record({
        **_ABOUT, "sha256": hexadecimal(64), "alpha": _alpha if kind.scaled else nothing,
        "layer": layer if kind.per_layer else nothing,
        "shape": many(integer(1), kind.sizes, kind.sizes),
        "options": record({"dims": many(integer(1), 2)} if kind.over_range else {},
                          {"floor": bound} if kind.measured else {}),
    }, carried)(value, thing)
    _fitting(value, kind, thing)


def _fitting(condition: Mapping[str, Any], kind: kinds.Kind, thing: str) -> None:
    """Refuse shapes that are not those of the arrays beside them."""
    shape, weights = list(condition["shape"]), condition.get("weights")
    if kind.paired:
        found = [] if weights is None else [list(weights[name]["shape"]) for name in "BC"]
        if found and found != [shape[:2], [shape[0], shape[2]]]:
            raise refuse(f"{thing}: shape", f"that of weights of {found[0]} and {found[1]}", shape)
    elif weights is not None and list(weights["shape"]) != shape:
        raise refuse(f"{thing}: shape", f"{weights['shape']}, that of its weights", shape)
    if not kind.over_range:
        return
    dims, network = list(condition["options"]["dims"]), condition.get("network", [])
    if shape != [shape[0], dims[-1]] if kind.measured else shape != [dims[-1], dims[-2]]:
        raise refuse(f"{thing}: shape", f"what fits the network {dims}", shape)
    if kind.per_layer and condition["layer"] != len(dims) - 1:
        raise refuse(f"{thing}: layer", f"{len(dims) - 1}, the last of {dims}", condition["layer"])
    if network and [list(W["shape"]) for W in network] != [[n, k] for k, n in pairwise(dims)]:
        raise refuse(f"{thing}: network", f"layers of {dims}", [W["shape"] for W in network])
    A = condition.get("measurements")
    if A is not None and list(A["shape"]) != shape:
        raise refuse(f"{thing}: measurements", f"the shape {shape}", A["shape"])


_COORDINATES = record({"value": many(number, 1), "hex": many(text, 1)}, {"low": many(text, 1)})


def _coordinates(value: Any, thing: str) -> None:
    """The decimals, for readers, are the numbers in hexadecimal."""
    _COORDINATES(value, thing)
    for part in ("hex", "low") if "low" in value else ("hex",):
        try:
            numbers = [float.fromhex(x) for x in value[part]]
        except (ValueError, OverflowError):
            raise refuse(f"{thing}: {part}", "numbers as float.hex writes them", value[part]) from None
        if not all(map(math.isfinite, numbers)) or len(numbers) != len(value["value"]):
            raise refuse(f"{thing}: {part}", f"{len(value['value'])} finite numbers", value[part])
        if part == "hex" and numbers != value["value"]:
            raise refuse(f"{thing}: value", "the numbers of hex", value["value"])


_WITNESS = named(_coordinates)


def _digits(value: Any, thing: str) -> None:
    """An integer >= 0 of any size: a string of digits, as JSON's readers differ on large ones."""
    if not isinstance(value, str) or not re.fullmatch("0|[1-9][0-9]{0,1000}", value):
        raise refuse(thing, "a string of digits", value)


def _entropy(value: Any, thing: str) -> None:
    (many(_digits) if isinstance(value, list | tuple) else _digits)(value, thing)


_SMALL = "(0|[1-9][0-9]{0,39})"
_SEQUENCE = record({"entropy": _entropy, "spawn_key": many(_digits)})


def _seed(value: Any, thing: str) -> None:
    """An integer, or the entropy and the key of a sequence; in schema 1 a list of integers, as a string."""
    old = isinstance(value, str) and re.fullmatch(rf"\[{_SMALL}(, {_SMALL})*\]", value)
    if not old:
        (_SEQUENCE if isinstance(value, Mapping) else _digits)(value, thing)


_STOP = record({"reason": one_of(*(reason.value for reason in Reason)), "detail": text})
_WORK = record({"repr": text, "seed": _seed, "work": integer(0), "unit": text, "seconds": bound})
_LATER = {"proofs": many(plain), "conclusions": many(plain)}
_MADE_BY = {"schema": integer(1), "wdccheck": text, "kernel": text}
_ORIGIN = record(
    {"file": text, "layers": many(text), "ordered_by": text, "options": named(text)},
    {"arrays": many(plain), "key": text, "unused": many(text), "checked": text, "folded": many(text)})


def _ordered(value: Any, thing: str) -> None:
    if value["upper"] is not None and not value["lower"] <= value["upper"]:
        raise InvalidInput(thing, "lower <= upper", f"{value['lower']} > {value['upper']}")


_LEAST = all_of(record({
    "lower": bound, "upper": bound, "upper_by": text, "alpha": null_or(_alpha),
    "witnesses": many(_WITNESS, 0, 2),
}), _ordered)


def _minimized(value: Any, thing: str) -> None:
    """A minimum over alpha stands beside the bracket of a kind that has an alpha."""
    kind = value.get("bracket", value)["condition"]["kind"]
    if value.get("least") is not None and not (kinds.known(kind) and kinds.named(kind).scaled):
        raise refuse(f"{thing}: least", f"null, as {ascii(kind)[:30]} has no alpha", value["least"])


def _of_its_kind(value: Any, thing: str) -> None:
    """A row is of the kind of its bracket."""
    if value["kind"] != value["bracket"]["condition"]["kind"]:
        raise refuse(f"{thing}: kind", "that of its bracket", value["kind"])


def _beside(value: Any, thing: str) -> None:
    """Both sides of a result that may have them are of its data."""
    if "isometry" not in value:
        return
    condition = value.get("bracket", value)["condition"]
    sides = kinds.named(condition["kind"]).sides if kinds.known(condition["kind"]) else ()
    own = value["isometry"]
    if [one["bracket"]["condition"]["kind"] for one in (own["lower"], own["upper"])] != list(sides):
        raise refuse(f"{thing}: isometry", f"what fits a {ascii(condition['kind'])[:30]}", "another kind")
    for one in (own["lower"], own["upper"]):
        about = one["bracket"]["condition"]
        if any(about[key] != condition[key] for key in ("shape", "sha256")):
            raise refuse(f"{thing}: isometry", "that of the same weights", about["sha256"])


def _isometry(value: Any, thing: str) -> None:
    number_or_none = null_or(bound)
    side = record({"exhibited": number_or_none, "proved": number_or_none, "bracket": _BRACKET})
    record({"lower": side, "upper": side})(value, thing)


_BRACKET = all_of(record({
    "condition": _condition, "lower": bound, "upper": null_or(bound), "witness": null_or(_WITNESS),
    "part": null_or(text), "lower_by": text, "upper_by": text, "stopped": named(_STOP, "lower", "upper"),
    "engines": many(_WORK),
}, {**_MADE_BY, **_LATER, "weights": many(_ORIGIN), "row": named(plain), "least": null_or(_LEAST),
    "isometry": _isometry}), _ordered, _minimized, _beside)

_CALIBRATION = record({
    "schema": integer(1), "sha256": hexadecimal(64), "alpha": _alpha, "lower": bound, "vacuous": boolean,
    "proved_alpha": _alpha, "witnesses": many(_WITNESS, 0, 2)})

_NETWORK = record({"dims": many(integer(1), 2), "sha256": hexadecimal(64)}, {"origin": _ORIGIN})
_ROW = all_of(record({
    "kind": one_of(*(kind.name for kind in kinds.KINDS)), "layer": null_or(integer(1)),
    "of": one_of("", "B", "C"), "shape": many(integer(1), 2, 3), "alpha": null_or(_alpha), "lower": bound,
    "upper": null_or(bound), "gap": null_or(bound), "ratio_lower": bound, "ratio_upper": null_or(bound),
    "margin": null_or(number), "lower_by": text, "upper_by": text,
    "stopped": named(text, "lower", "upper"), "vacuous": null_or(boolean), "bracket": _BRACKET,
}, {
    "note": text,  # the earliest files have none
    "ratio_lower_any_alpha": null_or(bound),  # schema 1; what follows: schema 2
    "least_lower": null_or(bound), "least_upper": null_or(bound), "least_upper_by": null_or(text),
    "least": null_or(_LEAST), "scope": one_of("best", "given", "pair"), "state": text,
    "isometry": _isometry,
}), _of_its_kind, _minimized, _beside)
_REPORT = {"wdccheck": text, "kernel": text, "seed": _seed, "interrupted": boolean,
           "threshold": null_or(number), "rows": many(_ROW, 1)}
_BESIDE = {"schema": integer(1), **_LATER}
_OF_ONE = record({**_REPORT, "network": _NETWORK,
                  "measurements": record({"shape": _SIZES[2], "drawn": boolean})}, _BESIDE)
_OF_TWO = record({**_REPORT, "pair": record({"B": _NETWORK, "C": _NETWORK})}, _BESIDE)


def check_bracket(data: Any, source: str) -> None:
    """InvalidInput, naming the field, for what is not a bracket as :meth:`Bracket.to_dict` gives it."""
    _BRACKET(data, source)


def check_calibration(data: Any, source: str) -> None:
    """The same for a calibration as `certify` keeps it beside a checkpoint."""
    _CALIBRATION(data, source)


def check_report(data: Any, source: str) -> None:
    """The same for a report as :meth:`Report.to_dict` gives it."""
    (_OF_TWO if isinstance(data, Mapping) and "pair" in data else _OF_ONE)(data, source)
