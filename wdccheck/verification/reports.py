"""What `verify` checks of a report as a whole: its rows are those of the networks that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wdccheck import checker, kinds
from wdccheck.brackets import Bracket
from wdccheck.certification import of_network, of_pair
from wdccheck.certification.of_network import drawn_measurements
from wdccheck.checker import Check, Outcome
from wdccheck.errors import InvalidInput
from wdccheck.kinds import Kind, named
from wdccheck.linalg import hashes, inputs, matrices
from wdccheck.reports import thresholds
from wdccheck.reports.row import Row
from wdccheck.seeds import decode_seed
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Entry", "Given", "summary", "unchecked", "whole"]

_PROVENANCE = ("wdccheck", "kernel", "proofs", "conclusions")
_ASIDE = ("lower_by", "upper_by", "stopped", "engines")
_WORDS = ("state", "least_upper_by")  # another version may word them otherwise
_OTHER_THEN = ("margin", "vacuous")
_ANY_ALPHA = ("ratio_lower_any_alpha", "scope", "note", *_WORDS)


@dataclass(frozen=True, eq=False)
class Entry:
    """A row of the file, its weights supplied, and what became of the proof of its upper bound."""

    known: Bracket
    row: Mapping[str, Any]
    least: Mapping[str, Any] | None = None
    proof: Check | None = None
    least_proved: bool = False

    @property
    def place(self) -> tuple[Any, Any, Any]:
        """The kind, the layer, and the network of a pair."""
        return self.known.condition["kind"], self.known.condition.get("layer"), self.row.get("of")

    @property
    def kind(self) -> Kind:
        """What it is a row of."""
        return named(str(self.known.condition["kind"]))

    @property
    def matrices(self) -> list[np.ndarray] | None:
        """The layers at hand: a lone one, the two of a pair, the network of the others."""
        return stored_matrices(self.known)


def stored_matrices(known: Bracket) -> list[np.ndarray] | None:
    """The matrices that a result carries, as its kind needs them; None where one is missing."""
    kind, data = named(str(known.condition["kind"])), known.to_dict()
    if kind.paired:
        pair = checker.stored_pair(data)
        return None if pair is None else list(pair)
    if not kind.over_range:
        W = checker.stored_weights(data)
        return None if W is None else [W]
    stored = [checker.stored_matrix(one) for one in known.condition.get("network") or [None]]
    return None if any(W is None for W in stored) else [W for W in stored if W is not None]


@dataclass(frozen=True, eq=False)
class Given:
    """Networks and measurements that rows may lack: given by the caller, or found elsewhere in the file."""

    networks: tuple[tuple[np.ndarray, ...], ...]
    measurements: np.ndarray | None

    @staticmethod
    def of(weights: Any, measurements: Any, data: Mapping[str, Any]) -> Given:
        """The arguments of ``verify``; measurements that the report drew are drawn again."""
        networks = tuple(_networks(weights) if weights is not None else _stored(data))
        A = None if measurements is None else inputs.matrix("measurements", measurements)
        drawn = _drawn(data, networks[0]) if A is None and networks else None
        return Given(networks, A if drawn is None else drawn)

    def supplied(self, known: Bracket) -> Bracket:
        """`known` with the weights that its file does not carry; others than its own are refused later."""
        condition, found = known.condition, dict[str, Any]()
        layer, sha256 = condition.get("layer"), str(condition["sha256"])
        if not kinds.known(condition["kind"]):
            return known
        kind, single = named(condition["kind"]), [W for net in self.networks for W in net]
        if kind.paired:
            pairs = ((B, C) for B in single for C in single if len(B) == len(C))
            pair = next((pair for pair in pairs if hashes.hash_arrays(pair) == sha256), None)
            if pair is not None and "weights" not in condition:
                found = {"weights": {"B": hashes.encode(pair[0]), "C": hashes.encode(pair[1])}}
        elif kind.over_range and "network" not in condition:
            A = self.measurements
            first = [] if not kind.measured else [A] if A is not None else None
            for net in self.networks if first is not None else ():
                layers = net[:layer] if kind.per_layer and isinstance(layer, int) else net
                if hashes.hash_arrays([*(first or []), *layers]) == sha256:
                    found = {"network": [hashes.encode(W) for W in layers]}
                    found |= {"measurements": hashes.encode(A)} if kind.measured and A is not None else {}
        elif not kind.over_range and single:
            forms = (form for W in single for form in (W, matrices.other_form(W)) if form is not None)
            W = next((W for W in forms if hashes.sha256(W) == sha256), single[0])
            found = {"weights": hashes.encode(W)}
        return replace(known, condition={**condition, **found})


def summary(row: Mapping[str, Any], data: Mapping[str, Any]) -> Check:
    """Whether the numbers of a row are those of its bracket."""
    try:
        threshold = None if "pair" in data else thresholds.explicit(len(data["network"]["dims"]) - 1)
        derived = Row.from_dict(row).to_dict(threshold)
    except (TypeError, KeyError, ValueError, AttributeError):
        return Check("summary", Outcome.REFUTED, "the report is malformed")
    if "ratio_lower_any_alpha" in row:  # schema 1 has less, and another margin
        derived = {key: value for key, value in derived.items() if key in row and key not in _OTHER_THEN}
    wrong = [key for key, value in derived.items() if key not in _WORDS and row.get(key, ...) != value]
    if wrong:
        return Check("summary", Outcome.REFUTED, f"not those of the bracket: {', '.join(wrong)}")
    return Check("summary", Outcome.PROVED, "derived from the bracket again")


def unchecked(data: Mapping[str, Any]) -> Check:
    """What a file records besides its bounds, and what nothing was compared with."""
    rows = data.get("rows", ())
    brackets = [row["bracket"] for row in rows] if "rows" in data else [data]
    found = {**dict.fromkeys(name for name in _PROVENANCE if name in data),
             **dict.fromkeys(name for one in brackets for name in _ASIDE if one.get(name)),
             **dict.fromkeys(name for row in rows for name in _ANY_ALPHA if row.get(name) is not None)}
    networks = [*data.get("pair", {}).values(), data.get("network", {})]
    if "weights" in data or any("origin" in one for one in networks):
        found["origin"] = None
    return Check("other fields", Outcome.RECORDED, f"not checked: {', '.join(found)}", counts=False)


def whole(entries: Sequence[Entry], data: Mapping[str, Any], given: Given) -> Check:
    """Whether the rows are those of the networks that the report names, none left out."""
    what = "pair" if "pair" in data else "network"
    try:
        networks = data["pair"] if what == "pair" else {"": data["network"]}
        depths = {name: len(one["dims"]) - 1 for name, one in networks.items()}
        threshold = None if what == "pair" else thresholds.explicit(depths[""])
        wrong = [] if data["threshold"] == threshold else [f"threshold is {data['threshold']!r}"]
        expected = list(of_pair.places(networks) if what == "pair" else of_network.places(
            networks[""]["dims"], data["measurements"]["shape"]))
        interrupted = data["interrupted"] is True
        recorded = {name: str(one["sha256"]) for name, one in networks.items()}
    except (TypeError, KeyError, ValueError):
        return Check(what, Outcome.REFUTED, "the report is malformed")
    found = [(entry.place, list(entry.known.condition["shape"])) for entry in entries]
    if not found or found != expected[:len(found)] or (len(found) < len(expected) and not interrupted):
        return Check(what, Outcome.REFUTED, "; ".join(
            [*wrong, "its rows are not those of the networks that it names"]))
    single: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    for entry in entries:
        if entry.kind.needs == ("layer",):
            single[entry.place[2]] += entry.matrices or []
    if any(len(own) < depths[name] for name, own in single.items()):
        return Check(what, Outcome.REFUTED if wrong else Outcome.NOT_PROVED, "; ".join(wrong) or
                     "its rows are in order; the weights of some are not at hand, so nothing was compared "
                     "with the networks")
    wrong += [f"the sha256 of the weights{f' of {name}' if name else ''} is not the one recorded"
              for name, own in single.items() if hashes.hash_arrays(own) != recorded[name]]
    wrong += _strangers(entries, single, data)
    return Check(what, Outcome.REFUTED if wrong else Outcome.PROVED,
                 "; ".join(wrong) or f"{len(found)} of {len(expected)} rows, in order")


def _strangers(
    entries: Sequence[Entry], single: Mapping[str, list[np.ndarray]], data: Mapping[str, Any]
) -> Iterator[str]:
    """Rows of other layers, measurements or scales than the report says; `single`: its layers."""
    scales = {entry.place: entry.known.alpha for entry in entries}
    for entry in entries:
        layer = entry.place[1]
        name, kind = Row(entry.known).name, entry.kind
        own = entry.matrices
        if kind.paired:
            last = [single[n][-1] for n in "BC"]
            first, second = (_last_scale(entries, n) for n in "BC")
            if hashes.hash_arrays(last) != entry.known.condition["sha256"]:
                yield f"{name} is of other matrices than the last layers"
            if entry.known.alpha != first * second:
                yield f"alpha of {name} is not the product of those of the last layers"
        elif kind.over_range and kind.per_layer:
            if hashes.hash_arrays(single[""][:layer]) != entry.known.condition["sha256"]:
                yield f"{name} is of another network"
        elif kind.measured and own is not None:
            A = checker.stored_matrix(entry.known.condition.get("measurements"))
            drawn = _drawn(data, single[""])
            if hashes.hash_arrays(own) != hashes.hash_arrays(single[""]):
                yield f"{name} is of another network"
            if data["measurements"]["drawn"] is True and (
                    drawn is None or A is None or not np.array_equal(drawn, A)):
                yield "the measurements are not those that the seed gives"
    inner = [scale for (name, layer, of), scale in scales.items()
             if of and named(name).per_layer and layer < len(single[of])]
    if any(scale != 1 for scale in inner):
        yield "an inner layer is not at alpha = 1"


def _last_scale(entries: Sequence[Entry], of: str) -> float:
    """alpha of the last layer of one network of a pair."""
    layers = [entry for entry in entries if entry.kind.per_layer and entry.place[2] == of]
    return float(layers[-1].known.alpha or 0.0)


def _drawn(data: Mapping[str, Any], layers: Sequence[np.ndarray]) -> np.ndarray | None:
    """A as the report's seed gives it; None where none was drawn, or the seed is none."""
    try:
        if data["measurements"]["drawn"] is not True:
            return None
        return drawn_measurements(ReLUNetwork(tuple(layers)), decode_seed(data["seed"]))
    except (KeyError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _stored(data: Mapping[str, Any]) -> Iterator[tuple[np.ndarray, ...]]:
    """The layers that the WDC rows of a report carry: of each network, if all do."""
    for name in ("", "B", "C"):
        try:
            layers = [checker.stored_weights(row["bracket"]) for row in data.get("rows", ())
                      if named(row["kind"]).needs == ("layer",) and row["of"] == name]
        except (TypeError, KeyError, AttributeError):
            return
        if layers and all(W is not None and W.size for W in layers):
            yield tuple(W for W in layers if W is not None)


def _networks(weights: Any) -> Iterator[tuple[np.ndarray, ...]]:
    if isinstance(weights, ReLUNetwork):
        yield weights.layers
    elif isinstance(weights, list | tuple):
        if not weights:
            raise InvalidInput("weights", "at least one matrix", "none")
        if all(isinstance(one, ReLUNetwork) for one in weights):
            yield from (one.layers for one in weights)
        else:
            yield tuple(matrices.layer(f"weights[{i}]", W) for i, W in enumerate(weights))
    else:
        yield (matrices.layer("weights", weights),)
