"""The matrix of conditions and engines: lower <= exact <= upper, whatever the condition is.

The toys are conditions that the package has never heard of: what runs on them names no condition.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import KNOWN_VALUES
from examples.toys import Bilinear, Quadratic
from wdccheck.brackets import Bracket
from wdccheck.engines.defaults import default_engines
from wdccheck.errors import OutOfTime
from wdccheck.running.run import Run
from wdccheck.stops import Reason

pytestmark = pytest.mark.usefixtures("short_climbs")
SYMMETRIC = np.random.default_rng(1).standard_normal((3, 3))
_I, _PLANE = np.eye(2), wc.ReLUNetwork([np.eye(2), np.eye(2)])
_NARROW, _DEEP = (
    wc.ReLUNetwork([np.random.default_rng(3).standard_normal((n, k)) for k, n in pairwise(dims)])
    for dims in ((3, 4, 3), (2, 3, 4, 5)))
OTHERS = [  # the range of _PLANE is the positive quadrant: theta <= pi/2, A <= I, reached at its edges
    (wc.R2WDC(_PLANE, 1), 1.0, "R2WDC of layer 1: the WDC of I_2"),
    (wc.R2WDC(_PLANE, 2), 0.75 + 0.5 / np.pi, "R2WDC of I_2 on the quadrant: 1 - least eigenvalue of Q"),
    (wc.R2WDC(wc.ReLUNetwork([[[1.0], [-1.0]], 2 * _I]), 2), 3.5, "R2WDC, k = 1: 4 - 1/2"),
    (wc.RRIC(0.5 * _I, _PLANE), 0.75, "RRIC, A^T A = I/4"),
    (wc.RRIC(np.diag([2.0, 1.0]), _PLANE), 3.0, "RRIC, the longer axis"),
    (wc.RRIC(1.5 * np.eye(3), _NARROW), 1.25, "RRIC, k = 3, A^T A = 9 I / 4"),
    (wc.RRIC(1.5 * np.eye(5), _DEEP), 1.25, "RRIC, three layers, A^T A = 9 I / 4"),
    (wc.RRIC(np.diag([1.0, 3.0]), wc.ReLUNetwork([[[1.0], [-1.0]]])), 8.0, "RRIC, k = 1"),
    (wc.Coherence(_I, _PLANE), 1.0, "coherence, U = I"),
    (wc.Coherence(np.fft.fft(_I, norm="ortho"), _PLANE), 1.0, "coherence, Fourier"),
    (wc.JointWDC([[1.0]], [[1.0]]), 0.75, "joint-WDC, all dimensions 1"),
    (wc.JointWDC([[3.0, 4.0]], [[1.0, 1.0]]), 50.0, "joint-WDC, one row"),
    (wc.JointWDC(np.diag([1.0, 2.0]), _I), 8.0, "joint-WDC, orthogonal rows"),
    (wc.JointWDC(np.zeros((2, 2)), np.ones((2, 1)), 2.0), 0.5, "joint-WDC, B = 0"),
]
CONDITIONS = [
    *(pytest.param(condition, epsilon, id=name) for condition, epsilon, name in OTHERS),
    *(pytest.param(wc.WDC(known.W, known.alpha, layer=1), known.epsilon, id=known.name)
      for known in KNOWN_VALUES),
    *(pytest.param(toy, toy.maximum, id=type(toy).__name__) for toy in (
        Quadratic(SYMMETRIC + SYMMETRIC.T), Bilinear(np.random.default_rng(2).standard_normal((2, 2))))),
]
ENGINES = [
    wc.MonteCarlo(512), wc.Spectral(), wc.Ascent(starts=1), wc.BranchAndBound(rtol=0.1, nodes=100_000),
    wc.SDP(rtol=0.1, nodes=200),
]


def closed(found, exact):
    return (max(result.lower for result in found) >= 0.99 * exact
            and min(result.upper for result in found) <= 1.12 * exact)


@pytest.mark.parametrize(("condition", "exact"), CONDITIONS)
def test_every_engine_is_right_and_together_they_close(condition, exact):
    """Some need what another engine has found."""
    found = [wc.bracket(condition, engine) for engine in ENGINES]
    if not closed(found, exact):
        found.append(wc.bracket(condition, *ENGINES))
    for result in found:
        assert result.lower <= exact * (1 + 1e-12)
        assert exact * (1 - 1e-12) <= result.upper
        if result.witness is not None:
            value = float(condition.deviation(result.witness))
            assert result.lower <= value <= result.lower * (1 + 1e-9) + 1e-15
    assert closed(found, exact)


def instance(dims, m=4):
    rng = np.random.default_rng(11)
    net = wc.ReLUNetwork([rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)])
    return wc.RRIC(rng.standard_normal((m, dims[-1])) / np.sqrt(m), net), wc.R2WDC(net, len(dims) - 1)


SEARCHES = [wc.BranchAndBound(nodes=200), wc.SDP(nodes=60)]


@pytest.mark.parametrize("dims", [(1, 3, 4), (2, 4, 5), (2, 3, 4, 5), (3, 5, 4)])
def test_cones_close_what_caps_leave_open(dims):
    """No point found ever exceeds an upper bound, and the searches do better than the caps."""
    better = 0
    for condition in instance(dims):
        seen = wc.bracket(condition, wc.MonteCarlo(4096)).lower
        cap = wc.bracket(condition, wc.Spectral()).upper
        for engine in SEARCHES:
            result = wc.bracket(condition, engine)
            assert seen <= result.upper <= cap
            better += result.upper < 0.95 * cap
    assert better or dims[0] != 2  # k = 1 is closed by caps, k = 3 needs more


@pytest.mark.parametrize("engine", SEARCHES, ids=lambda engine: type(engine).__name__)
def test_the_cones_of_any_number_of_workers(engine):
    for condition in instance((2, 4, 5)):
        one, two = (wc.bracket(condition, engine, workers=n) for n in (1, 2))
        assert (one.lower, one.upper, one.upper_by) == (two.lower, two.upper, two.upper_by)
        assert one.stopped == two.stopped
        assert [work.work for work in one.engines] == [work.work for work in two.engines]


@pytest.mark.parametrize("engine", SEARCHES, ids=lambda engine: type(engine).__name__)
def test_beyond_three_latent_dimensions_caps_remain(engine):
    rric, r2wdc = instance((4, 6, 8))
    for condition in (rric, r2wdc):
        assert condition.proof is None
        result, seen = wc.bracket(condition, engine), wc.bracket(condition, wc.MonteCarlo(1024)).lower
        assert seen <= result.upper <= min(cap.value for cap in condition.theorems.caps()) * (1 + 1e-12)
    result = wc.bracket(rric, engine)
    assert result.upper == pytest.approx(min(cap.value for cap in rric.theorems.caps()), rel=1e-12)
    assert result.stopped["upper"].reason is Reason.CAP_ONLY


def test_beyond_three_latent_dimensions_what_dominates_is_searched():
    """The WDC of a layer with three inputs bounds an R2WDC without cones of its own."""
    rng = np.random.default_rng(12)
    net = wc.ReLUNetwork([rng.standard_normal((3, 4)), rng.standard_normal((5, 3))])
    condition = wc.R2WDC(net, 2)
    assert condition.proof is None
    (wider,) = condition.dominated_by()
    assert wider.proof is not None
    result = wc.bracket(condition, wc.BranchAndBound(nodes=20_000))
    assert result.upper < min(cap.value for cap in condition.theorems.caps())
    assert result.upper_by.startswith("WDC of layer 2: BranchAndBound")
    assert wc.bracket(condition, wc.MonteCarlo(1024)).lower <= result.upper


@pytest.mark.parametrize("engine", [wc.BranchAndBound(nodes=300), wc.SDP(nodes=150)], ids=["BnB", "SDP"])
def test_cones_that_are_not_found_in_time_leave_the_caps_and_may_be_found_later(engine):
    for make in (lambda: instance((2, 6, 8))[0], lambda: instance((2, 6, 8))[1]):
        late, condition = Run(deadline=-math.inf), make()
        with pytest.raises(OutOfTime, match="cones"):
            condition.proof.groups(late.deadline)
        *_, last = engine.improve(condition, Bracket(condition.describe()), late)
        cap = min(cap.value for cap in condition.theorems.caps())
        assert last.upper == cap
        assert last.stopped["upper"].reason is Reason.TIME
        assert wc.bracket(condition, engine).upper == wc.bracket(make(), engine).upper < cap


def test_the_default_engines_do_not_wait_for_cones():
    condition = instance((2, 6, 8))[1]
    assert type(default_engines(condition)[-1]) is wc.BranchAndBound
    with pytest.raises(OutOfTime):
        condition.proof.groups(-math.inf)
