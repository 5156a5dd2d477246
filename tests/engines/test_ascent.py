"""The search along great circles: known maxima, never worse, the same for any number of workers."""

from __future__ import annotations

import time

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from examples.toys import Bilinear, Quadratic
from wdccheck.engines import ascent, climbs
from wdccheck.geometry import spheres, tangents
from wdccheck.geometry.expectation import expected_gram, unit
from wdccheck.running.run import Run
from wdccheck.stops import Reason


def search(condition, starts=1, **options):
    return wc.bracket(condition, wc.Ascent(starts), **options)


KINDS = {
    "gaussian": gaussian(30, 4),
    "k = 1": gaussian(7, 1),
    "n = 1": gaussian(1, 3),
    "one entry": np.array([[2.0]]),
    "k = 2, n = 2": np.eye(2),
    "zero": np.zeros((3, 2)),
    "zero rows": np.vstack([gaussian(9, 3), np.zeros((4, 3))]),
    "duplicated": np.tile(gaussian(6, 3), (3, 1)),
    "negated": np.vstack([gaussian(6, 3), -gaussian(6, 3)]),
    "integer": np.random.default_rng(1).integers(-1, 2, (15, 3)),
    "grid": np.array([[1, 0], [0, 1], [1, 1], [1, -1], [-1, 0], [0, -1], [2, 0]]),
    "sparse": gaussian(20, 5) * (np.random.default_rng(2).random((20, 5)) < 0.3),
    "rank one": np.outer(gaussian(8, 1)[:, 0], [1.0, 2.0, 3.0]),
    "non-negative": np.abs(gaussian(20, 4)),
    "heavy-tailed": np.random.default_rng(3).standard_cauchy((20, 4)),
    "scales": gaussian(10, 3) * 10.0 ** np.linspace(-150, 0, 10)[:, None],
    "Lanczos": gaussian(50, 41),
}


@pytest.mark.filterwarnings("ignore::wdccheck.errors.TransposedWarning")
@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("name", KINDS)
def test_witness_reevaluates_below_the_cap_and_above_sampling(name):
    condition = wc.WDC(KINDS[name])
    result = search(condition)
    value = float(condition.deviation(result.witness))
    assert result.lower <= value <= result.lower * (1 + 1e-9)
    assert result.lower <= wc.bracket(condition, wc.Spectral()).upper
    assert result.lower >= wc.bracket(condition, wc.MonteCarlo(4096)).lower * (1 - 1e-3)


@pytest.mark.parametrize(("k", "n", "least"), [(2, 200, 0.2009), (3, 100, 0.4128)])
def test_known_values(k, n, least):
    assert search(wc.WDC(gaussian(n, k)), 600).lower >= least * (1 - 1e-3)


@pytest.mark.parametrize("seed", [3, 4])
def test_no_seed_ends_at_the_second_best_maximum(seed):
    W = np.random.default_rng(31342).standard_normal((100, 5)) / 10  # 0.60699 is the second best
    assert search(wc.WDC(W), 10**5, rng=seed, target=0.6181).lower > 0.6181


@pytest.mark.parametrize("k", [2, 3])
def test_identity_in_any_rotation(k):
    U = np.linalg.qr(gaussian(k, k))[0]
    assert search(wc.WDC(U)).lower > 1 - 1e-6


def test_repeated_rows():
    assert search(wc.WDC(np.eye(2)[[0, 0, 1]])).lower > 2 - 1e-6


@pytest.mark.usefixtures("short_climbs")
def test_beats_sampling_at_equal_work():
    condition = wc.WDC(gaussian(100, 10))
    found = search(condition, 1)
    sweeps = ascent._plan(condition, Run()).sweeps
    circles = found.engines[0].work * sweeps * 2
    # a circle costs less than the freezing of four random pairs
    sampled = wc.bracket(condition, wc.MonteCarlo(4 * circles)).lower
    assert found.lower > 1.2 * sampled


def test_one_and_two_workers_agree():
    condition = wc.WDC(gaussian(40, 2))
    one, two = (search(condition, 520, workers=w) for w in (1, 2))
    assert one.lower == two.lower
    assert np.array_equal(one.witness["r"], two.witness["r"])


def test_bounds_only_rise_and_more_starts_never_lower_them():
    condition = wc.WDC(gaussian(20, 2))
    known = wc.bracket(condition, wc.Spectral())
    seen = [known.lower for known in wc.Ascent(600).improve(condition, known, Run())]
    assert len(seen) > 8
    assert seen == sorted(seen)
    assert search(condition, 1).lower <= search(condition, 600).lower


def test_a_sweep_never_lowers_the_deviation():
    condition = wc.WDC(gaussian(60, 6))
    rng = np.random.default_rng(0)
    points = condition.search.seeds(rng, 40)
    frozen = condition.search.freeze(points)
    for sweep in range(6):
        before = condition.deviation(points)
        points, frozen = climbs.sweep(condition, points, frozen, rng, None, free=sweep % 2 == 0)
        after = condition.deviation(points)
        assert (after >= before * (1 - 1e-12)).all()
        np.testing.assert_allclose(after, frozen.value, rtol=1e-9)


