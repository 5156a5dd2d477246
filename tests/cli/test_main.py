"""The commands as typed: text, JSON, files, exit statuses, interruptions."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from functools import cache
from unittest.mock import ANY

import numpy as np
import pytest

import wdccheck as wc
from examples.commands import COMMAND, QUICK, run, start
from wdccheck.cli.main import main

LARGE = np.random.default_rng(0).standard_normal((300, 5)) / 17


@pytest.fixture
def large(tmp_path):
    """A layer on which any engine stays busy for longer than a test waits."""
    path = tmp_path / "large.npy"
    np.save(path, LARGE)
    return str(path)


@cache
def searched():
    """What is known of it soon."""
    return wc.bracket(wc.WDC(LARGE), wc.Ascent(64), wc.BranchAndBound(nodes=1))


# -- what works -----------------------------------------------------------------------------


def test_certify_a_file(net, capsys):
    assert main(["certify", net, *QUICK]) == 0
    out, err = capsys.readouterr()
    assert "WDC of layer 1: 20 x 2" in out and "R2WDC of layer 2: 12 x 20" in out and "<= eps/alpha <=" in out
    assert err == ""


def test_certify_the_bundled_network(capsys):
    assert main(["certify", "--alpha", "1", "--workers", "1", "--time-limit", "3", "--quiet"]) == 0
    out, _ = capsys.readouterr()
    assert "layer 1" in out and "layer 2" in out


def test_progress_goes_to_stderr_as_plain_lines(eye, capsys):
    assert main(["certify", eye, "--alpha", "1", "--workers", "1", "--time-limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert "WDC of layer 1: Spectral" in err and "\r" not in err
    assert "Spectral, " not in out


def test_json_alone_on_stdout(net):
    code, out, err = run("certify", net, "--json", "-", "--workers", 1, "--time-limit", 1)
    data = json.loads(out)
    assert code == 0
    assert (data["schema"], data["wdccheck"], data["kernel"]) == (2, wc.__version__, wc.kernel())
    assert len(data["rows"]) == 5
    assert "layer 1" in err


def test_json_to_a_file_beside_the_text(net, tmp_path, capsys):
    path = tmp_path / "report.json"
    assert main(["certify", net, "--json", str(path), *QUICK]) == 0
    assert "layer 1" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["rows"]) == 5
    assert main(["verify", str(path), "--quiet", "--workers", "1"]) == 0
    assert "layer 2: upper bound: proved" in capsys.readouterr().out


def test_bracket_writes_what_load_reads(eye, tmp_path, capsys):
    path = tmp_path / "eye.json"
    assert main(["bracket", "wdc", eye, "--json", str(path), *QUICK]) == 0
    known = wc.load(path)
    assert known.lower <= 1 <= known.upper
    out = capsys.readouterr().out
    assert "WDC: 2 x 2\n    0.4999999999 <= min eps/alpha <= 0.5" in out and "at alpha = 1\n" in out
    data = json.loads(path.read_text())
    assert (data["wdccheck"], data["kernel"]) == (wc.__version__, wc.kernel())


def test_bracket_of_one_layer(net, capsys):
    assert main(["bracket", "wdc", net, "--layer", "2", *QUICK]) == 0
    assert "layer 2: 12 x 20" in capsys.readouterr().out
    assert main(["bracket", "wdc", net, *QUICK]) == 2
    assert "--layer: an integer from 1 to 2 required, found none" in capsys.readouterr().err
    assert main(["bracket", "wdc", net, "--layer", "3", *QUICK]) == 2


@pytest.mark.parametrize(("ratio", "status", "word"), [
    ("1.1", 0, "holds"), ("0.9", 1, "violated"), ("1", 3, "undecided")])
def test_exit_statuses_of_a_verdict(ratio, status, word, eye, capsys, monkeypatch):
    from wdccheck.certification import over_alpha

    if word == "undecided":  # epsilon is 1: closed formulas alone stop just above it
        engines = wc.Spectral()
        monkeypatch.setattr(over_alpha, "bracket",
                            lambda condition, *_, **__: wc.bracket(condition, engines, rng=0))
    assert main(["certify", eye, "--alpha", "1", "--ratio", ratio, *QUICK]) == status
    asked = f"eps/alpha <= {ratio} at the alpha of each row (RRIC: eps <= {ratio})"
    assert f"{asked}: {word}" in capsys.readouterr().out


@pytest.mark.parametrize(("asked", "status", "sentence"), [
    (["--eps", "1.9"], 1, "eps <= 1.9 at alpha = 2: violated"),
    (["--eps", "2.1"], 0, "eps <= 2.1 at alpha = 2: holds"),
    (["--ratio", "1.1"], 0, "eps/alpha <= 1.1 at alpha = 2: holds"),
    (["--ratio", "0.9"], 1, "eps/alpha <= 0.9 at alpha = 2: violated")])
def test_eps_and_ratio_of_one_condition(asked, status, sentence, tmp_path, capsys):
    path = tmp_path / "twice.npy"
    np.save(path, np.sqrt(2) * np.eye(2))  # epsilon/alpha is 1 at alpha = 2
    assert main(["bracket", "wdc", str(path), "--alpha", "2", *asked, *QUICK]) == status
    assert capsys.readouterr().out.endswith(f"\n\n{sentence}\n")


@pytest.mark.parametrize("scale", [0.4, 0.6, 1.9, 2.2])
def test_alpha_1_that_nobody_chose_is_warned_of_where_the_scale_is_another(scale, tmp_path, capsys):
    path = str(tmp_path / "scaled.npy")
    np.save(path, np.sqrt(scale) * np.eye(2))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert main(["bracket", "wdc", path, "--eps", "9", *QUICK]) == 0
        far, err = not 0.5 <= scale <= 2, capsys.readouterr().err
        assert (f"about {scale:.3g}: --alpha best" in err) is far and err.count("\n") == far
        assert main(["bracket", "wdc", path, "--alpha", "1", "--eps", "9", *QUICK]) == 0
    assert not told and capsys.readouterr().err == ""


def test_bracket_of_a_pair(tmp_path, capsys):
    names = [str(tmp_path / f"{name}.npy") for name in "BC"]
    for name, k in zip(names, (1, 2), strict=True):
        np.save(name, np.random.default_rng(k).standard_normal((6, k)))
    path = tmp_path / "pair.json"
    assert main(["bracket", "joint-wdc", *names, "--alpha", "1", "--json", str(path), *QUICK]) == 0
    assert "joint-WDC: 6 x 1 and 6 x 2\n" in (out := capsys.readouterr().out) and "at alpha = 1\n" in out
    assert wc.load(path).part in ("B", "C")
    assert main(["verify", str(path), "--quiet"]) == 0
    np.save(names[0], np.ones((5, 1)))
    assert main(["bracket", "joint-wdc", *names, *QUICK]) == 2
    assert "B and C: the same number of rows" in capsys.readouterr().err


def test_a_checkpoint_of_one_bracket(eye, tmp_path):
    path = tmp_path / "so-far.json"
    for _ in range(2):
        assert main(["bracket", "wdc", eye, "--checkpoint", str(path), *QUICK]) == 0
    assert wc.load(path).lower <= 1 <= wc.load(path).upper


def test_verify_says_what_it_did(eye, tmp_path, capsys):
    path = tmp_path / "eye.json"
    wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).save(path)
    assert main(["verify", str(path), "--quiet"]) == 0
    assert "fresh run of Spectral()" in capsys.readouterr().out
    assert main(["verify", str(path), "--no-rerun"]) == 3
    assert "upper bound: recorded (" in capsys.readouterr().out
    data = json.loads(path.read_text())
    del data["condition"]["weights"]
    path.write_text(json.dumps(data))
    assert main(["verify", str(path), "--quiet"]) == 3
    assert main(["verify", str(path), "--quiet", "--weights", eye]) == 0
    data |= {"lower": data["lower"] * 1.01, "upper": 2.0}
    path.write_text(json.dumps(data))
    capsys.readouterr()
    assert main(["verify", str(path), "--quiet", "--weights", eye]) == 1
    assert "refuted" in capsys.readouterr().out


def test_info_names_versions_kernel_cores_and_blas(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for word in ("wdccheck", "kernel", "numpy", "cores", "threads"):
        assert word in out


@pytest.mark.parametrize("arguments", [
    ["--help"], ["-h"], ["certify", "--help"], ["bracket", "wdc", "--help"], ["verify", "-h"], ["--version"]])
def test_help_is_success(arguments, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = "import sys; from wdccheck.cli.main import main; main(['certify', '--help'])\n" \
           "assert not {'numpy', 'scipy', 'joblib'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


# -- interruption ---------------------------------------------------------------------------


def interrupt(process, number=signal.SIGINT):
    """A signal once the search is at work: its first line of progress is on stderr."""
    assert process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(number)
    return *process.communicate(timeout=120), process.returncode


@pytest.mark.parametrize(("workers", "number"), [
    (1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGTERM)])
def test_an_interrupted_bracket_is_printed_and_saved(workers, number, large, tmp_path):
    saved, checkpoint = tmp_path / "result.json", tmp_path / "so-far.json"
    out, err, code = interrupt(start("bracket", "wdc", large, "--workers", workers, "--json", saved,
                                     "--checkpoint", checkpoint), number)
    assert code == 128 + number, err
    assert "Traceback" not in err
    assert "<= eps <=" in out and "interrupted" in out
    known = wc.load(saved)
    assert 0 < known.lower <= known.upper < np.inf
    assert wc.load(checkpoint).lower <= known.lower


def test_an_interrupted_report_is_printed_and_saved(large, tmp_path):
    saved = tmp_path / "report.json"
    out, err, code = interrupt(start("certify", large, "--alpha", "1", "--workers", 1, "--json", saved))
    assert code == 130, err
    assert "layer 1" in out and "interrupted" in out
    assert json.loads(saved.read_text())["interrupted"] is True


def test_an_interrupted_search_for_alpha_still_gives_bounds(large):
    out, err, code = interrupt(start("certify", large, "--workers", 1))
    assert code == 130, err
    assert "<= eps <=" in out and "interrupted" in out and "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_verify_proves_nothing(number, tmp_path):
    path, known = tmp_path / "known.json", searched()
    more = (known.engines[0], replace(known.engines[1], work=10**9))
    replace(known, engines=more, upper=1.02 * known.lower).save(path)  # a proof of hours
    out, err, code = interrupt(start("verify", path, "--workers", 1), number)
    assert code == 3, err
    assert "lower bound: proved" in out and "upper bound: not proved (interrupted)" in out
    assert "Traceback" not in err and "refuted" not in out


# -- what cannot be written -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_closed_pipe_is_quiet_and_loses_no_file(encoding, eye, tmp_path):
    saved = tmp_path / "saved.json"
    process = start("certify", eye, "--alpha", "1", "--json", saved, *QUICK,
                    env={**os.environ, "PYTHONIOENCODING": encoding})
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 141
    assert err == "" and json.loads(saved.read_text())["rows"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_is_escaped(encoding, tmp_path, monkeypatch):
    np.save(tmp_path / "\x81\u65e5.npy", np.eye(2))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown := io.BytesIO(), encoding))
    assert main(["bracket", "wdc", str(tmp_path / "\x81\u65e5.npy"), "--alpha", "1", *QUICK]) == 0
    sys.stdout.flush()
    text = shown.getvalue().decode(encoding)
    assert "<= eps <=" in text and "\\u65e5.npy: layer 1 2 x 2" in text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a device of Linux")
def test_full_devices_and_closed_streams_change_no_exit_status(eye):
    asked = ["bracket", "wdc", eye, "--alpha", 1, "--eps", "0.9", "--workers", 1, "--time-limit", 1]
    with open("/dev/full", "w") as full:
        assert run(*asked, stdout=full)[::2] == (1, ANY)
        assert run(*asked, stderr=full)[0] == 1
    for closed in (">&-", "2>&-"):
        command = f'exec {shlex.join([*COMMAND, *map(str, asked)])} {closed}'
        assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a device of Linux")
def test_a_result_that_cannot_be_written_is_printed(eye, tmp_path, capsys):
    assert main(["bracket", "wdc", eye, "--alpha", "1", "--json", "/dev/full", *QUICK]) == 74
    out, err = capsys.readouterr()
    assert "<= eps <=" in out and json.loads(out[out.index("\n{"):])["lower"] > 0
    assert "/dev/full: a file that can be written required, found No space left" in err


def test_a_checkpoint_that_cannot_be_written_ends_no_run(eye, tmp_path, capsys, monkeypatch):
    from wdccheck.brackets import Bracket

    def full(*_):
        raise wc.InvalidInput("so-far", "a file that can be written", "No space left on device")

    monkeypatch.setattr(Bracket, "save", full)
    assert main(["bracket", "wdc", eye, "--alpha", "1", "--checkpoint", str(tmp_path / "x"), *QUICK]) == 74
    out, err = capsys.readouterr()
    assert "<= eps <=" in out and "No space left on device; the work goes on" in err


@pytest.mark.parametrize("arguments", [
    ["certify", ""], ["certify", "--json", ""], ["certify", "--out", ""], ["certify", "--checkpoint", ""],
    ["certify", "--measurements", ""], ["certify", "--pair", "", ""], ["bracket", "wdc", ""],
    ["bracket", "wdc", "{eye}", "--checkpoint", "no/folder"], ["bracket", "wdc", "{eye}", "--json", "/no/x"],
    ["certify", "{eye}", "--checkpoint", "{eye}"], ["verify", ""],
    ["estimate", "wdc", "{eye}", "--json", ""]])
def test_empty_names_and_places_that_cannot_be_written_are_refused(arguments, eye, capsys):
    begun = time.process_time()
    assert main([one.format(eye=eye) for one in arguments]) == 2
    assert capsys.readouterr().err.startswith("wdccheck: ") and time.process_time() - begun < 5
