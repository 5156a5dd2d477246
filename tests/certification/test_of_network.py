"""`certify`: what the rows say of each other, how they share time, and reports that resume."""

from __future__ import annotations

import math
import time
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import wdccheck as wc
from examples.networks import A, generator
from wdccheck.brackets import Bracket, Verdict
from wdccheck.certification import of_condition, over_alpha
from wdccheck.errors import InvalidInput
from wdccheck.reports.row import Row
from wdccheck.stops import Reason

pytestmark = pytest.mark.usefixtures("short_climbs")


@pytest.fixture(scope="module")
def report():
    return wc.certify(generator(), A, time_limit=2)


# -- Fact 12 ----------------------------------------------------------------------------------


def test_the_first_layer_takes_no_second_search(monkeypatch, quick):
    posed = []

    def spied(condition, *engines, **options):
        posed.append(condition.describe()["kind"])
        return wc.bracket(condition, *engines, **options)

    monkeypatch.setattr(over_alpha, "bracket", spied)
    wc.certify(generator(), alpha=1.0)
    assert posed == ["WDC", "WDC", "R2WDC", "RRIC"]


def test_the_first_layer_is_that_of_the_wdc(report):
    first, carried = report.rows[0], report.rows[2]
    assert (carried.name, carried.alpha) == ("R2WDC of layer 1", first.alpha)
    assert carried.bracket.upper == first.bracket.upper
    assert carried.bracket.lower == pytest.approx(first.bracket.lower, rel=1e-9)
    condition = wc.R2WDC(generator(), 1, carried.alpha)
    assert carried.bracket.lower == condition.lower_bound(carried.bracket.witness)
    assert carried.bracket.lower <= float(condition.deviation(carried.bracket.witness))


def test_a_restricted_row_never_has_the_larger_upper(quick):
    for seed in range(3):
        rows = wc.certify(generator(seed), alpha=0.7).rows
        for row, restricted in zip(rows[:2], rows[2:4], strict=True):
            assert restricted.alpha == row.alpha
            assert restricted.bracket.upper <= row.bracket.upper


def test_what_the_wdc_decides_is_not_searched(monkeypatch):
    posed = []

    def spied(condition, *engines, **options):
        posed.append((condition.describe()["kind"], engines))
        return wc.bracket(condition, wc.Spectral(), rng=options["rng"])

    monkeypatch.setattr(over_alpha, "bracket", spied)
    made = wc.certify(generator(), alpha=1.0, ratio=100.0)
    assert dict(posed)["R2WDC"] == (wc.Spectral(),)
    assert made.verdict(100.0) is Verdict.HOLDS


# -- rows -------------------------------------------------------------------------------------


def test_the_rric_has_no_alpha(report):
    row = report.rows[-1]
    assert (row.kind, row.alpha, row.layer, row.shape) == ("RRIC", None, None, (5, 8))
    assert (row.ratio_lower, row.ratio_upper) == (row.bracket.lower, row.bracket.upper)
    assert row.verdict(row.bracket.upper) is Verdict.HOLDS
    assert row.verdict(row.bracket.lower / 2) is Verdict.VIOLATED
    text = row.to_text()
    assert "alpha" not in text and "<= eps <=" in text and "RRIC: 5 x 8" in text


def test_every_row_bounds_from_both_sides(report):
    for row in report.rows:
        assert 0 < row.bracket.lower <= row.bracket.upper < math.inf
    assert [row.name for row in report.rows] == [
        "WDC of layer 1", "WDC of layer 2", "R2WDC of layer 1", "R2WDC of layer 2", "RRIC"]


def test_the_table_has_a_line_per_row(report):
    table = report.to_text().split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in table] == [row.kind for row in report.rows]
    assert "measurements A: 5 x 8, given" in report.to_text()


def test_drawn_measurements_are_stated_and_can_be_drawn_again(quick):
    made = wc.certify(generator(), alpha=1.0, rng=3)
    drawn = np.random.default_rng(3).standard_normal((4, 8)) / 2
    assert made.rows[-1].bracket.condition["sha256"] == wc.RRIC(drawn, generator()).describe()["sha256"]
    assert made.to_dict()["measurements"] == {"shape": [4, 8], "drawn": True}
    assert "A: 4 x 8, drawn N(0, 1/4) from the seed" in made.to_text() and "seed 3" in made.to_text()
    assert wc.certify([np.eye(1)], alpha=1.0).rows[-1].shape == (1, 1)  # at least one row


