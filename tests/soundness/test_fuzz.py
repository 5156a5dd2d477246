"""Hostile networks and command lines: answers that are true, or a refusal in one line.

The slow tests draw from the seed of the environment variable WDCCHECK_FUZZ_SEED, or else from one that is
drawn for each run and printed at its end.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from examples import hostile, hostile_lines
from wdccheck.cli.main import main
from wdccheck.errors import InvalidInput, TransposedWarning, VacuousWarning

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
    networks(0, range(40), tmp_path)


def test_some_hostile_lines(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines(0, range(25), tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_hostile_networks(part, drawn, tmp_path):
    networks(drawn, range(100 * part, 100 * (part + 1)), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_hostile_lines(part, drawn, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines(drawn, range(100 * part, 100 * (part + 1)), tmp_path, capsys)
