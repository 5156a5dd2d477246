"""Work on a Dask cluster: a scheduler and two worker processes on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import joblib
import numpy as np
import pytest

import wdccheck as wc
from examples.matrices import gaussian
from wdccheck.cli.main import main
from wdccheck.errors import InvalidInput
from wdccheck.running import parallel, parcels
from wdccheck.running.run import Run

distributed = pytest.importorskip("distributed")
# a worker that was killed, or a cluster that closes, leaves sockets and tasks behind in distributed
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}") for name in (
    "ResourceWarning", "pytest.PytestUnraisableExceptionWarning", "RuntimeWarning:distributed")]
ENGINES = (wc.Spectral(), wc.MonteCarlo(12_000), wc.Ascent(130), wc.BranchAndBound(gap=0.1))
SLOW_ASCENT = (wc.Ascent(600), wc.BranchAndBound(gap=0.1))


@pytest.fixture(scope="module")
def local():
    with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0") as found:
        yield found


@pytest.fixture
def client(local):
    with distributed.Client(local, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def dask(client):
    with joblib.parallel_config(backend="dask", client=client):
        yield client


CONDITION = wc.WDC(gaussian(40, 3))


def found(result):
    witness = {letter: value.tobytes() for letter, value in (result.witness or {}).items()}
    return result.lower, result.upper, witness, [(work.engine, work.work) for work in result.engines]


# -- the same result ------------------------------------------------------------------------


@pytest.mark.usefixtures("short_climbs")
def test_the_result_is_that_of_one_process(dask):
    there = wc.bracket(CONDITION, *ENGINES)  # the cluster does the work, whatever `workers` says
    with joblib.parallel_config(backend="sequential"):
        assert found(wc.bracket(CONDITION, *ENGINES)) == found(there)


@pytest.mark.parametrize("condition", [
    wc.JointWDC(gaussian(9, 2), gaussian(9, 1, 1)),
    wc.R2WDC(wc.ReLUNetwork([gaussian(6, 2), gaussian(8, 6)]), 2),
    wc.RRIC(gaussian(5, 8), wc.ReLUNetwork([gaussian(6, 2), gaussian(8, 6)])),
], ids=lambda condition: type(condition).__name__)
def test_the_other_conditions(condition, dask):
    engines = (wc.Spectral(), wc.MonteCarlo(5000), wc.BranchAndBound(nodes=100))
    there = wc.bracket(condition, *engines)
    with joblib.parallel_config(backend="sequential"):
        assert found(wc.bracket(condition, *engines)) == found(there)


def test_a_sweep(dask, tmp_path):
    design = {"k": [1, 2], "n": [4, 6], "budget": 500}
    there = wc.sweep(**design, out=tmp_path)
    with joblib.parallel_config(backend="sequential"):
        here = wc.sweep(**design)
    assert [row["error"] for row in there.rows] == [None] * 4
    assert [{**row, "seconds": 0} for row in there.rows] == [{**row, "seconds": 0} for row in here.rows]


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("engine", ["Ascent", "BranchAndBound"])
def test_a_killed_worker_changes_nothing(engine, dask):
    killed = []

    def kill_one(event):
        if event.engine == engine and event.done and not killed:
            killed.append(next(iter(dask.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    there = wc.bracket(CONDITION, *SLOW_ASCENT, progress=kill_one)
    assert killed
    with joblib.parallel_config(backend="sequential"):
        assert found(wc.bracket(CONDITION, *SLOW_ASCENT)) == found(there)
    dask.wait_for_workers(2)


# -- what travels ---------------------------------------------------------------------------


def where(condition, _):
    time.sleep(0.05)  # leave some for the other worker
    return os.getpid(), id(condition)


def test_a_worker_gets_the_condition_once(dask):
    run = Run(workers=2)
    seen = {pair for _ in range(2) for pair in run.map(partial(where, CONDITION), range(8))}
    assert len(seen) == len({pid for pid, _ in seen}) == 2
    assert os.getpid() not in dict(seen)


def blas_threads(_):
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_tasks_have_one_blas_thread_and_no_cluster_of_their_own(dask):
    assert parallel.available(5) == 2
    assert all(set(threads) <= {1} for threads in parallel.ordered_map(blas_threads, range(4)))
    assert list(parallel.ordered_map(parallel.available, [1, 1])) == [1, 1]


def test_a_cluster_with_something_else_is_refused(dask, monkeypatch):
    ours = parcels._build()
    monkeypatch.setattr("wdccheck.version.VERSION", "0.0.1")
    with pytest.raises(InvalidInput, match=f"wdccheck 0.0.1 .* required, found {ours}"):
        wc.bracket(CONDITION, wc.MonteCarlo(12_000))


# -- time, and the keyboard -----------------------------------------------------------------


def test_a_time_limit(dask):
    started = time.monotonic()
    result = wc.bracket(wc.WDC(gaussian(300, 5)), time_limit=1.5)
    assert time.monotonic() - started < 12  # no more than a task too much, on a busy machine
    assert result.stopped["upper"].reason.value in ("time", "cap_only")
    assert 0 < result.lower < result.upper


@pytest.fixture
def layer(tmp_path):
    path = tmp_path / "layer.npy"
    np.save(path, gaussian(300, 5))
    return str(path)


def test_ctrl_c_prints_what_is_known(local, client, layer):
    process = subprocess.Popen(
        [sys.executable, "-m", "wdccheck", "bracket", "wdc", layer, "--scheduler", local.scheduler_address],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    for line in process.stderr:
        if line.startswith("Ascent"):
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "<= eps <=" in out and "by Ctrl-C" in out


# -- the command line -----------------------------------------------------------------------


def bounds(text):
    """Without gaps and reasons of stops: how much is searched within a time limit differs."""
    return [line.partition(" gap ")[0].rstrip() for line in text.splitlines() if "<=" in line]


@pytest.mark.usefixtures("short_climbs")
def test_the_command_line(local, client, tmp_path, capsys):
    np.save(tmp_path / "eye.npy", np.eye(2))
    command = ["bracket", "wdc", str(tmp_path / "eye.npy"), "--quiet"]
    assert main([*command, "--workers", "1"]) == 0
    here = bounds(capsys.readouterr().out)
    assert main([*command, "--scheduler", local.scheduler_address.removeprefix("tcp://")]) == 0
    assert here and bounds(capsys.readouterr().out) == here
    assert parallel.available(1) == 1  # the cluster was that of one command


@pytest.mark.parametrize(("address", "found"), [
    ("nonsense", "missing port"), ("foo://h:1", "unknown address scheme"),
    ("tcp://127.0.0.1:PORT", "after 1 s")])
def test_an_address_where_nobody_is(address, found, capsys, monkeypatch):
    monkeypatch.setattr(parallel, "_PATIENCE", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = address.replace("PORT", str(free.getsockname()[1]))
    assert main(["certify", "--quiet", "--scheduler", address]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "--scheduler: the address of a running Dask scheduler required" in err and found in err


def test_a_scheduler_without_workers(client, capsys, monkeypatch):
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as empty:
        with distributed.Client(empty, set_as_default=False) as nobody:
            with joblib.parallel_config(backend="dask", client=nobody, wait_for_workers_timeout=0.1):
                with pytest.raises(InvalidInput, match="a scheduler with workers required"):
                    wc.bracket(CONDITION)


def test_without_distributed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["certify", "--quiet", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "pip install 'wdccheck[dask]'" in capsys.readouterr().err
