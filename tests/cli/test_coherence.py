"""The command line about the coherence: brackets, verdicts, estimates, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from examples.coherence import fourier, orthonormal
from wdccheck.cli.main import main

pytestmark = pytest.mark.usefixtures("short_climbs")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("net.npz", W1=rng.standard_normal((5, 2)) / 3, W2=rng.standard_normal((6, 5)) / 2)
    np.savez("dead.npz", W1=np.ones((6, 2)), W2=-np.ones((6, 6)))
    np.save("U.npy", fourier(6)[:4])
    np.save("real.npy", orthonormal(rng, 3, 6))
    np.save("UT.npy", orthonormal(rng, 6, 4))
    np.save("A.npy", rng.standard_normal((4, 6)))
    np.save("nan.npy", np.full((4, 6), np.nan))
    return tmp_path


QUICK = ["--workers", "1", "--quiet", "--time-limit", "1"]


@pytest.mark.parametrize("name", ["U.npy", "real.npy"])
def test_bracket_and_verify(files, capsys, name):
    arguments = ["bracket", "coherence", "net.npz", "--measurements", name, *QUICK]
    assert main([*arguments, "--json", "one.json"]) == 0
    assert "coherence: " in capsys.readouterr().out
    assert main(["verify", "one.json", "--quiet"]) == 0
    assert "lower bound: proved" in capsys.readouterr().out
    assert main([*arguments, "--eps", "1.1"]) == 0 and main([*arguments, "--eps", "0.01"]) == 1
    arguments = ["estimate", "coherence", "net.npz", "--measurements", name, "--samples", "500", "--quiet"]
    assert main(arguments) == 0


def test_a_dead_network(files, capsys):
    assert main(["bracket", "coherence", "dead.npz", "--measurements", "U.npy", *QUICK]) == 0
    assert "every output is dead" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, fragment", [
    (["net.npz", "--measurements", "UT.npy"], "did you mean U.T?"),
    (["net.npz", "--measurements", "A.npy"], "orthonormal"),
    (["net.npz", "--measurements", "nan.npy"], "finite"),
    (["net.npz", "--measurements", "net.npz"], "one array"),
    (["net.npz", "--measurements", "missing.npy"], "readable"),
    (["U.npy", "--measurements", "U.npy"], "U.npy: an array of real numbers"),
    (["net.npz"], "--measurements"), ([], "NET"),
    (["net.npz", "--measurements", "U.npy", "--alpha", "1"], "--alpha"),
    (["net.npz", "--measurements", "U.npy", "--layer", "1"], "--layer"),
])
def test_bad_commands(files, capsys, arguments, fragment):
    assert main(["bracket", "coherence", *arguments, "--quiet"]) == 2
    assert fragment in capsys.readouterr().err


def test_a_complex_matrix_is_no_a(files, capsys):
    assert main(["bracket", "rric", "net.npz", "--measurements", "U.npy", "--quiet"]) == 2
    assert "U.npy: an array of real numbers required, found dtype complex128" in capsys.readouterr().err
