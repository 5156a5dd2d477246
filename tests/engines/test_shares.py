"""How the time is shared: a search ends on a plateau, a proof that pays nothing makes room for a search."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.engines import loop, shares
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.shares import Plateau, proof_follows, share
from wdccheck.linalg import cost
from wdccheck.running.run import Run
from wdccheck.stops import Reason


@dataclass(frozen=True)
class Calm:
    """A search that finds nothing more, block after block."""

    unit = "starts"

    def improve(self, condition, known, run):
        for done in range(1, 1000):
            yield replace(known, engines=(run.work(self, done),))


@dataclass(frozen=True)
class Proof(Calm):
    unit = "nodes"

    def improve(self, condition, known, run):
        yield replace(known, upper=7.0, engines=(run.work(self, 1),))


class Clock:
    """A quarter of a second passes between two looks."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 0.25
        return self.now

    time = staticmethod(time.time)


def test_a_search_ends_on_a_plateau_where_a_proof_waits(monkeypatch):
    condition, blocks = wc.WDC(np.eye(2)), {}
    for limited in (True, False):
        clock = Clock()
        for module in (loop, shares):
            monkeypatch.setattr(module, "time", clock)
        found = wc.bracket(condition, Calm(), Proof(), time_limit=1e12 if limited else None)
        blocks[limited] = [work.work for work in found.engines]
    assert blocks == {True: [shares._ROUND, 1], False: [999, 1]}


@dataclass(frozen=True)
class Slow(Calm):
    """A search that rises by less than a tenth of a percent, beyond the target in the end."""

    def improve(self, condition, known, run):
        for found in super().improve(condition, known, run):
            risen = replace(found, lower=1 + 1e-5 * found.engines[-1].work, witness={})
            yield risen
            if run.decided(risen):
                yield replace(risen, stopped={"lower": run.answer(risen)})
                return


def test_a_plateau_where_the_question_is_decided_leaves_nothing_to_a_proof(monkeypatch):
    for module in (loop, shares):
        monkeypatch.setattr(module, "time", Clock())
    target = 1 + 1e-5 * (shares._ROUND + 0.5)  # the block after which the plateau is long enough decides
    found = wc.bracket(wc.WDC(np.eye(2), alpha=9.0), Slow(), Proof(), time_limit=1e12, target=target)
    assert found.lower > target and found.stopped["lower"].reason is Reason.TARGET


@pytest.mark.parametrize("search", [Calm(), wc.MonteCarlo()])
def test_a_search_that_is_left_out_says_so_after_formulas(search, monkeypatch):
    monkeypatch.setattr(cost, "_PRODUCT", 1e-3)  # samples take years
    if isinstance(search, Calm):
        monkeypatch.setattr(loop, "unaffordable", lambda *_: "left out")
    found = wc.bracket(wc.WDC(np.tri(9, 3)), wc.Spectral(), search, time_limit=5)
    assert found.stopped["lower"].reason is Reason.TIME and "left out" in found.stopped["lower"].detail


def test_formulas_that_the_time_cuts_short_say_so():
    found = wc.bracket(wc.WDC(np.eye(3)), time_limit=1e-9)
    assert found.stopped["lower"].reason is Reason.TIME


def test_a_search_that_no_proof_follows_goes_on(monkeypatch):
    monkeypatch.setattr(loop, "time", Clock())
    found = wc.bracket(wc.WDC(np.eye(2)), Proof(), Calm(), time_limit=1e12)
    assert [work.work for work in found.engines] == [1, 999]


def test_a_rise_by_a_tenth_of_a_percent_counts():
    calm = Plateau(1.0, 0.0)
    for block in range(20):
        calm = calm.after(1.0009, block)
    assert calm.long(20.0) and calm == Plateau(1.0, 0.0, 20)
    assert calm.after(1.0011, 20.0) == Plateau(1.0011, 20.0)


def test_proofs_get_at_least_half_of_the_time():
    run = Run(deadline=time.monotonic() + 100)
    condition = wc.WDC(np.random.default_rng(0).standard_normal((40, 3)))
    engines = default_engines(condition, limited=True)
    assert [one.unit for one in engines] == ["formulas", "samples", "starts", "nodes", "starts"]
    ends = [share(engines, i, run).deadline - run.deadline + 100 for i in range(5)]
    assert [round(end) for end in ends] == [100, 33, 50, 100, 100]
    assert round(share(engines, 3, run).patience - run.deadline) == -50
    assert [proof_follows(engines, i, run) for i in range(5)] == [True, True, True, False, False]
    assert share(engines[:4], 3, run).patience == math.inf


def test_a_hopeless_proof_leaves_time_to_a_search():
    W = np.random.default_rng(0).standard_normal((60, 8)) / np.sqrt(60)
    found = wc.bracket(wc.WDC(W), wc.Spectral(), wc.BranchAndBound(), wc.Ascent(), time_limit=1.0)
    units = [work.unit for work in found.engines]
    assert units[:2] == ["formulas", "nodes"] and "no progress" in found.stopped["upper"].detail


def test_no_search_follows_a_proof_that_has_closed_the_gap():
    W = np.random.default_rng(0).standard_normal((40, 2)) / np.sqrt(40)
    found = wc.bracket(wc.WDC(W), time_limit=30)
    assert found.stopped["upper"].reason is Reason.GAP and found.engines[-1].unit == "nodes"
