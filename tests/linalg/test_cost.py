"""Steps that do not fit into the time left are left out and said so; a sound bound always remains."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.conditions.joint_wdc.definition import JointWDC
from wdccheck.engines import lines
from wdccheck.linalg import cost
from wdccheck.linalg.norms import norm_in_time, proved_norm, squared_frobenius
from wdccheck.running.run import Run
from wdccheck.stops import Reason


def gaussian(n, k, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def network(*dims):
    return wc.ReLUNetwork([gaussian(n, k, i) for i, (k, n) in enumerate(pairwise(dims))])


CONDITIONS = {
    "WDC": lambda: wc.WDC(gaussian(30, 8)),
    "R2WDC": lambda: wc.R2WDC(network(2, 6, 9), 2),
    "RRIC": lambda: wc.RRIC(gaussian(5, 9), network(2, 6, 9)),
    "JointWDC": lambda: JointWDC(gaussian(30, 4), gaussian(30, 3, 1)),
}


@pytest.fixture
def slow(monkeypatch):
    """A machine on which every step takes years."""
    for rate in ("_PRODUCT", "_FACTOR", "_READ"):
        monkeypatch.setattr(cost, rate, 1e-3)


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_takes_too_long_is_left_out_and_a_bracket_remains(name, slow):
    condition = CONDITIONS[name]()
    found = wc.bracket(condition, wc.Spectral(), time_limit=5)
    assert found.lower == 0 and found.witness is None
    for side in ("lower", "upper"):
        stop = found.stopped[side]
        assert stop.reason is Reason.TIME and "left out: it takes about" in stop.detail
    tight = min(cap.value for cap in condition.theorems.caps())
    assert tight * (1 - 1e-9) <= found.upper < math.inf


@pytest.mark.parametrize("name", CONDITIONS)
def test_nothing_is_left_out_without_a_limit(name, slow):
    found = wc.bracket(CONDITIONS[name](), wc.Spectral())
    assert found.lower > 0 and "left out" not in str(found.stopped)


def test_a_formula_for_epsilon_itself_is_no_weaker_for_what_is_left_out(slow):
    condition = JointWDC(gaussian(30, 1), gaussian(30, 1, 1))
    assert wc.bracket(condition, wc.Spectral(), time_limit=5).stopped["upper"].reason is Reason.EXACT


def test_no_time_is_left_for_seeds_of_a_condition_that_states_no_size(monkeypatch):
    monkeypatch.setattr(lines, "entries_of", lambda condition: 0)
    monkeypatch.setattr(lines, "theorems_of", lambda condition: None)
    assert lines.first_lines(wc.WDC(np.eye(3)), Run(deadline=time.monotonic() - 1), 0) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3, 5), (40, 40)])
def test_the_frobenius_norm_bounds_the_spectral_one(shape):
    W = gaussian(*shape)
    value, how, late = norm_in_time(W, time.monotonic() - 1)
    assert (value, how, late) == (proved_norm(W), "", "")  # small: always done
    assert np.linalg.norm(W) ** 2 <= squared_frobenius(W) <= np.linalg.norm(W) ** 2 * (1 + 1e-12)


def test_the_least_ratio_keeps_what_calibration_proved(slow):
    from wdccheck.certification.of_condition import certify_condition

    row = certify_condition(wc.WDC(gaussian(30, 8)), time_limit=5)
    assert row.least is not None and 0.0 <= row.least.lower <= row.least.upper == 0.5


def test_seconds_grow_with_the_size():
    assert cost.proved_norm(4096, 1024, 2**22) == cost.proved_norm(1024, 4096, 2**22)
    for seconds in (cost.evaluation, cost.vectors, cost.eigenvalues):
        assert seconds(0) == 0 < seconds(10) < seconds(100)
    assert cost.left_out("x", 1.0, math.inf) == ""
    assert cost.left_out("x", 9.97, -math.inf) == "x left out: it takes about 10 s, and 0 s were left"
