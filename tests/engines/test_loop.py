"""The loop around the engines: merging, limits, checkpoints, interruption, refusals."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck.brackets import Bracket
from wdccheck.engines.loop import _steps
from wdccheck.errors import CertificateMismatch
from wdccheck.running.run import Run
from wdccheck.stops import Reason, Stop

pytestmark = pytest.mark.usefixtures("short_climbs")


@dataclass(frozen=True)
class Fake:
    """Yields one bracket with the given sides."""

    lower: float = 0.0
    upper: float = math.inf
    unit = "calls"

    def improve(self, condition, known, run):
        changes = {"upper": self.upper, "upper_by": repr(self)} if self.upper < known.upper else {}
        if self.lower > known.lower:
            changes |= {"lower": self.lower, "lower_by": repr(self), "witness": known.witness}
        yield replace(known, engines=(run.work(self, 1),), **changes)


@dataclass(frozen=True)
class Interrupting:
    """Ctrl-C, or another end, after a first result."""

    end: type[BaseException] = KeyboardInterrupt
    unit = "calls"

    def improve(self, condition, known, run):
        yield replace(known, upper=5.0, upper_by="before")
        raise self.end


@dataclass(frozen=True)
class Slow:
    """Works in small pieces until its deadline."""

    unit = "naps"

    def improve(self, condition, known, run):
        while not run.expired():
            time.sleep(0.01)
            yield known
        yield replace(known, stopped={**known.stopped, "lower": Stop(Reason.TIME, "napped")})


def test_the_default_engines_always_cap():
    for W in (gaussian(30, 2), gaussian(40, 20)):
        result = wc.bracket(wc.WDC(W), time_limit=3)
        assert 0 < result.lower <= result.upper < math.inf
        assert set(result.stopped) == {"lower", "upper"}


def test_a_search_alone_leaves_upper_infinite():
    result = wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(100))
    assert result.upper == math.inf
    assert result.lower_by.startswith("MonteCarlo")
    assert result.verdict(1e9) is wc.Verdict.UNDECIDED


def test_engines_share_incumbents_and_ties_go_to_the_earlier():
    result = wc.bracket(wc.WDC(gaussian(30, 2)), Fake(upper=3.0), Fake(upper=3.0), Fake(upper=4.0))
    assert result.upper == 3.0 * (1 + 2.0**-40)
    assert [w.engine for w in result.engines] == [repr(Fake(upper=3.0))] * 2 + [repr(Fake(upper=4.0))]


def test_contradiction_raises_with_both_sides_saved():
    with pytest.raises(wc.UnsoundBound) as caught:
        wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(100), Fake(upper=1e-3))
    assert caught.value.first.lower > caught.value.second.upper
    folder = str(caught.value).split("both saved in ")[1]
    saved = wc.load(f"{folder}/first.json")
    assert saved.lower == caught.value.first.lower


def test_ctrl_c_returns_the_bracket_so_far():
    result = wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(100), Interrupting(), wc.Spectral())
    assert result.upper == 5.0 * (1 + 2.0**-40)
    assert result.lower > 0
    assert {stop.reason for stop in result.stopped.values()} == {Reason.INTERRUPTED}


def test_a_lack_of_memory_returns_the_bracket_so_far():
    result = wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(100), Interrupting(MemoryError))
    assert result.upper == 5.0 * (1 + 2.0**-40)
    assert {stop.reason for stop in result.stopped.values()} == {Reason.MEMORY}


def test_time_limit_is_shared_and_kept():
    begun = time.monotonic()
    result = wc.bracket(wc.WDC(gaussian(30, 2)), Slow(), Slow(), time_limit=0.4)
    assert time.monotonic() - begun < 2.4
    assert [round(w.seconds, 1) for w in result.engines] == [] or len(result.engines) <= 2


def test_target_stops_before_later_engines():
    result = wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(100), Interrupting(), target=1e-6)
    assert result.lower > 1e-6
    assert result.verdict(1e-6) is wc.Verdict.VIOLATED
    assert result.stopped["lower"].reason is Reason.TARGET


def test_rng_forms_and_reproducibility():
    condition = wc.WDC(gaussian(30, 4))

    def lower(rng):
        return wc.bracket(condition, wc.MonteCarlo(64), rng=rng).lower

    assert lower(3) == lower(3) == lower(np.random.SeedSequence(3)) == lower(np.int64(3))
    assert lower(3) != lower(4)
    assert lower(np.random.default_rng(1)) == lower(np.random.default_rng(1))


def test_checkpoint_is_kept_and_resumed(tmp_path):
    path = tmp_path / "state.json"
    condition = wc.WDC(gaussian(30, 3))
    first = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(4096), checkpoint=path)
    assert wc.load(path).lower == first.lower
    resumed = wc.bracket(condition, wc.Spectral(), checkpoint=path)
    assert (resumed.lower, resumed.upper) == (first.lower, first.upper)


def test_what_only_a_cap_bounds_says_so_again_when_resumed(tmp_path):
    condition, path = wc.WDC(gaussian(90, 45)), tmp_path / "state.json"
    for _ in range(2):
        found = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(16), checkpoint=path)
        assert found.stopped["upper"].reason is Reason.CAP_ONLY


def test_checkpoint_of_another_condition_is_refused(tmp_path):
    path = tmp_path / "state.json"
    wc.bracket(wc.WDC(gaussian(30, 3)), wc.Spectral(), checkpoint=path)
    for other in (wc.WDC(gaussian(30, 3, 1)), wc.WDC(gaussian(30, 3), alpha=2.0)):
        with pytest.raises(CertificateMismatch):
            wc.bracket(other, wc.Spectral(), checkpoint=path)


def test_checkpoint_with_a_forged_witness_is_refused(tmp_path):
    path = tmp_path / "state.json"
    condition = wc.WDC(gaussian(30, 3))
    wc.bracket(condition, wc.Spectral(), checkpoint=path)
    data = json.loads(path.read_text())
    data["lower"] = data["upper"]
    path.write_text(json.dumps(data))
    with pytest.raises(CertificateMismatch, match="witness"):
        wc.bracket(condition, wc.Spectral(), checkpoint=path)


@pytest.mark.parametrize("arguments", [
    {"rng": -1}, {"rng": "seed"}, {"rng": True}, {"workers": 0}, {"workers": -2}, {"workers": 1.5},
    {"time_limit": 0}, {"time_limit": math.nan}, {"time_limit": "10"}, {"target": -1.0},
    {"target": math.inf},
])
def test_refuses_senseless_arguments(arguments):
    with pytest.raises(wc.InvalidInput, match=next(iter(arguments))):
        wc.bracket(wc.WDC(gaussian(5, 2)), wc.Spectral(), **arguments)


def test_refuses_what_is_no_condition_or_engine():
    with pytest.raises(wc.InvalidInput, match="condition"):
        wc.bracket(gaussian(5, 2))
    with pytest.raises(wc.InvalidInput, match="engines"):
        wc.bracket(wc.WDC(gaussian(5, 2)), "MonteCarlo")


def test_progress_sees_every_engine(capsys):
    seen = []
    wc.bracket(wc.WDC(gaussian(30, 2)), progress=seen.append)
    assert {event.engine for event in seen} >= {"Spectral", "MonteCarlo", "BranchAndBound"}
    assert all(event.lower <= event.upper for event in seen)
    wc.bracket(wc.WDC(gaussian(30, 2)), wc.MonteCarlo(5000), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "MonteCarlo, " in captured.err


def test_the_first_engine_runs_even_if_its_time_has_passed():
    result = wc.bracket(wc.WDC(gaussian(20, 8)), time_limit=1e-9)
    assert math.isfinite(result.upper)
    assert result.lower > 0
    assert {work.engine for work in result.engines} == {"Spectral()"}


@pytest.mark.parametrize("target", [-1.0, math.nan, math.inf, "0.5"])
def test_a_target_that_is_none(target):
    with pytest.raises(wc.InvalidInput, match="target"):
        wc.bracket(wc.WDC(np.eye(2)), target=target)


def test_a_cap_that_there_was_no_time_to_improve_on_says_time():
    W = np.random.default_rng(0).standard_normal((30, 3))
    condition = wc.WDC(W)
    late = Run(deadline=time.monotonic() - 1)
    for engines, reason in (((wc.Spectral(), wc.BranchAndBound()), Reason.TIME),
                            ((wc.Spectral(), wc.Ascent()), Reason.CAP_ONLY)):
        *_, last = _steps(condition, engines, Bracket(condition.describe()), late, None)
        assert last.stopped["upper"].reason is reason


def test_an_upper_bound_is_enlarged_once(tmp_path):
    """Another machine, which rounds otherwise, has to prove the very number that is recorded."""
    condition, path = wc.WDC(np.random.default_rng(0).standard_normal((8, 2))), tmp_path / "so-far.json"
    proved = min(cap.value for cap in condition.theorems.caps())
    first = wc.bracket(condition, wc.Spectral(), checkpoint=path)
    assert first.upper == proved * (1 + 2.0**-40)
    for _ in range(3):
        assert wc.bracket(condition, wc.Spectral(), checkpoint=path).upper == first.upper
    assert wc.bracket(condition, wc.Spectral(), target=proved).upper == proved  # what was asked for


@pytest.mark.parametrize("condition", [wc.WDC(np.zeros((3, 2)), 6.0), wc.WDC(np.ones((3, 1)), 64.0)])
def test_what_is_exact_is_not_enlarged(condition):
    assert wc.bracket(condition, wc.Spectral()).upper == condition.alpha / 2
