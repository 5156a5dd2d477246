"""`verify` of a report: proved, forged, bare, cut short."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import sparse

import wdccheck as wc
from examples.checks import denied, proved, refuted, stands
from examples.forgeries import verify
from examples.matrices import gaussian
from examples.networks import A, generator
from wdccheck.certification import of_network
from wdccheck.errors import InvalidInput
from wdccheck.reports.row import Row


@cache
def report():
    """One for all tests that save it; made by `quick` engines."""
    return wc.certify(generator(), alpha=1.0)


@pytest.fixture
def saved(tmp_path, quick):
    path = tmp_path / "report.json"
    report().save(path)
    return path


def test_a_report_is_verified(saved):
    checks = wc.verify(saved)
    assert proved(checks)
    assert [check.what for check in checks].count("network") == 1
    assert "R2WDC of layer 2: upper bound" in [check.what for check in checks]
    assert any("Fact 12: the WDC of layer 1 gives it" in check.detail for check in checks)


def forge(name):
    def change(data):
        rows = data["rows"]
        if name == "a carried upper":
            for entry in (rows[2], rows[2]["bracket"]):
                entry["upper"] *= 0.9
            rows[2] |= {"gap": rows[2]["upper"] - rows[2]["lower"], "ratio_upper": rows[2]["upper"]}
        elif name == "a row left out":
            del rows[3]
        elif name == "rows exchanged":
            rows[0], rows[1] = rows[1], rows[0]
        elif name == "another seed":
            data["seed"] = "5"
        elif name == "a lower of RRIC":
            rows[4]["lower"] = rows[4]["ratio_lower"] = rows[4]["bracket"]["lower"] = rows[4]["lower"] * 1.1
        elif name == "another network":
            data["network"]["sha256"] = "0" * 64
        elif name == "a threshold":
            data["threshold"] = 1.0
        elif name == "a kind":
            rows[3]["kind"] = "WDC"
        elif name == "another A":
            other = wc.bracket(wc.RRIC(A[:4], generator()), wc.Spectral())
            data["rows"][4] = {**Row(other).to_dict(), "bracket": other.to_dict()}
        elif name == "another R2WDC":
            other = wc.bracket(wc.R2WDC(generator(4), 2), wc.Spectral())
            threshold = data["threshold"]
            data["rows"][3] = {**Row(other).to_dict(threshold), "bracket": other.to_dict()}
        return data
    return change


@pytest.mark.parametrize("name", ["a carried upper", "a row left out", "rows exchanged", "another seed",
                                  "a lower of RRIC", "another network", "a threshold", "a kind", "another A",
                                  "another R2WDC"])
def test_forged_reports_are_not_proved(saved, name):
    data = forge(name)(json.loads(saved.read_text()))
    saved.write_text(json.dumps(data))
    if name == "a carried upper":  # no run proves it; no deviation exceeds it either
        assert not proved(wc.verify(saved))
    else:
        assert denied(saved)


def bare(path):
    """The file without its weights, as of a network too large to be stored."""
    data = json.loads(path.read_text())
    for row in data["rows"]:
        for key in ("weights", "network", "measurements"):
            row["bracket"]["condition"].pop(key, None)
    path.write_text(json.dumps(data))


def test_a_large_report_says_what_it_cannot_check(saved):
    bare(saved)
    checks = {check.what: check.outcome for check in wc.verify(saved)}
    for what in ("RRIC: lower bound", "RRIC: upper bound", "network"):
        assert checks[what] == "not proved"
    assert "refuted" not in checks.values()
    assert proved(wc.verify(saved, weights=generator()))  # drawn measurements are drawn again
    assert refuted(wc.verify(saved, weights=generator(1)))


def test_rows_share_the_weights_of_the_file(saved):
    """Layers that are small enough one by one, but not together."""
    data = json.loads(saved.read_text())
    for row in data["rows"][2:]:
        del row["bracket"]["condition"]["network"]
    del data["rows"][4]["bracket"]["condition"]["measurements"]
    saved.write_text(json.dumps(data))
    assert proved(wc.verify(saved))


def test_given_measurements_have_to_be_given_again(tmp_path, quick):
    path = tmp_path / "report.json"
    wc.certify(generator(), A, alpha=1.0).save(path)
    bare(path)
    checks = {check.what: check.outcome for check in wc.verify(path, weights=generator())}
    for what in ("RRIC: lower bound", "RRIC: upper bound"):
        assert checks.pop(what) == "not proved"
    assert set(checks.values()) == {"proved", "recorded"}
    assert proved(wc.verify(path, weights=generator(), measurements=A))


def test_sparse_measurements_are_left_unchecked(tmp_path, quick):
    path = tmp_path / "report.json"
    wc.certify(generator(), sparse.csr_array(A), alpha=1.0).save(path)
    checks = {check.what: check.outcome for check in wc.verify(path, measurements=A, weights=generator())}
    assert checks["RRIC: lower bound"] == "not proved" and "refuted" not in checks.values()


@pytest.mark.parametrize(("path", "value"), [
    (("rows", 3, "bracket", "condition", "network"), 5),
    (("rows", 3, "bracket", "condition", "network"), [5]),
    (("rows", 4, "bracket", "condition", "measurements"), 5), (("rows", 3, "layer"), "x"),
    (("rows", 3, "bracket", "condition", "layer"), 7), (("rows", 3, "of"), "B"), (("rows", 0), 5),
    (("measurements",), 5), (("measurements", "shape"), [1]), (("network",), []), (("seed",), "x"),
    (("rows", 3, "bracket", "condition", "alpha"), None), (("rows",), []), (("pair",), {"X": 1}),
])
def test_malformed_reports_are_refused_or_refuted(saved, path, value):
    data = json.loads(saved.read_text())
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    saved.write_text(json.dumps(data))
    with contextlib.suppress(InvalidInput):
        assert not proved(wc.verify(saved))


def test_an_interrupted_report_is_verified(tmp_path, quick):
    path = tmp_path / "report.json"
    replace(report(), rows=report().rows[:3], interrupted=True).save(path)
    checks = wc.verify(path)
    assert proved(checks) and checks[-2].detail == "3 of 5 rows, in order"


def test_drawn_measurements_follow_the_seed():
    drawn = of_network.drawn_measurements(generator(), 4)
    np.testing.assert_array_equal(drawn, np.random.default_rng(4).standard_normal((4, 8)) / 2)


@pytest.mark.parametrize("rng", [np.random.SeedSequence(4).spawn(2)[1], np.random.SeedSequence([1, 2]),
                                 np.random.default_rng(4), np.random.SeedSequence()])
def test_any_source_of_random_numbers_can_be_drawn_from_again(rng, tmp_path, quick):
    path = tmp_path / "report.json"
    wc.certify(generator(), alpha=1.0, rng=rng).save(path)
    assert stands(wc.verify(path, rerun=False))


@cache
def layers():
    """A report of two layers, as text: forged where it is used."""
    return json.dumps(wc.certify([gaussian(20, 3), gaussian(10, 20)], alpha=1.0, time_limit=1).to_dict())


def test_summaries_of_a_report_are_checked(tmp_path):
    report = json.loads(layers())
    names = [check.what for check in verify(report, tmp_path, rerun=False)]
    rows = ["WDC of layer 1", "WDC of layer 2", "R2WDC of layer 1", "R2WDC of layer 2", "RRIC"]
    each = ["lower bound", "upper bound"]
    least = [f"least eps/alpha, {side} bound" for side in ("lower", "upper")]
    expected = {row: [*each, *(least if row != "RRIC" else []), "summary"] for row in rows}
    assert names == [*(f"{row}: {what}" for row in rows for what in expected[row]), "network", "other fields"]
    assert not refuted(verify(report, tmp_path, rerun=False))
    report["rows"][1]["ratio_lower"] = 0.0
    assert [c.what for c in refuted(verify(report, tmp_path, rerun=False))] == ["WDC of layer 2: summary"]


@pytest.mark.parametrize("forge", [
    lambda d: d["rows"].pop(),
    lambda d: d["rows"].clear(),
    lambda d: d["rows"].reverse(),
    lambda d: d["rows"].__setitem__(1, d["rows"][0]),
    lambda d: d["network"].update(dims=[3, 21, 10]),
    lambda d: d["network"].update(dims="none"),
    lambda d: d["network"].update(sha256="0" * 64),
    lambda d: d.update(threshold=1.0),
    lambda d: d.pop("interrupted"),
])
def test_a_report_of_other_layers_is_refuted(forge, tmp_path):
    data = json.loads(layers())
    assert not refuted(verify(data, tmp_path, rerun=False))
    forge(data)
    with contextlib.suppress(InvalidInput):
        assert "network" in [check.what for check in refuted(verify(data, tmp_path, rerun=False))]
