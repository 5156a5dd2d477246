"""`verify` of a bracket: proved, forged, malformed; engines rebuilt from their repr."""

from __future__ import annotations

import base64
import copy
import json

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import denied, outcomes, proved, refuted
from examples.forgeries import verify
from examples.matrices import gaussian
from wdccheck.errors import InvalidInput
from wdccheck.verification import results


def solved(W, alpha=1.0):
    return wc.bracket(wc.WDC(W, alpha), wc.Spectral(), wc.MonteCarlo(samples=200))


@pytest.fixture(scope="module")
def genuine():
    return solved(gaussian(20, 3)).to_dict()


def test_a_genuine_certificate_is_proved(genuine, tmp_path):
    checks = verify(genuine, tmp_path)
    assert outcomes(checks) == ["proved", "proved"]
    assert "fresh run" in checks[1].detail


def test_without_rerun_only_the_witness_is_checked(genuine, tmp_path):
    assert outcomes(verify(genuine, tmp_path, rerun=False)) == ["proved", "recorded"]


@pytest.mark.parametrize("below", [1e-15, 1e-12, 1e-9, 1e-3])
def test_a_smaller_upper_bound_is_not_proved(below, genuine, tmp_path):
    checks = verify({**genuine, "upper": genuine["upper"] * (1 - below)}, tmp_path)
    assert outcomes(checks) == ["proved", "proved" if below < 2e-13 else "not proved"]
    assert "only" in checks[1].detail or below < 2e-13


def test_a_lower_bound_below_its_witness_is_true(genuine, tmp_path):
    assert proved(verify({**genuine, "lower": genuine["lower"] * 0.9}, tmp_path))


def _witness_moved(data):
    value = [-x for x in data["witness"]["r"]["value"]]
    data["witness"]["r"] = {"value": value, "hex": [x.hex() for x in value]}


def _lower_raised(data):
    data["lower"] *= 1.001


def _alpha_changed(data):
    data["condition"]["alpha"] = 2.0


def _weights_changed(data):
    stored = data["condition"]["weights"]
    W = np.frombuffer(base64.b64decode(stored["data"]), "<f8").copy()
    W[0] += 1e-3
    stored["data"] = base64.b64encode(W.tobytes()).decode()


def _hash_changed(data):
    data["condition"]["sha256"] = "0" * 64


def _witness_removed(data):
    data["witness"] = None


def _witness_of_another_dimension(data):
    data["witness"]["r"]["value"].append(1.0)
    data["witness"]["r"]["hex"].append("0x1p+0")


def _witness_zero(data):
    data["witness"]["s"] = {"value": [0.0] * 3, "hex": [(0.0).hex()] * 3}


@pytest.mark.parametrize("forge", [
    _witness_moved, _lower_raised, _alpha_changed, _weights_changed,
    _hash_changed, _witness_removed, _witness_of_another_dimension, _witness_zero,
])
def test_forged_certificates_are_refuted(forge, genuine, tmp_path):
    data = copy.deepcopy(genuine)
    forge(data)
    path = tmp_path / "forged.json"
    path.write_text(json.dumps({"schema": 2, **data}))
    assert denied(path)


@pytest.mark.parametrize("forge", [
    lambda d: d.update(upper=d["lower"] / 2), lambda d: d.pop("lower"), lambda d: d.update(lower="1"),
    lambda d: d.update(lower=-1.0), lambda d: d["condition"].update(alpha=-1.0),
    lambda d: d["condition"].update(alpha="x"), lambda d: d["witness"]["r"].update(hex=["nan"] * 3),
    lambda d: d.update(engines=[{"repr": "__import__('os').system('true')", "seed": 0, "work": 1,
                                 "seconds": 0}]),
    lambda d: d.update(rows=7), lambda d: d.update(stopped={"lower": {"reason": "bribed", "detail": ""}}),
    lambda d: d.update(condition=[1]), lambda d: d.update(condition="WDC"), lambda d: d.update(witness=[1]),
])
def test_malformed_certificates_are_refused(forge, genuine, tmp_path):
    data = copy.deepcopy(genuine)
    forge(data)
    with pytest.raises(InvalidInput):
        verify(data, tmp_path)


