"""Amounts of work and sizes that no machine can do: refused by name, before anything of that size is made."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.certification.of_network import drawn_measurements
from wdccheck.cli.main import main
from wdccheck.studies.ensembles import draw

ABSURD = 2**62
W = np.random.default_rng(0).standard_normal((12, 2))


@pytest.mark.parametrize(("thing", "call"), [
    ("samples", lambda: wc.MonteCarlo(samples=ABSURD)),
    ("starts", lambda: wc.Ascent(starts=ABSURD)),
    ("nodes", lambda: wc.BranchAndBound(nodes=ABSURD)),
    ("nodes", lambda: wc.SDP(nodes=ABSURD)),
    ("samples", lambda: wc.estimates.exceedance(wc.WDC(W), 1.0, samples=ABSURD)),
    ("repeat", lambda: wc.sweep("wdc", k=2, n=4, repeat=ABSURD)),
    ("budget", lambda: wc.sweep("wdc", k=2, n=4, budget=ABSURD)),
    ("the lists", lambda: wc.sweep("wdc", k=range(1, 1200), n=range(1, 1200))),
    ("weights", lambda: draw("gaussian", ABSURD, 2, np.random.default_rng(0))),
    ("measurements", lambda: drawn_measurements(wc.ReLUNetwork([np.ones((2**15, 1))]), 0)),
])
def test_it_is_refused_in_python(thing, call):
    with pytest.raises(wc.InvalidInput) as caught:
        call()
    assert caught.value.thing == thing


@pytest.mark.parametrize("samples", [ABSURD, 10**12 + 1])
@pytest.mark.parametrize("field", ["repr", "work"])
def test_verify_refuses_work_that_a_file_claims(samples, field, tmp_path, capsys):
    path = tmp_path / "result.json"
    wc.bracket(wc.WDC(W), wc.Spectral(), wc.MonteCarlo(samples=64)).save(path)
    data = json.loads(path.read_text())
    data["engines"][-1][field] = f"MonteCarlo(samples={samples})" if field == "repr" else samples
    path.write_text(json.dumps(data))
    assert main(["verify", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(samples) in err


def test_the_most_that_may_be_recorded_is_not_what_a_run_takes(tmp_path):
    """A target ends the fresh run; nothing is made in advance for samples that are not drawn."""
    path = tmp_path / "result.json"
    wc.bracket(wc.WDC(W), wc.Spectral(), wc.MonteCarlo(samples=64)).save(path)
    data = json.loads(path.read_text())
    data["engines"][-1].update(repr="MonteCarlo(samples=1000000000000)", work=10**12)
    path.write_text(json.dumps(data))
    assert [str(check.outcome) for check in wc.verify(path) if check.counts] == ["proved", "proved"]


@pytest.mark.parametrize(("arguments", "words"), [
    (["estimate", "wdc", "W.npy", "--samples", str(ABSURD), "--quantile", "0.5"], "samples"),
    (["sweep", "--k", "2", "--n", str(ABSURD)], "random entries"),
    (["sweep", "--n", "4", "--repeat", str(ABSURD)], "repeat"),
    (["sweep", "--n", "4", "--budget", str(ABSURD)], "budget"),
])
def test_it_is_refused_on_the_command_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("W.npy", W)
    assert main(arguments) in (2, 3)  # 3: a cell of a sweep that failed
    assert words in capsys.readouterr().err
