"""Saved results that somebody has changed, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace

import wdccheck as wc
from examples.checks import outcomes
from wdccheck.checker import reevaluate


def verify(data, folder, **options):
    """The checks of a result given as plain data."""
    path = folder / "forged.json"
    path.write_text(json.dumps({"schema": 1, **data}))
    return wc.verify(path, **options)


def only_the_genuine_one_is_proved(result, folder):
    """A bracket over the range of a network: its witness proves its lower bound, and nothing else passes."""
    assert reevaluate(result.to_dict()).outcome == "proved"
    assert reevaluate(replace(result, lower=result.lower * (1 - 1e-8)).to_dict()).outcome == "proved"
    condition, witness = result.condition, result.witness
    for forged in ({"lower": result.lower * (1 + 1e-8)}, {"witness": {**witness, "x1": witness["x1"] + 1e-3}},
                   {"witness": {**witness, "x3": witness["x3"][:1]}},
                   {"condition": {**condition, "sha256": "0" * 64}}):
        assert reevaluate(replace(result, **forged).to_dict()).outcome == "refuted", forged
    bare = {key: value for key, value in condition.items() if key != "network"}
    assert reevaluate(replace(result, condition=bare).to_dict()).outcome == "not proved"
    result.save(folder / "result.json")
    assert outcomes(wc.verify(folder / "result.json")) == ["proved", "proved"]
