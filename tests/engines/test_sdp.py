"""The semidefinite engine: it believes no solver, and does without one."""

from __future__ import annotations

import builtins
import math
from itertools import pairwise

import cvxpy
import numpy as np
import pytest

import wdccheck as wc
from examples.checks import outcomes
from wdccheck.engines.sdp import SDP, _missing
from wdccheck.errors import InvalidInput
from wdccheck.stops import Reason

NODES = 120  # the solver is asked a few times


def instance(seed=1, dims=(2, 4, 5), m=3):
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]
    return wc.ReLUNetwork(layers), rng.standard_normal((m, dims[-1])) / np.sqrt(m)


def the_issue():
    """2 -> 16 -> 32 with 12 measurements."""
    return instance(5, (2, 16, 32), 12)


@pytest.fixture(scope="module")
def rric():
    net, A = instance()
    return wc.RRIC(A, net)


@pytest.fixture(scope="module")
def exhibited(rric):
    """A deviation that exists."""
    return wc.bracket(rric, wc.Ascent(starts=1)).lower


@pytest.fixture(scope="module")
def sharp(rric):
    return wc.bracket(rric, SDP(nodes=NODES)).upper


@pytest.fixture(scope="module")
def unsolved(rric):
    """The bound without a solver."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cvxpy, "installed_solvers", list)
        return wc.bracket(rric, SDP(nodes=NODES)).upper


def test_the_bound_is_valid_and_not_larger_than_without_a_solver(exhibited, sharp, unsolved):
    assert exhibited <= sharp <= unsolved


def _forged(N):
    """A solver that returns N, whatever it is asked."""
    return lambda self, inside, cone: np.full((len(cone), len(cone)), N)


FORGERIES = {
    "zero": _forged(0.0),
    "huge": _forged(1e300),
    "large": _forged(1e6),
    "ones": _forged(1.0),
    "negative": _forged(-1.0),
    "very negative": _forged(-1e300),
    "nan": _forged(np.nan),
    "inf": _forged(np.inf),
    "-inf": _forged(-np.inf),
    "random": lambda self, inside, cone: np.random.default_rng(0).standard_normal((len(cone), len(cone))),
    "scaled up": lambda self, inside, cone: 10 * np.abs(cone @ cone.T),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_forged_duals_are_rejected(rric, exhibited, unsolved, forgery, monkeypatch):
    monkeypatch.setattr(SDP, "_solved", forgery)
    result = wc.bracket(rric, SDP(nodes=NODES))
    assert exhibited <= result.upper <= unsolved * (1 + 1e-12)


def test_forged_duals_of_an_exact_value(monkeypatch):
    """A^T A = c^2 I: no bound below |c^2 - 1| is true, whatever a solver says."""
    net, _ = instance()
    for forgery in FORGERIES.values():
        monkeypatch.setattr(SDP, "_solved", forgery)
        result = wc.bracket(wc.RRIC(1.5 * np.eye(5), net), SDP(nodes=20, rtol=0.0))
        assert 1.25 <= result.upper <= 1.25 * (1 + 1e-9)


@pytest.mark.parametrize("error", [cvxpy.SolverError("no"), ArithmeticError("no"), ValueError("no")])
def test_a_solver_that_raises(rric, exhibited, unsolved, error, monkeypatch):
    def solve(self, *args, **options):
        raise error

    monkeypatch.setattr(cvxpy.Problem, "solve", solve)
    assert exhibited <= wc.bracket(rric, SDP(nodes=NODES)).upper <= unsolved * (1 + 1e-12)


def test_a_solver_that_finds_nothing(rric, exhibited, unsolved, monkeypatch):
    monkeypatch.setattr(cvxpy.Problem, "solve", lambda self, *args, **options: None)
    assert exhibited <= wc.bracket(rric, SDP(nodes=NODES)).upper <= unsolved * (1 + 1e-12)


@pytest.mark.parametrize("solver", [None, "CLARABEL", "SCS"])
def test_no_time_for_a_solve(rric, exhibited, unsolved, solver):
    result = wc.bracket(rric, SDP(solver, seconds=1e-9, nodes=NODES))
    assert exhibited <= result.upper <= unsolved * (1 + 1e-12)


@pytest.mark.parametrize("solver", ["CLARABEL", "SCS"])
def test_each_solver(rric, exhibited, unsolved, solver):
    result = wc.bracket(rric, SDP(solver, nodes=NODES))
    assert exhibited <= result.upper <= unsolved * (1 + 1e-12)


def test_cvxpy_is_not_installed(rric, exhibited, unsolved, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.split(".")[0] == "cvxpy":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert _missing(None) == "cvxpy is not installed"
    result = wc.bracket(rric, SDP(nodes=NODES))
    assert exhibited <= result.upper == unsolved
    assert result.stopped["upper"].detail.startswith("cvxpy is not installed: multipliers without a solver; ")
    assert result.stopped["upper"].reason is not Reason.CAP_ONLY


@pytest.mark.parametrize(("solver", "installed", "message"), [
    (None, ["SCS"], "no solver CLARABEL is installed"),
    (None, [], "no solver CLARABEL nor SCS is installed"),
    ("SCS", ["CLARABEL"], "no solver SCS is installed"),
    ("SCS", ["SCS"], ""),
])
def test_a_solver_is_not_installed(rric, exhibited, solver, installed, message, monkeypatch):
    monkeypatch.setattr(cvxpy, "installed_solvers", lambda: installed)
    assert _missing(solver) == message
    result = wc.bracket(rric, SDP(solver, nodes=100))
    assert exhibited <= result.upper < math.inf
    assert (message in result.stopped["upper"].detail) and (bool(message) == ("without a solver" in
                                                                             result.stopped["upper"].detail))


@pytest.mark.parametrize(("arguments", "message"), [
    ({"solver": "MOSEK"}, "solver"), ({"solver": "clarabel"}, "solver"), ({"seconds": 0}, "seconds"),
    ({"seconds": -1.0}, "seconds"), ({"seconds": math.nan}, "seconds"), ({"seconds": math.inf}, "seconds"),
    ({"gap": -1.0}, "gap"), ({"gap": math.nan}, "gap"), ({"rtol": -0.1}, "rtol"), ({"rtol": 1.0}, "rtol"),
    ({"rtol": math.inf}, "rtol"), ({"nodes": 0}, "nodes"), ({"nodes": math.nan}, "nodes"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        wc.SDP(**arguments)


@pytest.mark.usefixtures("short_climbs")
def test_a_saved_bracket_is_verified(rric, tmp_path):
    result = wc.bracket(rric, wc.Ascent(starts=1), SDP("CLARABEL", seconds=2.0, nodes=40))
    assert "SDP(solver='CLARABEL', seconds=2.0, gap=0.0, rtol=0.02, nodes=40)" in {
        work.engine for work in result.engines}
    path = tmp_path / "bracket.json"
    result.save(path)
    loaded = wc.load(path)
    assert (loaded.lower, loaded.upper) == (result.lower, result.upper)
    assert outcomes(wc.verify(path)) == ["proved", "proved"]


def test_alone_and_after_branch_and_bound(rric, exhibited, sharp):
    first = wc.BranchAndBound(nodes=NODES)
    alone, before = wc.bracket(rric, SDP(nodes=NODES)), wc.bracket(rric, first)
    after = wc.bracket(rric, first, SDP(nodes=NODES))
    assert exhibited <= after.upper <= before.upper
    assert exhibited <= alone.upper == sharp


def test_results_do_not_depend_on_the_workers(rric):
    one, two = (wc.bracket(rric, SDP(nodes=60), workers=n) for n in (1, 2))
    assert (one.lower, one.upper, one.stopped) == (two.lower, two.upper, two.stopped)


def test_conditions_without_cones_keep_their_cap():
    result = wc.bracket(wc.WDC(np.eye(2)), SDP())
    assert result.upper == pytest.approx(1.0)
    assert result.stopped["upper"].reason is Reason.CAP_ONLY
    assert "no cones" in result.stopped["upper"].detail


@pytest.mark.parametrize(("engine", "target"), [
    (wc.BranchAndBound(nodes=12_000), 2.5), pytest.param(SDP(nodes=12_000), 2.3, marks=pytest.mark.slow),
])
def test_the_rric_of_the_first_example(engine, target):
    net, A = the_issue()
    assert 1.5995 <= wc.bracket(wc.RRIC(A, net), engine, target=target).upper <= target


@pytest.mark.slow
def test_the_r2wdc_of_the_first_example():
    net, _ = the_issue()
    result = wc.bracket(wc.R2WDC(net, 2), wc.BranchAndBound(nodes=60_000), target=1.2)
    assert 0.6720 <= result.upper <= 1.2
