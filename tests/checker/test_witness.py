"""The checker: it shares no code with the rest, and agrees with it."""

from __future__ import annotations

import ast
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck import checker
from wdccheck.brackets import Bracket
from wdccheck.certification.of_condition import certify_condition
from wdccheck.checker.intervals import angle


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
    assert check.outcome == "proved", check
    assert check.value == pytest.approx(float(condition.deviation({"r": r, "s": s})), rel=1e-9, abs=1e-12)


def test_gates_on_a_wall_are_closed():
    check = checker.reevaluate(at(wc.WDC(np.eye(2)), [1.0, 0.0], [1.0, 0.0]))
    assert check.outcome == "proved"
    assert check.value == pytest.approx(0.5)  # diag(1, 0) - I/2


@pytest.mark.parametrize("c", [2.0**-330, 1e-100, 1e100, 2.0**330])
def test_scales_neither_overflow_nor_underflow(c):
    W, r, s = gaussian(12, 3), [1.0, 2.0, -1.0], [0.5, 1.0, 1.0]
    one = checker.reevaluate(at(wc.WDC(W), r, s)).value
    scaled = wc.WDC(W * c, c * c)
    check = checker.reevaluate(at(scaled, np.array(r) / c, np.array(s) * c))
    assert check.outcome == "proved"
    assert check.value == pytest.approx(one * c * c, rel=1e-9)


@pytest.mark.parametrize("alpha", [1e-100, 1e100])
def test_alpha_and_weights_may_have_different_scales(alpha):
    assert checker.reevaluate(at(wc.WDC(gaussian(12, 3), alpha), [1, 2, 3], [1, 1, 1])).outcome == "proved"


def test_zero_weights():
    check = checker.reevaluate(at(wc.WDC(np.zeros((3, 2)), 2.0), [1, 0], [1, 0]))
    assert check.outcome == "proved"
    assert check.value == pytest.approx(1.0)  # alpha/2, Fact 8


def test_hash_is_the_one_of_the_library():
    W = gaussian(5, 3)
    assert checker.sha256_of(W) == wc.WDC(W).describe()["sha256"]


def test_a_forged_shape_is_refuted():
    data = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).to_dict()
    data["condition"] = {**data["condition"], "shape": [200, 2]}
    assert checker.reevaluate(data).outcome == "refuted"


def test_a_huge_entry_that_nothing_reaches_forgives_nothing():
    """The unit is dead: what it would be multiplied with is no part of the deviation."""
    net = wc.ReLUNetwork([[[1.0, 0], [0, 1], [0, 0]], [[1.0, 2, 1e8], [0, 1, -1e8]]])
    for condition in (wc.R2WDC(net, 2), wc.RRIC(np.array([[1.0, 1.0], [0, 2]]), net)):
        result = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(64))
        assert checker.reevaluate(result.to_dict()).outcome == "proved"
        for more in (1e-11, 1e-6, 1.0):
            lower = result.lower * (1 + more)
            assert checker.reevaluate(replace(result, lower=lower, upper=9e9).to_dict()).outcome == "refuted"


def test_no_deviation_is_proved_where_all_of_it_cancels():
    condition = wc.RRIC(np.eye(2), wc.ReLUNetwork([np.eye(2)]))  # epsilon = 0
    x, zero = np.ones(2), np.zeros(2)
    forged = Bracket(condition.describe(), 2.5e-12, 1e-11, {"x1": x, "x2": zero, "x3": x, "x4": zero})
    assert checker.reevaluate(forged.to_dict()).outcome == "refuted"


@pytest.mark.parametrize(("y", "x"), [(1, 3), (7, -2), (1, 0), (10**40, 1), (1, 10**30), (1, -(10**30))])
def test_angles_lie_in_their_interval(y, x):
    mpmath.mp.dps = 60
    found = angle(Fraction(y), Fraction(x))
    exact = mpmath.atan2(mpmath.sqrt(y), x)
    low, high = (mpmath.mpf(end.numerator) / end.denominator for end in (found.low, found.high))
    assert low <= exact <= high and high - low < 1e-30 * exact


def test_the_minimum_over_alpha_is_that_of_its_witnesses():
    row = certify_condition(wc.WDC([[2.0], [-1.0]]), time_limit=5)  # (4 - 1)/(2 (4 + 1))
    bracket, least = row.bracket.to_dict(), row.least.to_dict()
    found = checker.reevaluate_least(bracket, least)
    assert found.outcome == "proved" and found.value == pytest.approx(0.3)
    for forged in ({"lower": 0.3 + 1e-12}, {"witnesses": least["witnesses"][:1]}, {"witnesses": []}):
        assert checker.reevaluate_least(bracket, {**least, **forged}).outcome == "not proved"
