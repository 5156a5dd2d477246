"""Ctrl-C, and a lack of memory, at every place of a bracket and of a row: what was found stands."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.certification import of_condition, over_alpha
from wdccheck.engines import loop
from wdccheck.stops import Reason

ENDS = {KeyboardInterrupt: Reason.INTERRUPTED, MemoryError: Reason.MEMORY}
LAYERS = [np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]), np.array([[1.0, -0.5, 0.5], [0.5, 1.0, 0.25]])]


def ends(error):
    def function(*_, **__):
        raise error

    return function


class Closing:
    """A display that is interrupted as it closes."""

    def update(self, event):
        pass

    def close(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize("error", ENDS)
@pytest.mark.parametrize("place", ["recalled", "default_engines", "_merged", "_explained"])
def test_a_bracket_is_given_wherever_it_ends(place, error, monkeypatch, tmp_path):
    condition, path = wc.WDC(LAYERS[0]), tmp_path / "kept.json"
    wc.bracket(condition, wc.Spectral()).save(path)
    monkeypatch.setattr(loop, place, ends(error))
    found = wc.bracket(condition, checkpoint=path, time_limit=0.3)
    assert {stop.reason for stop in found.stopped.values()} == {ENDS[error]}
    assert found.lower <= found.upper


def test_a_bracket_is_given_where_its_display_is_interrupted():
    found = wc.bracket(wc.WDC(LAYERS[0]), wc.Spectral(), progress=Closing())
    assert found.interrupted and 0 < found.lower <= found.upper < math.inf


@pytest.mark.parametrize("error", ENDS)
@pytest.mark.parametrize("alpha, place", [
    *[("best", place) for place in ("kept_calibration", "lines", "default_engines", "least_ratio")],
    *[(2.0, place) for place in ("first_lines", "default_engines", "least_ratio")]])
def test_a_row_is_given_wherever_it_ends(place, alpha, error, monkeypatch, quick):
    monkeypatch.setattr(over_alpha, place, ends(error))
    row = of_condition.certify_condition(wc.WDC(LAYERS[0]), alpha=alpha, time_limit=0.5)
    assert {stop.reason for stop in row.bracket.stopped.values()} == {ENDS[error]}
    assert 0 < row.bracket.lower <= row.bracket.upper < math.inf
    assert row.least is not None and 0 <= row.least.lower <= row.least.upper <= row.ratio_upper
    assert row.alpha == alpha or row.scope == "best"


def test_a_report_ends_with_the_row_that_was_interrupted(monkeypatch, quick):
    calls = iter(range(9))
    least_ratio = over_alpha.least_ratio

    def interrupted(*arguments):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return least_ratio(*arguments)

    monkeypatch.setattr(over_alpha, "least_ratio", interrupted)
    report = wc.certify(LAYERS, np.eye(2), alpha=1.0, time_limit=0.5)
    assert report.interrupted and [row.name for row in report.rows] == ["WDC of layer 1", "WDC of layer 2"]
    assert "interrupted: 2 of 5 rows begun" in report.to_text()
