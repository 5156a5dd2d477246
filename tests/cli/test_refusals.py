"""The command line: bad files, bad options, warnings and errors."""

from __future__ import annotations

import os
import pickle
import time

import numpy as np
import pytest

from examples.commands import QUICK, run
from wdccheck.cli.main import main


def bad_arrays():
    return {
        "nan": np.array([[np.nan, 1.0]]), "inf": np.array([[np.inf], [1.0]]), "empty": np.zeros((0, 3)),
        "axes": np.ones(3), "three axes": np.ones((2, 2, 2)), "complex": np.ones((2, 2), complex),
        "strings": np.array([["a", "b"]]), "bool": np.ones((2, 2), bool), "large": np.array([[2**53 + 1]]),
    }


@pytest.mark.parametrize("kind", bad_arrays())
@pytest.mark.parametrize("command", [["certify"], ["bracket", "wdc"]])
def test_bad_arrays(kind, command, tmp_path, capsys):
    path = tmp_path / "bad.npy"
    np.save(path, bad_arrays()[kind])
    assert main([*command, str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("wdccheck: ") and "bad.npy" in err and "required, found" in err


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["WDCCHECK_BOMB"],)


@pytest.mark.parametrize("name", ["bomb.npz", "bomb.npy", "object.npy", "object.npz", "bomb.json"])
def test_nothing_is_unpickled(name, tmp_path, monkeypatch, capsys):
    target = tmp_path / "exploded"
    monkeypatch.setenv("WDCCHECK_BOMB", str(target))
    path = tmp_path / name
    if name.startswith("bomb"):
        path.write_bytes(pickle.dumps(Bomb()))
    elif name.endswith("npy"):
        np.save(path, np.array([[Bomb()]], dtype=object), allow_pickle=True)
    else:
        np.savez(path, W=np.array([[Bomb()]], dtype=object))
    assert main(["verify" if name.endswith("json") else "certify", str(path)]) == 2
    assert not target.exists()
    assert name in capsys.readouterr().err


def bad_files(folder):
    np.savez(folder / "chain.npz", W1=np.ones((4, 2)), W2=np.ones((3, 5)))
    np.save(folder / "whole.npy", np.ones((40, 4)))
    data = (folder / "whole.npy").read_bytes()
    (folder / "truncated.npy").write_bytes(data[:200])
    np.savez(folder / "whole.npz", np.ones((40, 4)))
    (folder / "truncated.npz").write_bytes((folder / "whole.npz").read_bytes()[:300])
    (folder / "empty.npy").write_bytes(b"")
    (folder / "folder.npy").mkdir()
    (folder / "odd.txt").write_text("1 2")


@pytest.mark.parametrize("name", ["missing.npy", "chain.npz", "truncated.npy", "truncated.npz", "empty.npy",
                                  "folder.npy", "odd.txt", "missing.json"])
def test_bad_files(name, tmp_path, capsys):
    bad_files(tmp_path)
    assert main(["verify" if name.endswith("json") else "certify", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and name in err


@pytest.mark.parametrize("arguments", [
    ["--alpha", "0"], ["--alpha", "-1"], ["--alpha", "nan"], ["--alpha", "worst"], ["--gap", "-0.1"],
    ["--gap", "inf"], ["--ratio", "-1"], ["--ratio", "x"], ["--time-limit", "0"], ["--time-limit", "nan"],
    ["--workers", "0"], ["--workers", "-2"], ["--workers", "2.5"], ["--seed", "-1"], ["--seed", "x"],
    ["--unknown"], ["--alpha"], ["another.npy"],
])
def test_bad_options(arguments, eye, capsys):
    assert main(["certify", eye, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Error:" in err and "Traceback" not in err


@pytest.mark.parametrize(("arguments", "words"), [
    (["certify", "net.npz", "--eps", "0.4"], ["--eps: --ratio NUMBER", "eps/alpha", "found 0.4"]),
    (["bracket", "rric", "net.npz", "--measurements", "A.npy", "--ratio", "0.4"],
     ["--ratio: --eps NUMBER", "no alpha", "found 0.4"]),
    (["bracket", "wdc", "eye.npy", "--eps", "1", "--ratio", "1"], ["--eps and --ratio: one of them"])])
def test_what_is_compared_has_one_name(arguments, words, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and all(word in err for word in words)


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["bracket"], ["bracket", "wdc"], ["verify"]])
def test_incomplete_commands(arguments, capsys):
    assert main(arguments) == 2


def test_an_unwritable_json_is_refused_before_the_work(eye, tmp_path, capsys):
    begun = time.process_time()
    for path in (tmp_path, tmp_path / "nowhere" / "report.json"):
        assert main(["certify", eye, "--json", str(path)]) == 2
        assert "--json" in capsys.readouterr().err
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("arguments", [
    ["sweep", "--n", "3", "--out", "new.png", "--plot", "new.png"],
    ["sweep", "--n", "3", "--out", "new.png/study", "--plot", "new.png"],
    ["plot", "table.csv", "--out", "new.png", "--out", "./new.png"],
    ["certify", "--json", "new", "--out", "new"],
    ["certify", "--json", "new", "--out", "new/report"],
    ["certify", "--json", "new/report.json", "--out", "new"],
    ["certify", "--json", "link/report.json", "--out", "old"],
    ["certify", "--json", "old/wdc-1.json", "--checkpoint", "old"],
    ["certify", "--out", "new", "--checkpoint", "new/"],
    ["certify", "--out", "new", "--checkpoint", "new/report.md/rows"],
    ["bracket", "wdc", "eye.npy", "--json", "new.json", "--checkpoint", "new.json"],
    ["bracket", "wdc", "eye.npy", "--json", "./new.alpha.json", "--checkpoint", "new"]])
def test_outputs_of_one_place_are_refused_before_the_work(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "link").symlink_to("old")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert all(one in err for one in [*arguments[-4::2], "two places required", *arguments[-3::2]])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link", "old"]


@pytest.mark.parametrize("arguments", [
    ["certify", "x.json", "--json", "x.json"],
    ["certify", "--pair", "B", "x.json", "--json", "x.json"],
    ["bracket", "rric", "net.npz", "--measurements", "x.json", "--json", "./x.json"],
    ["bracket", "wdc", "net.npz", "--check", "X", "x.json", "--json", "x.json"],
    ["estimate", "joint-wdc", "B", "x.json", "--json", "x.json"],
    ["plot", "x.png"]])
def test_an_output_never_replaces_what_is_read(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.json", "x.png"):
        (tmp_path / name).write_text("kept")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "another file than the command reads" in err
    assert {path.read_text() for path in tmp_path.iterdir()} == {"kept"}


def test_outputs_of_several_places_are_none_of_one(tmp_path):
    from wdccheck.cli.outputs import Output, apart

    at = str(tmp_path / "new")
    apart(Output("--json", "-"), Output("--checkpoint", "-"), Output("--out", None))
    apart(Output("--json", os.devnull), Output("--checkpoint", os.devnull))
    apart(Output("--json", f"{at}/x.json"), Output("--out", at, ("report.json",)))
    apart(Output("--out", f"{at}/out", ("report.json",)), Output("--checkpoint", at, ("wdc-*.json",)))
    apart(Output("--json", "a\0b"), Output("--out", "a\0b", ()))  # no names at all are refused by others


def test_a_checkpoint_of_other_weights(eye, net, tmp_path, capsys):
    folder = str(tmp_path / "folder")
    assert main(["certify", eye, "--alpha", "1", "--checkpoint", folder, *QUICK]) == 0
    assert main(["certify", net, "--alpha", "1", "--checkpoint", folder, *QUICK]) == 2
    assert "wdc-1.json" in capsys.readouterr().err


def test_bad_input_from_a_shell(tmp_path):
    code, out, err = run("certify", tmp_path / "missing.npz")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "missing.npz" in err
    code, out, err = run("certify", "--alpha", "0")
    assert (code, out) == (2, "") and "Traceback" not in err


def test_a_warning_is_one_line(tmp_path):
    path = tmp_path / "wide.npy"
    np.save(path, np.ones((2, 3)))
    code, _, err = run("bracket", "wdc", path, *QUICK)
    assert code == 0
    assert err.startswith("wdccheck: warning: ") and "W.T" in err and err.count("\n") == 1


def test_a_bug_is_not_taken_for_a_violation(eye, capsys, monkeypatch):
    from wdccheck.certification import over_alpha

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(over_alpha, "bracket", broken)
    assert main(["certify", eye, "--alpha", "1", "--quiet"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--arrays", "W1"], ["--from", "x"], ["--transpose"], ["--lift-bias"],
                                     ["--last-activation", "ignore"], ["--check", "x.npy", "y.npy"]])
def test_options_about_a_file_need_one(options, capsys):
    assert main(["certify", *options]) == 2
    assert f"{options[0]}: a file that it is about required" in capsys.readouterr().err