def test_a_large_layer_needs_its_weights(genuine, tmp_path):
    data = copy.deepcopy(genuine)
    del data["condition"]["weights"]
    checks = verify(data, tmp_path)
    assert outcomes(checks) == ["not proved", "not proved"]
    assert all("weights" in check.detail for check in checks if check.counts)
    W = gaussian(20, 3)
    assert proved(verify(data, tmp_path, weights=W))
    assert proved(verify(data, tmp_path, weights=[np.eye(3), W]))
    assert refuted(verify(data, tmp_path, weights=W + 1e-9))


def test_an_unknown_condition_is_not_checked(genuine, tmp_path):
    data = copy.deepcopy(genuine)
    data["condition"]["kind"] = "of a user"
    assert outcomes(verify(data, tmp_path)) == ["not proved", "not proved"]


@pytest.mark.parametrize("engine", [
    wc.MonteCarlo(samples=7), wc.Ascent(starts=3), wc.Spectral(),
    wc.BranchAndBound(gap=0.5, rtol=0.1, nodes=12),
])
def test_engines_are_rebuilt_from_their_repr(engine):
    assert results.engine_from_repr(repr(engine)) == engine


@pytest.mark.parametrize("text", [
    "open('x')", "MonteCarlo", "MonteCarlo(7)", "MonteCarlo(samples=open('x'))", "wc.MonteCarlo(samples=1)",
    "MonteCarlo(samples=1).samples", "MonteCarlo(**{'samples': 1})", "MonteCarlo(pages=1)", "", "(" * 5000,
    "lambda: 0",
])
def test_nothing_else_is_evaluated(text):
    with pytest.raises(InvalidInput):
        results.engine_from_repr(text)


# -- what an honest run may meet ---------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("place", ["reevaluate", "bracket"])
def test_what_cuts_a_check_short_refutes_nothing(error, place, genuine, tmp_path, monkeypatch):
    def raising(*_, **__):
        raise error

    monkeypatch.setattr(results.checker if place == "reevaluate" else results, place, raising)
    found = outcomes(verify(genuine, tmp_path))
    assert found == ["not proved" if place == "reevaluate" else "proved", "not proved"]


def test_no_time_is_not_proved(genuine, tmp_path, monkeypatch):
    monkeypatch.setattr(results.time, "monotonic", iter([0.0, 5.0, 5.0]).__next__)
    checks = verify(genuine, tmp_path, time_limit=1.0)
    assert outcomes(checks) == ["proved", "not proved"] and checks[1].detail == "the time was up"
    with pytest.raises(InvalidInput, match="time_limit"):
        verify(genuine, tmp_path, time_limit=-1.0)


def test_the_own_witness_refutes_an_upper_bound(tmp_path):
    """n < 2k and a large alpha: epsilon is alpha/2, which the witness of the file shows."""
    W = np.random.default_rng(0).standard_normal((3, 3))
    data = wc.bracket(wc.WDC(W, 100.0), wc.Spectral()).to_dict()
    data["upper"] = 50.0 * (1 - 9e-10)
    data["lower"] = data["upper"] * (1 - 1e-12)
    assert outcomes(verify(data, tmp_path, rerun=False)) == ["proved", "refuted"]


def test_an_alpha_on_a_kind_without_one_is_refused(tmp_path):
    net = wc.ReLUNetwork([gaussian(4, 2), gaussian(3, 4)])
    data = wc.bracket(wc.RRIC(gaussian(2, 3), net), wc.Spectral()).to_dict()
    assert proved(verify(data, tmp_path))
    data["condition"]["alpha"] = 5.0
    with pytest.raises(InvalidInput, match="alpha: null required"):
        verify(data, tmp_path)


def test_nothing_of_a_file_moves_the_cursor(genuine, tmp_path, capsys):
    from wdccheck.cli.main import main

    path = tmp_path / "bad.json"
    forged = {**genuine, "part": "\x1b[2J\x07\u202e", "lower_by": "\x1b]0;x", "wdccheck": "1\n2"}
    other = {**genuine["condition"], "kind": "\x1b"}
    for data in (forged, {**forged, "\x1b[1m": 1}, {**forged, "condition": other}):
        path.write_text(json.dumps({"schema": 2, **data}))
        assert main(["verify", str(path), "--no-rerun"]) in (2, 3)
        out, err = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in out + err) and out + err
