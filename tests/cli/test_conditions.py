"""The command line beyond the WDC: measurements, R2WDC, RRIC, demodulation pairs, and bad input to them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.cli.main import main

pytestmark = pytest.mark.usefixtures("short_climbs")
QUICK = ["--workers", "1", "--quiet", "--time-limit", "1"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files of a network 2 -> 9 -> 6, one with a dead layer, measurements, last layers of a pair."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    W1, W2 = rng.standard_normal((9, 2)) / 3, rng.standard_normal((6, 9)) / 2
    np.savez("net.npz", W1=W1, W2=W2)
    np.savez("dead.npz", W1=-np.abs(W1) * [[1.0], [0.0]][0], W2=-np.abs(W2), W3=np.ones((2, 6)))
    np.save("A.npy", rng.standard_normal((4, 6)) / 2)
    np.save("AT.npy", rng.standard_normal((6, 4)) / 2)
    np.save("nan.npy", np.full((4, 6), np.nan))
    np.savez("C.npz", V=rng.standard_normal((6, 2)) / 2)
    np.savez("short.npz", V=rng.standard_normal((5, 2)) / 2)
    return tmp_path


def run(capsys, *arguments):
    status = main([*arguments, *QUICK])
    out, err = capsys.readouterr()
    return status, out, err


def test_certify_with_measurements(files, capsys):
    status, out, _ = run(capsys, "certify", "net.npz", "--measurements", "A.npy", "--alpha", "1",
                         "--json", "report.json")
    assert status == 0
    assert "measurements A: 4 x 6, given" in out and "RRIC: 4 x 6" in out
    assert [row["kind"] for row in json.loads((files / "report.json").read_text())["rows"]] == [
        "WDC", "WDC", "R2WDC", "R2WDC", "RRIC"]
    assert main(["verify", "report.json", "--quiet"]) == 0
    assert "RRIC: lower bound: proved" in capsys.readouterr().out


def test_a_verdict_names_the_rows(files, capsys):
    status, out, _ = run(capsys, "certify", "net.npz", "--measurements", "A.npy", "--alpha", "1",
                         "--ratio", "0.0001")
    assert status == 1
    assert ("eps/alpha <= 0.0001 at the alpha of each row (RRIC: eps <= 0.0001): violated "
            "(by WDC of layer 1, WDC of layer 2, R2WDC") in " ".join(out.split())


def test_certify_a_pair(files, capsys):
    status, out, _ = run(capsys, "certify", "--pair", "net.npz", "C.npz", "--json", "pair.json",
                         "--checkpoint", "so-far")
    assert status == 0
    for words in ("WDC of layer 1 of B: 9 x 2\n", "at alpha = 1, as the theorem", "joint-WDC: 6 x 9 and"):
        assert words in out
    assert main(["verify", "pair.json", "--quiet"]) == 0
    assert (files / "so-far" / "joint-wdc.json").exists()
    assert run(capsys, "certify", "--pair", "net.npz", "C.npz", "--alpha", "1", "--ratio", "100")[0] == 0


@pytest.mark.parametrize("layer", ["1", "2"])
def test_bracket_an_r2wdc(layer, files, capsys):
    status, out, _ = run(capsys, "bracket", "r2wdc", "net.npz", "--layer", layer, "--json", "one.json",
                         "--checkpoint", "so-far.json")
    assert status == 0 and f"R2WDC of layer {layer}: " in out and "alpha = 1" in out
    known = wc.load("one.json")
    assert (known.condition["kind"], known.condition["layer"]) == ("R2WDC", int(layer))
    assert main(["verify", "one.json", "--quiet"]) == 0
    assert run(capsys, "bracket", "r2wdc", "net.npz", "--layer", layer, "--checkpoint", "so-far.json")[0] == 0
    assert run(capsys, "bracket", "r2wdc", "net.npz", "--layer", layer, "--alpha", "best")[0] == 0


def test_bracket_an_rric(files, capsys):
    status, out, _ = run(capsys, "bracket", "rric", "net.npz", "--measurements", "A.npy", "--json", "-")
    assert status == 0 and json.loads(out)["condition"]["kind"] == "RRIC"
    for eps, expected in (("100", 0), ("0.01", 1)):
        status, out, _ = run(capsys, "bracket", "rric", "net.npz", "--measurements", "A.npy", "--eps", eps)
        assert status == expected and f"\neps <= {eps}: " in out


def test_a_dead_layer_says_0_and_why(files, capsys):
    status, out, _ = run(capsys, "bracket", "r2wdc", "dead.npz", "--layer", "3")
    assert status == 0 and "eps = 0" in out and "dead" in out
    np.save("A2.npy", np.eye(2))
    status, out, _ = run(capsys, "bracket", "rric", "dead.npz", "--measurements", "A2.npy")
    assert status == 0 and "every output is dead" in out


@pytest.mark.parametrize(("arguments", "words"), [
    (["certify", "net.npz", "--measurements", "AT.npy"], ["A: 6 columns", "(6, 4)", "did you mean A.T?"]),
    (["certify", "net.npz", "--measurements", "nan.npy"], ["nan.npy", "finite"]),
    (["certify", "net.npz", "--measurements", "net.npz"], ["net.npz", "one array"]),
    (["certify", "net.npz", "--measurements", "missing.npy"], ["missing.npy"]),
    (["certify", "net.npz", "--measurements", "odd.txt"], ["odd.txt"]),
    (["certify", "--pair", "net.npz", "short.npz"], ["net.npz and short.npz", "(6, 9)", "(5, 2)"]),
    (["certify", "--pair", "net.npz", "missing.npz"], ["missing.npz"]),
    (["certify", "net.npz", "--pair", "net.npz", "C.npz"], ["--pair", "no WEIGHTS"]),
    (["certify", "--pair", "net.npz", "C.npz", "--measurements", "A.npy"], ["--pair", "no WEIGHTS"]),
    (["bracket", "r2wdc", "net.npz", "--layer", "3"], ["--layer", "from 1 to 2", "found 3"]),
    (["bracket", "r2wdc", "net.npz"], ["--layer", "from 1 to 2", "found none"]),
    (["bracket", "rric", "net.npz", "--measurements", "AT.npy"], ["did you mean A.T?"]),
    (["bracket", "rric", "net.npz", "--measurements", "nan.npy"], ["finite"]),
    (["bracket", "joint-wdc", "AT.npy", "short.npz"], ["the same number of rows", "(6, 4)", "(5, 2)"]),
])
def test_bad_input_is_one_line(arguments, words, files, capsys):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert all(word in err for word in words)


@pytest.mark.parametrize("arguments", [
    ["bracket", "rric", "net.npz"], ["bracket", "r2wdc"],
    ["bracket", "r2wdc", "net.npz", "--layer", "0"], ["bracket", "r2wdc", "net.npz", "--layer", "x"],
    ["bracket", "rric", "net.npz", "--measurements", "A.npy", "--alpha", "1"]])
def test_bad_usage(arguments, files, capsys):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and "Error:" in err


def test_a_pair_of_one(files, capsys):
    assert main(["certify", "--pair", "net.npz"]) == 2
    assert "--pair" in capsys.readouterr().err


def test_a_large_result_is_verified_with_its_files(files, capsys):
    run(capsys, "bracket", "rric", "net.npz", "--measurements", "A.npy", "--json", "one.json")
    data = json.loads((files / "one.json").read_text())
    del data["condition"]["network"], data["condition"]["measurements"]
    (files / "one.json").write_text(json.dumps(data))
    assert main(["verify", "one.json", "--quiet"]) == 3
    assert main(["verify", "one.json", "--quiet", "--weights", "net.npz"]) == 3
    assert main(["verify", "one.json", "--quiet", "--weights", "net.npz", "--measurements", "A.npy"]) == 0
