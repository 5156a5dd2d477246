"""Hostile networks and command lines: answers that are true, or a refusal in one line.

The slow tests draw from the seed of the environment variable WDCCHECK_FUZZ_SEED. Without it they draw from a
fixed seed where CI is set, as a gate must not refuse a commit for luck. Elsewhere they draw from a fresh one
for each run, which is printed at its end.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import wdccheck as wc
from examples import hostile, hostile_lines
from examples.refusals import refused
from wdccheck.certification.of_condition import certify_condition
from wdccheck.cli.main import main
from wdccheck.engines.lines import Line, lowest
from wdccheck.errors import InvalidInput, TransposedWarning, VacuousWarning
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Measured
from wdccheck.ranges import differences
from wdccheck.reports import drawings
from wdccheck.reports.witness import Pair

PUBLISHED = Path(__file__).parents[1] / "data" / "weights"
STATUSES = {0, 1, 2, 3}  # no interruption, no bug


@pytest.fixture
def drawn():
    return int(os.environ["WDCCHECK_FUZZ_SEED"])


def networks(seed, numbers, folder):
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # those of NumPy, too
            for advice in (TransposedWarning, VacuousWarning):
                warnings.simplefilter("ignore", advice)
            try:
                hostile.attack(rng, folder)
            except InvalidInput as refusal:
                assert "\n" not in str(refusal)
            except Exception as error:
                raise AssertionError(f"network {number} of seed {seed}: {error!r}") from error


def lines(seed, numbers, folder, capsys):
    rng = np.random.default_rng([seed, 0])
    named = hostile_lines.files(rng, folder, PUBLISHED)
    for number in numbers:
        arguments = hostile_lines.line(np.random.default_rng([seed, 1, number]), named)
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # the command prints them
            warnings.simplefilter("error", RuntimeWarning)
            status = main(arguments)
        out, err = capsys.readouterr()
        about = f"line {number} of seed {seed}: {arguments} gave {status}\n{err}"
        assert status in STATUSES and "Traceback" not in out + err, about
        assert status != 2 or err.splitlines()[-1].startswith(("wdccheck: ", "Error: ")), about
        if status != 2 and ["--json", "-"] in [arguments[i:i + 2] for i in range(len(arguments))]:
            json.loads(out)


def test_some_hostile_networks(tmp_path):
    networks(0, range(15), tmp_path)


def test_some_hostile_lines(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines(0, range(10), tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_hostile_networks(part, drawn, tmp_path):
    networks(drawn, range(100 * part, 100 * (part + 1)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_hostile_lines(part, drawn, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines(drawn, range(100 * part, 100 * (part + 1)), tmp_path, capsys)


# -- what was found ----------------------------------------------------------------------------------------


def test_scales_beyond_floats_are_no_warning():
    level = Line({}, Measured(1e-320, 0.0, 0.25, 0.0))
    assert lowest([level], 0.5).beta == np.inf
    layers = [np.eye(2), np.array([[1e100, -1e100], [0.0, 1e-150]])]  # the error is 10^234 times the image
    value, error = differences.sharpened(layers, np.ones((1, 2)), np.zeros((1, 2)))
    assert value[0, 0] == 0 and value[0, 1] >= 0.5 and (error <= 1e-15).all()
    W = 5e-324 * np.array([[3.0, 1.0], [-2.0, 4.0], [1.0, -1.0]])
    pair = Pair(("r", "s"), np.eye(2), np.ones((2, 3), bool))
    assert "nan" not in drawings.directions(W, pair) and "inf" not in drawings.directions(W, pair)
    codes = {"x1": np.array([[3e161], [0.0]]), "x2": np.array([[4e161], [1e-200]])}
    np.testing.assert_allclose(spheres.join(codes, ("x1", "x2")), [[0.6, 0.8], [0.0, 1.0]], rtol=1e-15)


@pytest.mark.parametrize("B, C, alpha", [(1e158, 1e-160, 1.0), (1.0, 1e100, 5e-324)])
def test_a_pair_of_scales_beyond_floats_is_bracketed(B, C, alpha):
    condition = wc.JointWDC(B * np.array([[1.0, 0.5], [-1.0, 1.0]]), C * np.array([[1.0], [1.0]]), alpha)
    found = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(samples=32), wc.BranchAndBound(nodes=50))
    assert 0 < found.lower <= found.upper < np.inf


@pytest.mark.parametrize("change", [
    {"witnesses": [{"x": None}]}, {"alpha": None}, {"vacuous": 1}, {"lower": "0"}])
def test_a_malformed_calibration_beside_a_checkpoint_is_refused(change, tmp_path):
    condition, path = wc.WDC(np.eye(2)), tmp_path / "row.alpha.json"
    certify_condition(condition, time_limit=0.1, checkpoint=tmp_path / "row.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(lambda: certify_condition(condition, time_limit=0.1, checkpoint=tmp_path / "row.json"), str(path))
