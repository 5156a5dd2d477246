from __future__ import annotations

import ast
import base64
import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from wdccheck import checker
from wdccheck.brackets import Bracket
from wdccheck.errors import InvalidInput
from wdccheck.verification import results


def gaussian(n, k, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def solved(W, alpha=1.0):
    return wc.bracket(wc.WDC(W, alpha), wc.Spectral(), wc.MonteCarlo(samples=200))


def at(condition, r, s):
    """A hand-made result whose witness is (r, s)."""
    point = {"r": np.asarray(r, float), "s": np.asarray(s, float)}
    return Bracket(condition.describe(), lower=condition.lower_bound(point), witness=point).to_dict()


def test_the_checker_shares_no_code_with_the_rest():
    for path in Path(checker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
            for name in names:
                assert not name.startswith("wdccheck") or name.startswith("wdccheck.checker")


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 7.0]),
       st.sampled_from(["free", "same", "opposite", "near", "antipodal", "integer"]))
def test_the_checker_agrees_with_the_library(k, n, seed, alpha, kind):
    rng = np.random.default_rng(seed)
    W, r, s = rng.standard_normal((n, k)), rng.standard_normal(k), rng.standard_normal(k)
    if kind == "integer":
        W, r, s = rng.integers(-1, 2, (n, k)), rng.integers(1, 3, k), rng.integers(-2, 0, k)
    s = {"same": r, "opposite": -r, "near": r + 1e-9 * s, "antipodal": -r + 1e-9 * s}.get(kind, s)
    condition = wc.WDC(W, alpha, layer=1)
    check = checker.reevaluate(at(condition, r, s))
    assert check.passed, check
    assert check.value == pytest.approx(float(condition.deviation({"r": r, "s": s})), rel=1e-9, abs=1e-12)


def test_gates_on_a_wall_are_closed():
    check = checker.reevaluate(at(wc.WDC(np.eye(2)), [1.0, 0.0], [1.0, 0.0]))
    assert check.passed
    assert check.value == pytest.approx(0.5)  # diag(1, 0) - I/2


@pytest.mark.parametrize("c", [2.0**-330, 1e-100, 1e100, 2.0**330])
def test_scales_neither_overflow_nor_underflow(c):
    W, r, s = gaussian(12, 3), [1.0, 2.0, -1.0], [0.5, 1.0, 1.0]
    one = checker.reevaluate(at(wc.WDC(W), r, s)).value
    scaled = wc.WDC(W * c, c * c)
    check = checker.reevaluate(at(scaled, np.array(r) / c, np.array(s) * c))
    assert check.passed
    assert check.value == pytest.approx(one * c * c, rel=1e-9)


@pytest.mark.parametrize("alpha", [1e-100, 1e100])
def test_alpha_and_weights_may_have_different_scales(alpha):
    assert checker.reevaluate(at(wc.WDC(gaussian(12, 3), alpha), [1, 2, 3], [1, 1, 1])).passed


def test_zero_weights():
    check = checker.reevaluate(at(wc.WDC(np.zeros((3, 2)), 2.0), [1, 0], [1, 0]))
    assert check.passed
    assert check.value == pytest.approx(1.0)  # alpha/2, Fact 8


def test_hash_is_the_one_of_the_library():
    W = gaussian(5, 3)
    assert checker.sha256_of(W) == wc.WDC(W).describe()["sha256"]


# -- verify: forged certificates --------------------------------------------------------------


@pytest.fixture(scope="module")
def genuine():
    return solved(gaussian(20, 3)).to_dict()


def verify(data, tmp_path, **options):
    path = tmp_path / "forged.json"
    path.write_text(json.dumps({"schema": 1, **data}))
    return wc.verify(path, **options)


def refuted(checks):
    return [check for check in checks if check.passed is False]


def test_a_genuine_certificate_is_confirmed(genuine, tmp_path):
    checks = verify(genuine, tmp_path)
    assert [check.passed for check in checks] == [True, True]
    assert "fresh run" in checks[1].detail


def test_without_rerun_only_the_witness_is_checked(genuine, tmp_path):
    assert [check.what for check in verify(genuine, tmp_path, rerun=False)] == ["lower bound"]


def _witness_moved(data):
    value = [float.fromhex(x) for x in data["witness"]["r"]["hex"]]
    data["witness"]["r"]["hex"] = [(-x).hex() for x in value]


def _lower_raised(data):
    data["lower"] *= 1.001


def _lower_lowered(data):
    data["lower"] *= 0.9


def _upper_lowered(data):
    data["upper"] = data["lower"] * 1.0001


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
    data["witness"]["r"]["hex"].append("0x1p+0")


def _witness_zero(data):
    data["witness"]["s"]["hex"] = [(0.0).hex()] * 3


@pytest.mark.parametrize("forge", [
    _witness_moved, _lower_raised, _lower_lowered, _upper_lowered, _alpha_changed, _weights_changed,
    _hash_changed, _witness_removed, _witness_of_another_dimension, _witness_zero,
])
def test_forged_certificates_are_refuted(forge, genuine, tmp_path):
    data = copy.deepcopy(genuine)
    forge(data)
    assert refuted(verify(data, tmp_path))


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
    assert [check.passed for check in checks] == [None, None]
    assert all("weights" in check.detail for check in checks)
    W = gaussian(20, 3)
    assert all(check.passed for check in verify(data, tmp_path, weights=W))
    assert all(check.passed for check in verify(data, tmp_path, weights=[np.eye(3), W]))
    assert refuted(verify(data, tmp_path, weights=W + 1e-9))


def test_an_unknown_condition_is_not_checked(genuine, tmp_path):
    data = copy.deepcopy(genuine)
    data["condition"]["kind"] = "RRIC"
    assert [check.passed for check in verify(data, tmp_path)] == [None, None]


def test_summaries_of_a_report_are_checked(tmp_path):
    report = wc.certify([gaussian(20, 3), gaussian(10, 20)], alpha=1.0, time_limit=1).to_dict()
    names = [check.what for check in verify(report, tmp_path, rerun=False)]
    rows = ["WDC of layer 1", "WDC of layer 2", "R2WDC of layer 1", "R2WDC of layer 2", "RRIC"]
    assert names == [f"{row}: {what}" for row in rows for what in ("lower bound", "summary")] + ["network"]
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
    data = wc.certify([gaussian(20, 3), gaussian(10, 20)], alpha=1.0, time_limit=0.2).to_dict()
    assert not refuted(verify(data, tmp_path, rerun=False))
    forge(data)
    assert "network" in [check.what for check in refuted(verify(data, tmp_path, rerun=False))]


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


def test_a_forged_shape_is_refuted():
    data = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).to_dict()
    data["condition"] = {**data["condition"], "shape": [200, 2]}
    assert checker.reevaluate(data).passed is False
