"""Measurements without rows are refused in one message; rows of zeros are the matrix -I."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

import wdccheck as wc
from wdccheck.cli.main import main

NET = wc.ReLUNetwork([np.eye(2), np.vstack([np.eye(2), np.ones((1, 2))])])

CALLS = {
    "RRIC": lambda A: wc.RRIC(A, NET), "coherence": lambda A: wc.Coherence(A, NET),
    "isometry": lambda A: wc.isometry(A, NET, time_limit=5), "lower": lambda A: wc.LowerIsometry(A, NET),
    "upper": lambda A: wc.UpperIsometry(A, NET), "certify": lambda A: wc.certify(NET, A, time_limit=5),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("storage", ["array", "sparse", "operator"])
def test_no_rows_are_refused(call, storage):
    A = {"array": np.zeros((0, 3)), "sparse": sparse.csr_array((0, 3)), "operator": LinearOperator(
        (0, 3), matvec=lambda x: np.zeros(0), rmatvec=lambda y: np.zeros(3), dtype=float)}[storage]
    with pytest.raises(wc.InvalidInput) as caught:
        CALLS[call](A)
    assert caught.value.thing == ("U" if call == "coherence" else "A")
    if call != "coherence" or storage == "array":  # which takes no sparse ones
        assert "at least one entry" in str(caught.value) and caught.value.found == "shape (0, 3)"


@pytest.mark.parametrize("command", [
    ["bracket", "rric"], ["bracket", "rric", "--isometry"], ["bracket", "coherence"], ["certify"],
    ["estimate", "rric"]])
def test_no_rows_are_refused_by_the_commands(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("net.npz", *NET.layers)
    np.save("A.npy", np.zeros((0, 3)))
    assert main([*command, "net.npz", "--measurements", "A.npy"]) == 2
    assert "A.npy: a matrix of shape" in (shown := capsys.readouterr().err) and "(0, 3)" in shown


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("stored", [np.asarray, sparse.csr_array])
def test_rows_of_zeros(rows, stored):
    """|<-u, v>| is largest for u = v; nothing is left of a length."""
    A = stored(np.zeros((rows, 3)))
    found = wc.bracket(wc.RRIC(A, NET), time_limit=5)
    assert 1 - 1e-9 < found.lower <= 1 <= found.upper < 1 + 1e-8
    lengths = wc.isometry(A, NET, time_limit=5)
    assert lengths.lower.proved == 0 <= lengths.lower.exhibited < 1e-11
    assert lengths.upper.exhibited == 0 <= lengths.upper.proved < 1e-300
    with pytest.raises(wc.InvalidInput):
        wc.Coherence(A, NET)
