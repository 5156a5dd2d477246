"""Calibration of alpha: Fact 4, its lower bound, and the vacuous case."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck.engines.ascent import Ascent
from wdccheck.engines.calibration import calibration
from wdccheck.errors import VacuousWarning

short = pytest.mark.usefixtures("short_climbs")  # where it does not matter how high the search comes


@pytest.mark.parametrize(("n", "k"), [(60, 1), (100, 2), (150, 3)])
def test_no_alpha_does_better(n, k):
    W = gaussian(n, k)
    found = calibration(wc.WDC(W))
    assert not found.vacuous
    here = wc.bracket(wc.WDC(W, found.alpha))
    assert found.lower <= here.upper / found.alpha
    assert here.lower / found.alpha <= found.lower * 1.01  # nearly the minimum
    for factor in (0.5, 0.8, 1.25, 2.0):
        alpha = found.alpha * factor
        other = wc.bracket(wc.WDC(W, alpha), wc.Spectral(), wc.MonteCarlo(20_000))
        assert other.lower / alpha > found.lower


@short
def test_scale_of_the_weights_moves_alpha_with_it():
    W = gaussian(80, 2)
    one, other = (calibration(wc.WDC(c * W)) for c in (1.0, 1024.0))
    assert other.alpha == pytest.approx(one.alpha * 1024**2, rel=1e-3)
    assert other.lower == pytest.approx(one.lower, rel=1e-3)


@short
def test_start_alpha_does_not_matter():
    W = gaussian(80, 2)
    values = [calibration(wc.WDC(W, alpha)).alpha for alpha in (1e-3, 1.0, 1e3)]
    assert values == pytest.approx([values[0]] * 3, rel=2e-3)


@short
def test_contractive_layers_are_vacuous_and_said_to_be():
    W = gaussian(8, 5)  # n < 2k: Fact 6
    with pytest.warns(VacuousWarning, match="1/2"):
        alpha = wc.calibrate(wc.WDC(W))
    found = calibration(wc.WDC(W))
    assert found.vacuous
    assert found.lower == pytest.approx(0.5, rel=1e-6)
    assert found.lower <= 0.5
    largest = np.linalg.norm(W, 2) ** 2
    assert 0 < alpha <= 2 * largest * (1 + 1e-9)
    proved = wc.bracket(wc.WDC(W, found.proved_alpha), wc.Spectral())
    assert proved.upper <= 0.5 * found.proved_alpha
    assert alpha <= found.proved_alpha
    smaller = wc.bracket(wc.WDC(W, 0.8 * alpha), wc.Spectral(), wc.Ascent(starts=64))
    assert smaller.lower / (0.8 * alpha) > 0.5


def test_zero_weights():
    found = calibration(wc.WDC(np.zeros((3, 2))))
    assert found.vacuous
    assert found.alpha > 0


def test_refuses_what_has_no_alpha():
    with pytest.raises(wc.InvalidInput, match="alpha"):
        calibration(object())


def test_a_time_limit_still_gives_a_valid_bound():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = calibration(wc.WDC(gaussian(50, 5)), time_limit=0.2)
    assert 0 <= found.lower <= 0.5
    assert found.alpha > 0


class Counting(wc.WDC):
    """Counts the points it measures."""

    measured = 0

    def measure(self, point):
        Counting.measured += 1
        return super().measure(point)


def test_out_of_time_it_measures_one_point_and_no_more():
    condition = Counting(gaussian(40, 8))
    found = calibration(condition, time_limit=1e-9)
    assert Counting.measured == 1
    assert 0 <= found.lower <= 0.5


@short
def test_the_search_ends_after_the_blocks_it_was_given(monkeypatch):
    done, real = [], Ascent.improve

    def counted(self, *arguments):
        for found in real(self, *arguments):
            done.append(found)
            yield found

    monkeypatch.setattr(Ascent, "improve", counted)
    condition = wc.WDC(gaussian(20, 12))  # vacuous: a search for less than 1/2 finds nothing
    few = calibration(condition, blocks=3)
    assert len(done) <= 3 and few.vacuous and few.lower <= 0.5
    done.clear()
    monkeypatch.setattr("wdccheck.engines.calibration._BLOCKS", 12)
    assert calibration(condition).lower >= 0.49 and len(done) <= 12
