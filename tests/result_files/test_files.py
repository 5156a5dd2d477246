"""Results as JSON files: bit for bit, written whole, refused by name."""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wdccheck as wc
from wdccheck import result_files
from wdccheck.brackets import Bracket, Work
from wdccheck.errors import InvalidInput
from wdccheck.stops import Reason, Stop

CONDITION = {"kind": "WDC", "alpha": 1.0, "layer": None, "shape": [2, 2], "sha256": "ab" * 32, "options": {}}
POINT = {"r": np.array([0.1, -1e-300]), "s": np.array([1.0, 2.0**-1074])}
KNOWN = Bracket(CONDITION, 0.25, 0.5, POINT, "wdc", "Ascent(starts=4)", "Fact 9",
                {"lower": Stop(Reason.BUDGET, "4 starts"), "upper": Stop(Reason.CAP_ONLY)},
                (Work("Ascent(starts=4)", 2**127 + 1, 4, "starts", 0.5),))


def same(a, b):
    return json.dumps(a.to_dict()) == json.dumps(b.to_dict())


def test_save_and_load_are_inverse_bit_for_bit(tmp_path):
    path = tmp_path / "one.json"
    KNOWN.save(path)
    back = wc.load(path)
    assert same(back, KNOWN)
    for letter, value in POINT.items():
        assert (back.witness[letter] == value).all()
    assert back.engines == KNOWN.engines  # a seed of 128 bits survives JSON
    data = json.loads(path.read_text())
    assert (data["schema"], data["wdccheck"], data["kernel"]) == (2, wc.__version__, wc.kernel())


@given(st.floats(0, allow_infinity=False), st.floats(0))
def test_every_float_survives(lower, upper):
    if lower <= upper:
        back = Bracket.from_dict(json.loads(json.dumps(replace(KNOWN, lower=lower, upper=upper).to_dict())))
        assert (back.lower, back.upper) == (lower, upper)


def test_infinity_is_null(tmp_path):
    path = tmp_path / "one.json"
    replace(KNOWN, upper=math.inf, witness=None).save(path)
    assert json.loads(path.read_text())["upper"] is None
    back = wc.load(path)
    assert back.upper == math.inf
    assert back.witness is None


@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", '{"schema": 2}', '{"schema": 1}', "NaN", '{"schema": 1, "lower": Infinity}',
    "[" * 100000, "\x80\x04\x95", '{"schema": 1, "lower": 1e999}',
])
def test_what_is_no_result_is_refused_by_name(text, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"bad\.json"):
        wc.load(path)


def test_a_missing_file_a_folder_and_a_huge_file(tmp_path, monkeypatch):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InvalidInput, match="readable file"):
            wc.load(path)
    KNOWN.save(tmp_path / "one.json")
    monkeypatch.setattr(result_files.files, "LIMIT", 10)
    with pytest.raises(InvalidInput, match="at most 10 bytes"):
        wc.load(tmp_path / "one.json")


@pytest.mark.parametrize(("key", "value"), [
    ("lower", "0.1"), ("lower", True), ("lower", -0.5), ("lower", None), ("upper", 0.1),
    ("witness", {"r": 1}),
    ("witness", {"r": {"hex": ["inf", "0x1p0"]}}), ("stopped", {"upper": {"reason": "magic", "detail": ""}}),
    ("engines", [{"repr": "x"}]), ("condition", {"kind": "WDC"}),
])
def test_malformed_fields_are_refused(key, value):
    with pytest.raises(InvalidInput):
        Bracket.from_dict({**KNOWN.to_dict(), key: value}, "forged")


def test_writing_is_atomic_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "one.json"
    KNOWN.save(path)
    before = path.read_text()
    with pytest.raises(ValueError, match="JSON"):
        result_files.write(path, {"x": math.nan})
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["one.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_replaces_none(links, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError("no links on this disk")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    for number in (1, 2):
        result_files.write(tmp_path / "a.json", {"number": number}, new=True)
    assert result_files.read(tmp_path / "a.json")["number"] == (1 if links else 2)
    assert [x.name for x in tmp_path.iterdir()] == ["a.json"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="nowhere"):
        KNOWN.save(tmp_path / "nowhere" / "one.json")


# -- the schema --------------------------------------------------------------------------------------


def refusal(data):
    with pytest.raises(InvalidInput) as caught:
        Bracket.from_dict(data, "forged")
    return str(caught.value)


WHOLE = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).to_dict()


@pytest.mark.parametrize("field", WHOLE)
def test_every_field_is_needed_and_has_its_form(field):
    assert field in refusal({key: value for key, value in WHOLE.items() if key != field})
    wrong = {"witness": 5, "part": 5, "upper": "1"}.get(field, {"x": 1} if field != "stopped" else [1])
    if field not in ("least",):
        assert field in refusal({**WHOLE, field: wrong})
    assert "no other fields" in refusal({**WHOLE, "more": 1})


@pytest.mark.parametrize("field", WHOLE["condition"])
def test_every_field_of_a_condition_is_needed(field):
    without = {key: value for key, value in WHOLE["condition"].items() if key != field}
    if field == "weights":
        Bracket.from_dict({**WHOLE, "condition": without})
    else:
        assert field in refusal({**WHOLE, "condition": without})
    assert "condition" in refusal({**WHOLE, "condition": {**WHOLE["condition"], "more": 1}})


@pytest.mark.parametrize("change", [
    {"alpha": 0.0}, {"alpha": True}, {"alpha": "1"}, {"alpha": None}, {"layer": 0}, {"shape": [2]},
    {"shape": [2, 3]}, {"sha256": "0" * 63}, {"options": {"dims": [1, 2]}}, {"network": []}, {"kind": "RRIC"},
    {"weights": {"shape": [2, 2], "data": "AAAA"}}, {"weights": {"shape": [2, 2], "data": 5}},
    {"weights": {**WHOLE["condition"]["weights"], "imaginary": WHOLE["condition"]["weights"]["data"]}},
])
def test_conditions_of_another_form_are_refused(change):
    assert "condition" in refusal({**WHOLE, "condition": {**WHOLE["condition"], **change}})


def test_decimals_are_the_numbers_in_hexadecimal():
    r = WHOLE["witness"]["r"]
    for other in ({**r, "value": [2.0, 0.0]}, {**r, "hex": r["hex"][:1]}, {**r, "value": [None, 1.0]},
                  {"hex": r["hex"]}):
        assert "witness: r" in refusal({**WHOLE, "witness": {**WHOLE["witness"], "r": other}})
    low = {**r, "low": [(0.0).hex()] * 2}  # room for more digits
    Bracket.from_dict({**WHOLE, "witness": {**WHOLE["witness"], "r": low}, "proofs": [], "conclusions": []})


@pytest.mark.parametrize("text", [
    '{"schema": 2, "lower": 1, "lower": 2}', '{"schema": 2, "x": {"a": 1, "a": 1}}',
    '{"schema": 2, "x": NaN}', '{"schema": 2, "x": 1e999}', '{"schema": 3}', '{"schema": true}',
    '{"schema": "2"}', "[2]", "", "[" * 10**5])
def test_what_is_no_object_of_a_schema_is_refused(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InvalidInput):
        result_files.read(tmp_path / "x.json")


def test_schema_1_is_read(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"schema": 1, **WHOLE}))
    assert same(wc.load(path), Bracket.from_dict(WHOLE))


def test_strings_are_printable(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"schema": 2, "a\x1b": ["\n", {"b": "\ud800é"}]}))
    assert result_files.read(path) == {"schema": 2, "a\\x1b": ["\\n", {"b": "\\ud800é"}]}
