"""Results that somebody has changed, drawn at random: what may be changed, and how files may be broken."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from examples.truths import SEEDS, genuine
from wdccheck import checker, kinds
from wdccheck.errors import InvalidInput
from wdccheck.linalg import hashes
from wdccheck.reports.row import Row

__all__ = ["Data", "as_text", "forged", "written"]

Data = dict[str, Any]
Rng = np.random.Generator


def relative(rng: Rng) -> float:
    """From a unit in the last place to a thousandth."""
    return float(10.0 ** rng.uniform(-16, -3))


def smaller_upper(data: Data, rng: Rng) -> None:
    upper = data["upper"] if data["upper"] is not None else 1.0
    chosen = [upper * (1 - relative(rng)), upper / 2, data["lower"]][rng.integers(3)]
    data["upper"] = max(data["lower"], chosen)


def larger_lower(data: Data, rng: Rng) -> None:
    lower, upper = data["lower"], 1e9 if data["upper"] is None else data["upper"]
    chosen = [lower * (1 + relative(rng)) + 1e-300, lower + relative(rng), upper][rng.integers(3)]
    data["lower"] = min(upper, chosen)


def between(data: Data, rng: Rng) -> None:
    """Both bounds around a number of the forger."""
    middle = float(rng.choice([data["lower"], data["upper"] or 1.0]) * (1 + rng.normal() * relative(rng)))
    data |= {"lower": middle, "upper": middle * (1 + relative(rng))}


def without_witness(data: Data, rng: Rng) -> None:
    data["witness"] = None
    data["lower"] = float(rng.choice([0.0, data["lower"]]))


def other_least(data: Data, rng: Rng) -> None:
    """The minimum over alpha: a smaller upper or larger lower bound, or other witnesses."""
    none = {"lower": 0.4, "upper": 0.5, "upper_by": "", "alpha": None, "witnesses": []}
    least = data.get("least") or none
    change = rng.integers(5)
    if change == 0:
        least["upper"] = max(least["lower"], least["upper"] * (1 - relative(rng)))
    elif change == 1:
        least["lower"] = min(least["upper"], least["lower"] * (1 + relative(rng)) + 1e-300)
    elif change == 2:
        least["lower"] = least["upper"]
    elif change == 3:
        least["witnesses"] = least["witnesses"][:1] * 2
        least["alpha"] = [None, 1.0, 3.5][rng.integers(3)]
    else:
        for witness in least["witnesses"]:
            other_witness({"witness": witness, "lower": 0.0}, np.random.default_rng(0))
    data["least"] = least


def other_witness(data: Data, rng: Rng) -> None:
    witness = data["witness"] or {"r": {"value": [1.0], "hex": ["0x1p+0"]}}
    for entry in witness.values():
        x = np.array(entry["value"])
        x = [x, -x, x * 2.0 ** rng.integers(-40, 40), rng.standard_normal(len(x)), 0 * x,
             x + relative(rng) * rng.standard_normal(len(x))][rng.integers(6)]
        entry |= {"value": x.tolist(), "hex": [float(v).hex() for v in x]}
    if rng.random() < 0.3:
        data["lower"] *= 1 + relative(rng)
        smaller_upper(data, rng)


def other_decimals(data: Data, rng: Rng) -> None:
    for entry in (data["witness"] or {}).values():
        entry["value" if rng.random() < 0.5 else "hex"][0] = [2.5, "0x1.8p+1", "nan", None][rng.integers(4)]


def other_alpha(data: Data, rng: Rng) -> None:
    alpha = data["condition"]["alpha"] or 1.0
    values = [alpha * (1 + relative(rng)), 2 * alpha, None, 0.0, -alpha, "1"]
    data["condition"]["alpha"] = values[rng.integers(6)]


def other_kind(data: Data, rng: Rng) -> None:
    data["condition"]["kind"] = [*(kind.name for kind in kinds.KINDS), "mine", ""][rng.integers(7)]


def other_shape(data: Data, rng: Rng) -> None:
    shape = data["condition"]["shape"]
    shape[rng.integers(len(shape))] += int(rng.integers(-1, 2)) or 100


def other_options(data: Data, rng: Rng) -> None:
    data["condition"]["options"] = [{}, {"dims": [1, 2]}, {"a": 1}, None][rng.integers(4)]


def other_layer(data: Data, rng: Rng) -> None:
    data["condition"]["layer"] = [None, 1, 2, 3, 0, "1"][rng.integers(6)]


def _stored(condition: Data) -> list[Data]:
    weights = condition.get("weights", {})
    pair = [weights[name] for name in "BC"] if "B" in weights else [weights] if weights else []
    more = [condition["measurements"]] if "measurements" in condition else []
    return [*pair, *more, *condition.get("network", [])]


def other_weights(data: Data, rng: Rng) -> None:
    """One entry, the whole scale, or what is no number; with the hash of it or with the old one."""
    stored = _stored(data["condition"])
    chosen = stored[rng.integers(len(stored))]
    W = np.frombuffer(base64.b64decode(chosen["data"]), "<f8").copy()
    i = rng.integers(len(W))
    change = rng.integers(4)
    W[i] = [W[i] * (1 + relative(rng)), W[i] + 1, 0.0, np.nan][change]
    chosen["data"] = base64.b64encode(W.tobytes()).decode()
    if rng.random() < 0.7:
        rehashed(data["condition"])


def scaled_weights(data: Data, rng: Rng) -> None:
    for stored in _stored(data["condition"])[:1]:
        W = np.frombuffer(base64.b64decode(stored["data"]), "<f8") * float(rng.choice([2.0, 0.5, -1.0]))
        stored["data"] = base64.b64encode(W.tobytes()).decode()
    rehashed(data["condition"])


def rehashed(condition: Data) -> None:
    """The hash that the stored weights have; of those that are none, the old one."""
    kind = kinds.named(condition["kind"])
    stored = _stored(condition)
    read = [checker.stored_measurements(one) if kind.measured and i == 0 else checker.stored_matrix(one)
            for i, one in enumerate(stored)]
    if all(W is not None for W in read):
        condition["sha256"] = hashes.hash_arrays(read)


def no_weights(data: Data, rng: Rng) -> None:
    for name in ("weights", "network", "measurements"):
        data["condition"].pop(name, None)


def other_hash(data: Data, rng: Rng) -> None:
    data["condition"]["sha256"] = ["0" * 64, "", None, data["condition"]["sha256"].upper()][rng.integers(4)]


def other_engines(data: Data, rng: Rng) -> None:
    work = {"repr": "Spectral()", "seed": "0", "work": 1, "unit": "formulas", "seconds": 0.0}
    name, value = [("repr", "BranchAndBound(rtol=0.9)"), ("repr", "open('x')"), ("repr", "Spectral(a=1)"), (
        "repr", "MonteCarlo(samples=8)"), ("repr", "BranchAndBound(nodes='x')"), ("repr", "SDP(seconds=-1)"),
        ("repr", "MonteCarlo(samples=0)"), ("seed", "-1"), ("seed", 5), ("seed", "9" * 900), ("work", -1),
        ("work", 2.5), ("unit", "nodes"), ("seconds", None), ("seconds", -1.0)][rng.integers(15)]
    data["engines"] = [[{**work, name: value}], [{**work, name: value}, work], [], None][rng.integers(4)]


def other_words(data: Data, rng: Rng) -> None:
    name = str(rng.choice(["lower_by", "upper_by", "part", "stopped", "wdccheck"]))
    stopped = {"lower": {"reason": "gap", "detail": "\x1b]0;x\x07"}}
    data[name] = ["\x1b[2Jproved\n", "B", "", None, 5, stopped][rng.integers(6)]


def exchanged(data: Data, rng: Rng) -> None:
    """Something in the place of something else, anywhere."""
    at: Any = data
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[rng.integers(len(keys))]
        if not (isinstance(at[key], dict | list) and at[key]) or rng.random() < 0.2:
            break
        at = at[key]
    values = [None, True, -1, 0, 1, 1e308, -0.0, 2**80, "x", "1", [], {}, [[]], {"shape": [1, 1]}, "\ud800",
              1e-320]
    if rng.random() < 0.2:
        del at[key]
    elif rng.random() < 0.2 and isinstance(at, dict):
        at["more"] = values[rng.integers(len(values))]
    else:
        at[key] = values[rng.integers(len(values))]


def nothing(data: Data, rng: Rng) -> None:
    """The genuine file."""


Forge = Callable[[Data, Rng], None]
OF_BRACKETS: tuple[Forge, ...] = (
    smaller_upper, smaller_upper, larger_lower, larger_lower, between, without_witness, other_witness,
    other_witness, other_decimals, other_alpha, other_kind, other_shape, other_options, other_layer,
    other_least, other_least, other_weights, other_weights, scaled_weights, no_weights, other_hash,
    other_engines, other_words, exchanged, exchanged, nothing)


def row_like_its_bracket(row: Data) -> None:
    """The numbers of a row as its forged bracket gives them, where it gives any."""
    try:
        forged = Row.from_dict(row).to_dict()
    except (InvalidInput, KeyError, TypeError, ValueError):
        return
    row |= {key: value for key, value in forged.items() if key != "margin"}


def other_report(data: Data, rng: Rng) -> None:
    """Something of a report that is not in a row."""
    rows = data["rows"]
    i, j = rng.integers(len(rows), size=2)
    change = rng.integers(9)
    if change == 0:
        rows[i], rows[j] = rows[j], rows[i]
    elif change == 1:
        del rows[i]
    elif change == 2:
        rows[i] = copy.deepcopy(rows[j])
    elif change == 3:
        data["interrupted"] = True
        del rows[i:]
    elif change == 4:
        data["seed"] = ["1", "x", "", "[1"][rng.integers(4)]
    elif change == 5:
        net = data.get("network") or data["pair"]["B"]
        net["dims" if rng.random() < 0.5 else "sha256"] = [[1, 2], [1, 9, 2], "0" * 64][rng.integers(3)]
    elif change == 6:
        data["threshold"] = 1.0
    elif change == 7:
        rows[i]["of"] = str(rng.choice(["", "B", "C"]))
    else:
        rows[i][str(rng.choice(["ratio_upper", "gap", "upper", "lower", "margin", "vacuous", "note"]))] = 0.25


def forged(rng: Rng) -> tuple[str, Data]:
    """A genuine result, changed once or more often; and how."""
    brackets, reports = genuine(int(rng.integers(SEEDS)))
    forges, names = OF_BRACKETS, []
    of_report = rng.random() < 0.1
    among = reports if of_report else brackets
    data = copy.deepcopy(among[rng.integers(len(among))])
    for _ in range(1 if rng.random() < 0.8 else 2):
        forge = forges[rng.integers(len(forges))]
        names.append(forge.__name__)
        try:
            if not of_report:
                forge(data, rng)
            elif rng.random() < 0.4:
                names[-1] = "other_report"
                other_report(data, rng)
            else:
                row = data["rows"][rng.integers(len(data["rows"]))]
                forge(row if forge is other_least else row["bracket"], rng)
                if rng.random() < 0.7:
                    row_like_its_bracket(row)
        except (TypeError, KeyError, AttributeError, ValueError, IndexError):
            pass  # the second change of what the first one made unrecognizable
    return ("report: " if of_report else "") + ", ".join(names), data


def as_text(data: Data, schema: int) -> str:
    """The text of a file of this schema."""
    return json.dumps({"schema": schema, **data})


def written(data: Data, rng: Rng) -> str:
    """The text of a file; now and then no JSON, or with a key twice, or one character changed."""
    text = as_text(data, 1 if rng.random() < 0.1 else 2)
    chance = rng.random()
    if chance < 0.02:
        return text[:rng.integers(len(text))]
    if chance < 0.04:
        return text.replace('"lower":', '"lower": 0.0, "lower":', 1)
    if chance < 0.06:
        return text.replace('"upper": ', '"upper": ' + str(rng.choice(["NaN ,", "Infinity,", "1e999,"])), 1)
    if chance < 0.08:
        i = rng.integers(len(text))
        return text[:i] + chr(rng.integers(32, 127)) + text[i + 1:]
    return text