@cache
def dense():
    return wc.certify(generator(), A, alpha=1.0).rows[-1]


@pytest.mark.parametrize("kind", [sparse.csr_array, aslinearoperator, sparse.coo_matrix])
def test_measurements_of_any_kind(kind, quick):
    row = wc.certify(generator(), kind(A), alpha=1.0).rows[-1]
    assert row.bracket.lower == pytest.approx(dense().bracket.lower)


def test_dead_layers_say_0_and_why(quick):
    """The second layer is dead: all that follows has nothing to reach."""
    net = [np.eye(2), -np.ones((3, 2)), np.ones((4, 3))]
    made = wc.certify(net)
    text = made.to_text()
    for row in made.rows[5:]:  # R2WDC of layer 3, RRIC
        assert (row.bracket.lower, row.bracket.upper, row.state) == (0.0, 0.0, "nothing to bound")
        assert "eps = 0" in row.to_text() and "dead" in row.to_text()
        assert row.verdict(0.0) is Verdict.HOLDS
        assert "vacuous" not in row.to_text()
    assert "every input of the layer is dead" in text and "every output is dead" in text


def test_impossible_measurements_are_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(over_alpha, "bracket", None)
    for bad, words in ((A.T, "did you mean A.T"), (np.full((2, 8), math.nan), "finite"),
                       (np.ones((2, 8)) * 1j, "real"), (np.ones(8), "matrix")):
        with pytest.raises(InvalidInput, match=words):
            wc.certify(generator(), bad)


# -- time, interruption, checkpoints ------------------------------------------------------------


def test_no_row_starves_and_what_is_left_goes_on(monkeypatch):
    """Every row that takes all it gets has an equal share; a quick one leaves its own to the others."""
    clock = {"now": 1000.0}
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    shares = []

    def taking(condition, *, time_limit, **_):
        shares.append(time_limit)
        clock["now"] += 0.0 if len(shares) == 1 else time_limit  # the first row is closed at once
        return Row(Bracket(condition.describe(), 0.0, 1.0))

    monkeypatch.setattr(of_condition, "certify_condition", taking)
    wc.certify(generator(), time_limit=100)
    assert len(shares) == 4  # R2WDC of layer 1 takes no time
    assert shares[0] == pytest.approx(97 / 4)
    assert shares[1:] == pytest.approx([97 / 3] * 3)
    assert clock["now"] <= 1100


def test_an_interrupted_row_keeps_what_stands(monkeypatch, quick):
    calls = []

    def interrupted(condition, *engines, **options):
        calls.append(condition)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return wc.bracket(condition, *engines, **options)

    monkeypatch.setattr(over_alpha, "bracket", interrupted)
    made = wc.certify(generator(), alpha=1.0)
    assert made.interrupted and [row.name for row in made.rows] == [
        "WDC of layer 1", "WDC of layer 2", "R2WDC of layer 1", "R2WDC of layer 2"]
    assert "interrupted: 4 of 5 rows begun" in made.to_text()
    assert made.verdict(1e9) is Verdict.UNDECIDED


def test_a_calibration_out_of_memory_ends_its_row_only(monkeypatch, quick):
    def exhausted(condition, *_):
        raise MemoryError

    monkeypatch.setattr(over_alpha, "kept_calibration", exhausted)
    made = wc.certify(generator())
    assert not made.interrupted and len(made.rows) == 5
    assert made.rows[0].bracket.stopped["lower"].reason is Reason.MEMORY


def test_an_interrupted_calibration_of_a_restricted_row(monkeypatch, quick):
    def interrupted(condition, *rest):
        if isinstance(condition, wc.R2WDC):
            raise KeyboardInterrupt
        return calibrated(condition, *rest)

    calibrated = over_alpha.kept_calibration
    monkeypatch.setattr(over_alpha, "kept_calibration", interrupted)
    made = wc.certify(generator())
    assert made.interrupted and made.rows[-1].name == "R2WDC of layer 2"
    assert 0 < made.rows[-1].bracket.lower <= made.rows[-1].bracket.upper < math.inf
