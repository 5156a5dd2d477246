"""Both isometry constants of measurements: the API, the row of a report, files, assertions, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wdccheck as wc
from examples.isometry import instance
from wdccheck.certification import of_range
from wdccheck.cli.main import main
from wdccheck.reports.isometry import Isometry
from wdccheck.stops import Reason, Stop

_, NET, A = instance(0, (2, 5, 6), 4)


@pytest.fixture(scope="module")
def found():
    return wc.isometry(A, NET)


def outcomes(path, **options):
    return {check.what: str(check.outcome) for check in wc.verify(path, **options) if check.counts}


def test_both_sides_of_both_constants(found):
    rng = np.random.default_rng(1)
    x1, x2 = rng.standard_normal((2, 2000, 2))
    u = NET(x1) - NET(x2)
    u = u[u.any(axis=1)]
    ratio = np.sum((u @ A.T) ** 2, axis=1) / np.sum(u * u, axis=1)
    assert found.lower.proved <= ratio.min() and ratio.max() <= found.upper.proved
    for one, better in ((found.lower, min), (found.upper, max)):
        v = NET(one.witness["x1"]) - NET(one.witness["x2"])
        value = np.sum((A @ v) ** 2) / np.sum(v * v)
        assert value == pytest.approx(one.exhibited) == better(value, one.exhibited)
    assert found.lower.exhibited < found.lower.proved * 1.03
    assert found.upper.proved < found.upper.exhibited * 1.03
    again = Isometry.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_dict() == found.to_dict() and again.to_text() == found.to_text()


def test_assertions(found):
    low, high = found.lower.proved, found.upper.proved
    assert wc.testing.assert_isometry(A, NET, low * 0.99, high * 1.01).upper.proved <= high * 1.01
    for bounds in ({"lower": found.lower.exhibited * 1.01}, {"upper": found.upper.exhibited * 0.99}):
        with pytest.raises(wc.NotProved, match="violated") as error:
            wc.testing.assert_isometry(A, NET, **bounds)
        assert not isinstance(error.value, wc.Undecided)
    kernel = np.array([[1.0, -1.0]])  # what is proved of its least ratio is 0, whatever is asked
    with pytest.raises(wc.Undecided):
        wc.testing.assert_isometry(kernel, wc.ReLUNetwork([np.eye(2)]), 1e-13)
    with pytest.raises(wc.InvalidInput, match="lower and upper"):
        wc.testing.assert_isometry(A, NET)
    with pytest.raises(wc.InvalidInput, match="lower"):
        wc.testing.assert_isometry(A, NET, -1.0)


def test_an_interruption_ends_the_other_side_and_the_report(monkeypatch):
    limits = []

    def interrupted(condition, *engines, time_limit, **options):
        limits.append(time_limit)
        stop = Stop(Reason.INTERRUPTED if len(limits) == 1 else Reason.TIME)
        return wc.Bracket(condition.describe(), upper=4.0, stopped={"upper": stop})

    monkeypatch.setattr(of_range, "bracket", interrupted)
    found = wc.isometry(A, NET, time_limit=50)
    assert found.interrupted and limits[0] > 24 and limits[1] == of_range._NO_TIME
    limits.clear()
    report = wc.certify(NET, A, alpha=1.0, time_limit=4, isometry=True)
    assert report.interrupted and report.rows[-1].isometry.lower.proved == 0.25


@pytest.mark.parametrize("bad", [{"time_limit": -1}, {"time_limit": np.nan}, {"upper": True}, {"gap": 2}])
def test_what_cannot_be_asked_is_refused(bad):
    with pytest.raises(wc.InvalidInput):
        wc.isometry(A, NET, **bad)


def test_a_dead_network_keeps_every_promise():
    dead = wc.ReLUNetwork([-np.ones((3, 2)), -np.ones((2, 3))])
    found = wc.testing.assert_isometry(np.eye(2), dead, 5.0, 0.1)
    assert "no differences" in found.to_text()


@pytest.mark.usefixtures("quick")
def test_in_the_row_of_a_report(tmp_path):
    report = wc.certify(NET, A, alpha=1.0, time_limit=8, isometry=True)
    row = report.rows[-1]
    assert "min |A u|^2/|u|^2" in row.to_text() and "max |A u|^2/|u|^2" in report.to_text()
    report.save(tmp_path / "report.json")
    checks = outcomes(tmp_path / "report.json", rerun=False)
    assert checks["RRIC: isometry, lower: lower bound"] == "proved"
    assert checks["RRIC: isometry, upper: upper bound"] == "recorded" and checks["RRIC: isometry"] == "proved"
    data = json.loads((tmp_path / "report.json").read_text())
    data["rows"][-1]["isometry"]["lower"]["proved"] *= 1.5
    (tmp_path / "forged.json").write_text(json.dumps(data))
    assert outcomes(tmp_path / "forged.json", rerun=False)["RRIC: isometry"] == "refuted"
    data["rows"][0]["isometry"] = data["rows"][-1]["isometry"]
    (tmp_path / "forged.json").write_text(json.dumps(data))
    with pytest.raises(wc.InvalidInput, match="isometry"):
        wc.verify(tmp_path / "forged.json")


@pytest.mark.usefixtures("quick")
def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("net.npz", W1=NET.layers[0], W2=NET.layers[1])
    np.save("A.npy", A)
    given = ["net.npz", "--measurements", "A.npy", "--quiet", "--time-limit", "20"]
    assert main(["bracket", "rric", *given, "--isometry", "--json", "one.json"]) == 0
    assert "min |A u|^2/|u|^2" in capsys.readouterr().out
    assert main(["verify", "one.json", "--quiet"]) == 0
    assert "isometry, upper: upper bound: proved" in capsys.readouterr().out
    assert main(["certify", *given, "--isometry", "--alpha", "1", "--time-limit", "4", "--quiet"]) == 0
    assert "|A u|^2" in capsys.readouterr().out
    assert main(["certify", "--pair", "w.npz", "w.npz", "--isometry"]) == 2
    assert main(["bracket", "lower-isometry", *given]) == 0
    assert main(["bracket", "coherence", *given, "--isometry"]) == 2
