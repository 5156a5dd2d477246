"""`wdccheck estimate`: its kinds, its refusals, its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.cli.main import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    np.save("W.npy", rng.standard_normal((30, 4)) / np.sqrt(30))
    np.save("C.npy", rng.standard_normal((30, 2)))
    np.save("A.npy", rng.standard_normal((7, 9)) / 3)
    np.save("line.npy", np.ones((3, 1)))
    np.savez("net.npz", rng.standard_normal((6, 2)), rng.standard_normal((9, 6)) / 3)


@pytest.mark.parametrize(("arguments", "shown"), [
    ("wdc W.npy", "0.99 quantile of the deviation of WDC(30x4, alpha=1,"),
    ("wdc W.npy --alpha 0.5 --above 0.4", "probability of a deviation above 0.4 of WDC(30x4, alpha=0.5"),
    ("wdc net.npz --layer 2", "WDC(9x6"),
    ("r2wdc net.npz --layer 2", "directions x, y, (x1, x2), (x3, x4)"),
    ("rric net.npz --measurements A.npy", "directions (x1, x2), (x3, x4)"),
    ("joint-wdc W.npy C.npy --quantile 0.5 --confidence 0.9", "90 % confidence"),
])
def test_every_kind(arguments, shown, files, capsys):
    assert main(["estimate", *arguments.split(), "--samples", "500", "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("estimate, not a bound: ") and shown in text.replace("\n    ", " ")


def test_several_at_once_and_a_refusal(files, capsys):
    command = ["estimate", "wdc", "line.npy", "--quantile", "0.5", "--extreme", "1", "--workers", "1"]
    assert main(command) == 3
    first, *_, refused, origin = capsys.readouterr().out.splitlines()
    assert first.startswith("estimate, not a bound: 0.5 quantile") and "no tail to fit" in refused
    assert origin.startswith("line.npy: layer 1 3 x 1")


def test_what_is_known_is_delivered_where_the_time_is_too_short_for_the_rest(files, capsys):
    command = ["estimate", "wdc", "W.npy", "--above", "0.1", "--extreme", "1", "--workers", "1",
               "--samples", "9999999", "--time-limit", "0.01", "--json", "found.json"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out.startswith("estimate, not a bound: probability") and "within the time limit" in err
    assert len(json.loads(Path("found.json").read_text())["estimates"]) == 1


def test_json_says_which_is_refused(files, capsys):
    command = ["estimate", "wdc", "line.npy", "--above", "0.1", "--extreme", "1", "--workers", "1",
               "--samples", "2500", "--quiet", "--json"]
    assert main([*command, "-"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert main([*command, "found.json"]) == 3
    assert json.loads(Path("found.json").read_text()) == data
    found, refused = data["estimates"]
    assert data["schema"] == 2 and data["condition"]["sha256"] == wc.WDC(np.ones((3, 1))).describe()["sha256"]
    assert found["low"] <= found["value"] <= found["high"] and found["refused"] == []
    assert refused["value"] is None and "no tail to fit" in refused["refused"][0]
    assert main(["verify", "found.json"]) == 2  # it bounds nothing
    assert main(["estimate", "wdc", "line.npy", "--json", "none/found.json"]) == 2
    assert "--json" in capsys.readouterr().err


def test_options_about_weights_are_written_down(files, capsys):
    np.savez("biased.npz", W=np.eye(3), b=np.ones(3))
    command = ["estimate", "wdc", "biased.npz", "--samples", "500", "--workers", "1", "--json", "-"]
    assert main(command) == 2 and "--ignore-bias" in capsys.readouterr().err
    assert main([*command, "--ignore-bias"]) == 0
    shown = capsys.readouterr()
    assert "--ignore-bias" in shown.err and "--ignore-bias" in json.loads(shown.out)["weights"][0]["options"]


@pytest.mark.parametrize(("arguments", "thing"), [
    ("wdc W.npy C.npy", "FILES"), ("joint-wdc W.npy", "FILES"), ("rric net.npz", "--measurements"),
    ("wdc W.npy --measurements A.npy", "--measurements"), ("wdc net.npz", "--layer"),
    ("wdc net.npz --layer 3", "--layer"), ("rric net.npz --measurements A.npy --alpha 1", "--alpha"),
    ("wdc W.npy --alpha -1", "alpha"), ("wdc W.npy --quantile 2", "probability"),
    ("wdc none.npy", "none.npy"),
])
def test_unusable_input_is_named(arguments, thing, files, capsys):
    assert main(["estimate", *arguments.split()]) == 2
    assert thing in capsys.readouterr().err