def test_starts_from_what_is_known():
    condition = wc.WDC(gaussian(30, 3))
    good = search(condition)
    known = next(iter(wc.Ascent(1).improve(condition, good, Run(seed=np.random.SeedSequence(9)))))
    assert known.lower >= good.lower


def test_stops_by_itself_and_says_why():
    result = wc.bracket(wc.WDC(gaussian(20, 2)), wc.Ascent())
    assert result.stopped["lower"].reason is Reason.BUDGET
    assert "raised nothing" in result.stopped["lower"].detail


def test_stops_when_the_target_is_decided():
    result = search(wc.WDC(gaussian(30, 3)), 10**6, target=0.05)
    assert result.stopped["lower"].reason is Reason.TARGET
    assert result.engines[0].work < 10**3


def test_quadratic_form_on_one_sphere():
    M = gaussian(8, 8)
    condition = Quadratic(M + M.T)
    result = search(condition, 2000)
    assert condition.maximum * (1 - 1e-4) <= result.lower <= condition.maximum


def test_bilinear_form_on_two_spheres():
    condition = Bilinear(gaussian(5, 7))
    result = search(condition, 2000)
    assert condition.maximum * (1 - 1e-5) <= result.lower <= condition.maximum
    assert set(result.witness) == {"x", "y"}


def test_best_of_a_circle_is_attained_and_beats_a_grid():
    rng = np.random.default_rng(4)
    W = np.vstack([gaussian(25, 3), np.zeros((1, 3)), gaussian(2, 3)])
    condition = wc.WDC(W)
    points = spheres.sample(condition.spheres, rng, 30)
    frozen = condition.search.freeze(points)
    tangent = spheres.unit_tangent(points["r"], rng.standard_normal((30, 3)))
    best = condition.search.circle(points, ("r",), tangent, frozen)

    def form(r):
        open_both = (r @ W.T > 0) & (points["s"] @ W.T > 0)
        gated = np.sum(open_both * (frozen.u @ W.T) ** 2, axis=1)
        mean = np.einsum("bi,bij,bj->b", frozen.u, expected_gram(r, points["s"]), frozen.u)
        return frozen.sign * (gated - mean)

    np.testing.assert_allclose(form(spheres.step(points["r"], tangent, best.angle)), best.value, atol=1e-7)
    for t in np.linspace(0, 2 * np.pi, 400):
        assert (form(spheres.step(points["r"], tangent, np.full(30, t))) <= best.value + 1e-4).all()


def test_sliding_leaves_the_nearest_gates_alone():
    rng = np.random.default_rng(6)
    W, r = gaussian(20, 5), unit(rng.standard_normal((10, 5)))
    moved = 0
    for _ in range(20):
        toward = rng.standard_normal((10, 5))
        slid = tangents.off_walls(W, r @ W.T, toward, rng)
        still = np.sum(np.abs(slid @ W.T) < 1e-6, axis=1)
        assert (still >= (0 if np.array_equal(slid, toward) else 1)).all()
        moved += int(still.max())
    assert moved > 0


@pytest.mark.parametrize("starts", [0, -3, True, 2.5, "many"])
def test_refuses_senseless_starts(starts):
    with pytest.raises(wc.InvalidInput, match="starts"):
        wc.Ascent(starts)


def test_what_the_time_cuts_short_does_not_count():
    condition, run = wc.WDC(gaussian(40, 6)), Run()
    plan, late = ascent._plan(condition, run), time.monotonic() - 1
    seed, empty = run.block_seed(0, 0), ascent._Pool.of(condition, wc.Bracket(condition.describe()))
    first = ascent._evolve(condition, plan, late, (seed, None, None, empty))
    assert first is not None and first.values[0] > 0  # there has to be something to hand back
    assert ascent._evolve(condition, plan, late, (seed, None, first, empty.joined(first))) is None


def test_a_search_without_time_has_a_witness_and_counts_what_it_did():
    result = wc.bracket(wc.WDC(gaussian(40, 6)), wc.Ascent(), time_limit=1e-9)
    assert result.lower > 0 and result.stopped["lower"].reason is Reason.TIME
    again = wc.bracket(wc.WDC(gaussian(40, 6)), wc.Ascent(starts=result.engines[-1].work))
    assert again.lower >= result.lower


def test_fresh_seeds_are_looked_at_a_few_at_a_time_until_the_time_is_up(monkeypatch):
    condition, sizes = wc.WDC(gaussian(50, 20)), []
    freeze = type(condition.search).freeze
    monkeypatch.setattr(type(condition.search), "freeze", lambda self, points, *given, **named: (
        sizes.append(len(points["r"])) or freeze(self, points, *given, **named)))
    monkeypatch.setattr(ascent, "_SCREENED", 350)
    plan = ascent._Plan(size=5, screen=4, sweeps=2, rounds=2)
    pool = ascent._Pool.of(condition, wc.Bracket(condition.describe()))
    item = np.random.SeedSequence(0), None, None, pool
    rng = np.random.default_rng(0)
    assert ascent._set_out(condition, plan, rng, np.inf, item) is not None and sizes == [7, 7, 6]
    assert ascent._set_out(condition, plan, rng, time.monotonic() - 1, item) is None
