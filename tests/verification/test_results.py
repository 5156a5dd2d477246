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
