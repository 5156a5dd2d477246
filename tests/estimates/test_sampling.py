"""Estimates: their intervals cover, poor fits are refused, and nothing calls them bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import wdccheck as wc
from examples.estimates import CONDITION, W, power
from wdccheck.errors import InvalidInput
from wdccheck.estimates import Estimate, drawing, exceedance, extreme, quantile, tails
from wdccheck.estimates.tails import fit_tail
from wdccheck.linalg import cost


def coverage(truth, repetitions, make):
    found = [make(seed) for seed in range(repetitions)]
    return sum(one.low <= truth <= one.high for one in found) / repetitions


@pytest.mark.parametrize("p", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("samples", [400, 1000])
def test_the_interval_of_a_quantile_covers_and_is_not_wasteful(p, samples, sampled):
    sampled(lambda rng, n: rng.random(n))
    covered = coverage(p, 1000, lambda seed: quantile(CONDITION, p, samples=samples, confidence=0.9,
                                                      rng=seed))
    assert 0.9 - 3 * math.sqrt(0.09 / 1000) < covered < 0.97


def test_the_ranks_have_the_confidence_they_claim(sampled):
    """Exactly, from the binomial distribution: ranks of uniform values 1/n, ..., n/n."""
    sampled(lambda rng, n: np.arange(1.0, n + 1))
    for p in (0.1, 0.5, 0.9):
        for n in (50, 51, 137):
            found = quantile(CONDITION, p, samples=n)
            inside = stats.binom.cdf(found.high - 1, n, p) - stats.binom.cdf(found.low - 1, n, p)
            assert inside >= 0.95
            assert found.value == math.ceil(n * p)
            narrower = stats.binom.cdf(found.high - 2, n, p) - stats.binom.cdf(found.low, n, p)
            assert narrower < 0.95


def test_too_few_samples_say_how_many_it_takes(sampled):
    sampled(lambda rng, n: rng.random(n))
    with pytest.raises(InvalidInput, match="at least 368 ") as caught:
        quantile(CONDITION, 0.99, samples=10)
    assert caught.value.thing == "samples"
    assert quantile(CONDITION, 0.99, samples=368).high <= 1
    with pytest.raises(InvalidInput, match="at least 368 "):
        quantile(CONDITION, 0.01, samples=367)


@pytest.mark.parametrize("p", [0.002, 0.3])
def test_the_interval_of_an_exceedance_covers(p, sampled):
    sampled(lambda rng, n: rng.random(n))
    covered = coverage(p, 400, lambda seed: exceedance(CONDITION, 1 - p, samples=500, rng=seed))
    assert covered > 0.95 - 3 * math.sqrt(0.05 / 400)


def test_no_exceedance_is_no_proof():
    found = exceedance(CONDITION, 10.0, samples=1000)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 1000))


@pytest.mark.parametrize(("p", "truth"), [(1.0, 1.0), (1 - 1e-6, 1 - 1e-6 ** (1 / 6))])
def test_the_interval_of_an_extreme_covers(p, truth, monkeypatch):
    monkeypatch.setattr(tails, "_REPLICATES", 1)
    repetitions, inside = 200, 0
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        _, low, high, _ = fit_tail(np.sort(power(rng, 4000)), 200, p, 0.9, rng)
        inside += low <= truth <= high
    assert 0.82 < inside / repetitions <= 0.97


def conditions():
    rng = np.random.default_rng(1)
    net = wc.ReLUNetwork((rng.standard_normal((6, 2)), rng.standard_normal((9, 6)) / 3))
    return [CONDITION, wc.R2WDC(net, 2), wc.RRIC(rng.standard_normal((7, 9)) / 3, net),
            wc.JointWDC(rng.standard_normal((8, 2)), rng.standard_normal((8, 3)))]


@pytest.mark.parametrize("condition", conditions(), ids=repr)
def test_every_condition_can_be_sampled(condition):
    found = quantile(condition, 0.9, samples=300)
    assert 0 <= found.low <= found.value <= found.high <= wc.bracket(condition, wc.Spectral()).upper
    assert all(letter in found.directions for block in condition.spheres for letter in block)


def test_workers_do_not_change_an_estimate():
    one, two = (extreme(CONDITION, 0.9999, samples=5000, workers=workers) for workers in (1, 2))
    assert one == two
    assert quantile(CONDITION, 0.9, samples=500, rng=1) != quantile(CONDITION, 0.9, samples=500, rng=2)
    assert quantile(CONDITION, 0.9, rng=np.random.default_rng(3)) == quantile(
        CONDITION, 0.9, rng=np.random.default_rng(3))


@pytest.mark.parametrize(("workers", "block"), [(1, 32), (2, 32), (1, 20_000)])
def test_a_time_limit_keeps_the_first_directions_whatever_their_deviations(workers, block, monkeypatch):
    monkeypatch.setattr(drawing, "_BLOCK", block)
    monkeypatch.setattr(drawing, "_PART", 1e-9)  # a look at the clock after each direction
    found, root = drawing.deviations(CONDITION, 20_000, 5, workers, 0.01)
    assert 0 < len(found) < 20_000
    whole = [drawing._block(CONDITION, root, math.inf, 20_000, block, i)
             for i in range(-(-len(found) // block))]
    assert np.allclose(found, np.sort(np.concatenate(whole)[:len(found)]), rtol=1e-12)


class Slow:
    """A condition whose deviation is a coordinate, and takes a second for every direction."""

    entries = 0

    def __init__(self, spheres):
        self.spheres, self.search, self.asked = spheres, None, []

    def deviation(self, points):
        (x, *_) = points.values()
        self.asked.append(len(x))
        Clock.now += len(x)
        return np.abs(x[:, 0])

    def lower_bound(self, point):
        return 0.0

    def describe(self):
        return {}


class Clock:
    now = 0.0

    @classmethod
    def monotonic(cls):
        return cls.now


@pytest.fixture
def clock(monkeypatch):
    for module in (drawing, cost):
        monkeypatch.setattr(module, "time", Clock)


def test_a_limit_below_the_cost_of_one_direction_is_refused_before_it_is_drawn(clock):
    pair, lone = {("x1", "x2"): 4}, {("r",): 1000, ("s",): 1000}
    for spheres, entries in ((pair, 10_000_000), (lone, 10_000_000), ({("r",): 4000}, 30_000_000)):
        condition = Slow(spheres)
        condition.entries = entries
        with pytest.raises(InvalidInput, match="what one random direction takes") as caught:
            exceedance(condition, 0.5, time_limit=0.3)
        assert caught.value.thing == "time_limit" and condition.asked == []
        assert len(drawing.deviations(condition, 3, 0, 1, 60.0)[0]) == 3
        assert len(drawing.deviations(condition, 3, 0, 1, None)[0]) == 3


def test_a_matrix_that_is_not_formed_costs_products_with_vectors_alone(clock):
    condition = Slow({("r",): cost.FORMED + 1})
    condition.entries = 10_000
    assert len(drawing.deviations(condition, 3, 0, 1, 0.3)[0]) == 1


def test_slow_directions_are_counted_from_the_first_one_on(clock):
    """Nothing tells that they are slow: one is drawn, and the limit is kept to the next."""
    condition = Slow({("r",): 2})
    for limit in (0.5, 1.0, 3.5):
        condition.asked, Clock.now = [], 0.0
        assert len(drawing.deviations(condition, 5000, 0, 1, limit)[0]) == len(condition.asked)
        assert condition.asked == [1] * math.ceil(limit)


def test_a_block_that_comes_too_late_draws_nothing(clock):
    condition, root = Slow({("r",): 2}), np.random.SeedSequence(0)
    assert len(drawing._block(condition, root, Clock.now - 1, 100, 10, 3)) == 0
    assert len(drawing._block(condition, root, Clock.now - 1, 100, 10, 0)) == 1


def test_an_estimate_says_that_it_is_none_of_the_bounds():
    found = extreme(CONDITION, 0.9999, samples=5000)
    assert isinstance(found, Estimate) and not hasattr(found, "lower") and not hasattr(found, "upper")
    assert repr(found).startswith("<estimate, not a bound: 0.9999 quantile of the deviation of WDC(30x4")
    assert "independent uniform directions r, s" in repr(found) and "95 %" in repr(found)
    with pytest.raises(AttributeError):
        found.value = 0.0


@pytest.mark.parametrize(("make", "thing"), [
    (lambda: quantile(W, 0.9), "condition"),
    (lambda: quantile(CONDITION, 1.0), "probability"),
    (lambda: quantile(CONDITION, "half"), "probability"),
    (lambda: quantile(CONDITION, float("nan")), "probability"),
    (lambda: quantile(CONDITION, 0.5, samples=0), "samples"),
    (lambda: quantile(CONDITION, 0.5, samples=1.5), "samples"),
    (lambda: quantile(CONDITION, 0.5, confidence=95), "confidence"),
    (lambda: quantile(CONDITION, 0.5, workers=0), "workers"),
    (lambda: quantile(CONDITION, 0.5, rng=-1), "rng"),
    (lambda: exceedance(CONDITION, -1.0), "level"),
    (lambda: exceedance(CONDITION, float("nan")), "level"),
    (lambda: extreme(CONDITION, 0.9), "probability"),
    (lambda: extreme(CONDITION, samples=100), "samples"),
    (lambda: extreme(CONDITION, fraction=1.5), "fraction"),
])
def test_unusable_arguments_are_named(make, thing):
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.thing == thing
