"""Saved results that somebody has changed, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace

import wdccheck as wc
from wdccheck.checker import reevaluate


def verify(data, folder, **options):
    """The checks of a result given as plain data."""
    path = folder / "forged.json"
    path.write_text(json.dumps({"schema": 1, **data}))
    return wc.verify(path, **options)


def refuted(checks):
    return [check for check in checks if check.passed is False]


def only_the_genuine_one_is_confirmed(result, folder):
    """A bracket over the range of a network: its witness is confirmed, and anything else is not."""
    assert reevaluate(result.to_dict()).passed is True
    condition, witness = result.condition, result.witness
    for forged in ({"lower": result.lower * (1 + 1e-8)}, {"lower": result.lower * (1 - 1e-8)},
                   {"witness": {**witness, "x1": witness["x1"] + 1e-3}},
                   {"witness": {**witness, "x3": witness["x3"][:1]}},
                   {"condition": {**condition, "sha256": "0" * 64}}):
        assert reevaluate(replace(result, **forged).to_dict()).passed is False, forged
    bare = {key: value for key, value in condition.items() if key != "network"}
    assert reevaluate(replace(result, condition=bare).to_dict()).passed is None
    result.save(folder / "result.json")
    assert [check.passed for check in wc.verify(folder / "result.json")] == [True, True]
