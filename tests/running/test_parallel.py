"""Workers become a map: order, early ends, what travels, and what -1 means."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest

import wdccheck as wc
from wdccheck.errors import InvalidInput, WorkersLost
from wdccheck.running import parallel, parcels
from wdccheck.running.parcels import Shared
from wdccheck.running.run import Run
from wdccheck.stops import Reason


def square(x):
    return x * x


def where(condition, _):
    return os.getpid(), id(condition)


def end(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    assert list(parallel.ordered_map(square, range(20), workers)) == [x * x for x in range(20)]


# joblib's own thread may meet a result of work that it has just forgotten (KeyError in process_executor)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_early_end_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = parallel.ordered_map(square, range(200), 2)
        assert next(results) == 0
        results.close()


def test_every_core():
    assert parallel.available(-1) >= 1
    assert parallel.available(3) == 3
    for bad in (0, -2, 1.5, True, "2"):
        with pytest.raises(InvalidInput, match="workers"):
            parallel.available(bad)


def test_a_thread_that_leaves_does_not_lift_the_limit():
    from threadpoolctl import threadpool_info, threadpool_limits

    def blas_threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    def enter_and_leave():
        with parallel.one_blas_thread():
            pass

    with threadpool_limits(2, "blas"):
        before = blas_threads()  # a BLAS that some library brings may have one thread only
        with parallel.one_blas_thread():
            other = threading.Thread(target=enter_and_leave)
            other.start()
            other.join()
            assert blas_threads() <= {1}
        assert blas_threads() == before


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing", "sequential"])
def test_every_backend_of_joblib_gives_the_same(backend):
    condition = wc.WDC(np.random.default_rng(0).standard_normal((30, 3)) / 5)
    engines = (wc.Spectral(), wc.MonteCarlo(9000), wc.Ascent(70), wc.BranchAndBound(gap=0.2))
    alone = wc.bracket(condition, *engines)
    with joblib.parallel_config(backend=backend):
        other = wc.bracket(condition, *engines, workers=2)
    assert (alone.lower, alone.upper) == (other.lower, other.upper)
    assert all(np.array_equal(alone.witness[x], other.witness[x]) for x in "rs")
    assert [work.work for work in alone.engines] == [work.work for work in other.engines]


def test_a_process_gets_the_condition_once():
    condition, run = wc.WDC(np.eye(400)), Run(workers=2)  # its 1.2 MiB are mapped, not copied
    seen = {pair for _ in range(2) for pair in run.map(partial(where, condition), range(8))}
    assert len(seen) == len(dict(seen)) and os.getpid() not in dict(seen)


def test_a_few_things_are_remembered():
    shared, things = Shared(), [np.full(3, x) for x in range(6)]
    sent = [shared.sent(thing, False) for thing in things]
    assert len(shared._sent) == 4 and shared.sent(things[5], False) is sent[5]
    assert all(np.array_equal(pickle.loads(pickle.dumps(one)).opened(), x)
               for one, x in zip(sent, things, strict=True))


def test_large_arrays_travel_as_files_that_go_with_their_owner():
    shared, thing = Shared(), {"large": np.arange(2.0**18), "small": np.ones(3)}
    path = Path(next(one.filename for one in shared.sent(thing, False)._arrays if isinstance(one, np.memmap)))
    assert path.stat().st_size == 2**21 and not path.resolve().exists()  # it has no name
    opened = pickle.loads(pickle.dumps(shared.sent(thing, False))).opened()
    assert all(np.array_equal(opened[name], thing[name]) for name in thing)
    del shared
    assert not path.exists()


def test_joblib_writes_no_files_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    condition, run = wc.WDC(np.eye(400)), Run(workers=2)
    for _ in run.map(partial(where, condition), range(8)):
        assert not list(tmp_path.rglob("*.pkl"))  # it would wait for workers to let go of them


def test_a_moment_stays_the_same_elsewhere(monkeypatch):
    sent = pickle.dumps(parallel.Moment(time.monotonic() + 5))
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() - 1e6)  # a machine that was started later
    assert abs(pickle.loads(sent) - time.monotonic() - 5) < 0.5
    assert pickle.loads(pickle.dumps(parallel.Moment(math.inf))) == math.inf


def test_a_result_that_is_late_is_lost():
    """joblib raises the TimeoutError of multiprocessing, which is not the builtin one."""
    for error in (TimeoutError, multiprocessing.TimeoutError):
        with pytest.raises(WorkersLost), parallel._lost_workers_named():
            raise error


def end_once(mark, x):
    if x == 5 and not mark.exists():
        mark.touch()
        end(x)
    return x * x


def test_a_lost_worker_costs_its_block_and_not_the_run(tmp_path):
    assert list(parallel.ordered_map(partial(end_once, tmp_path / "ended"), range(9), 2)) == [
        x * x for x in range(9)]
    assert (tmp_path / "ended").exists()


KILLED = """
import os, signal, sys, time
from wdccheck.running.parallel import ordered_map

def wait(_):
    os.write(1, f"{os.getpid()}\\n".encode())  # one write: print makes two where Python is unbuffered
    time.sleep(60)

if __name__ == "__main__":
    next(ordered_map(wait, range(4), 2))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_workers_and_files_go_with_a_killed_parent(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    (tmp_path / "tmp").mkdir()
    parent = subprocess.Popen([sys.executable, tmp_path / "killed.py"], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, stderr=subprocess.DEVNULL)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.communicate(timeout=60)
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert not list((tmp_path / "tmp").iterdir())


def test_workers_that_are_gone():
    with pytest.raises(WorkersLost):
        list(parallel.ordered_map(end, range(4), 2))


def test_what_is_known_outlives_the_workers(monkeypatch):
    def lost(*_):
        raise WorkersLost("gone")

    monkeypatch.setattr(Run, "map", lost)
    known = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral(), wc.MonteCarlo())
    assert known.lower <= 1 <= known.upper
    assert known.stopped["lower"].reason is Reason.INTERRUPTED and "gone" in known.stopped["lower"].detail


def test_a_single_item_and_short_ones_stay_in_the_process():
    run = Run(workers=2)
    with parallel.one_blas_thread():
        assert [pid for pid, _ in run.map(partial(where, None), [0])] == [os.getpid()]
        assert {pid for pid, _ in run.map(partial(where, None), [0, 1], short=True)} == {os.getpid()}
        assert os.getpid() not in {pid for pid, _ in run.map(partial(where, None), [0, 1])}


def test_no_workers_are_started_for_the_last_seconds(monkeypatch):
    monkeypatch.setattr(parallel, "ordered_map", lambda *_: iter(["elsewhere"]))
    late, soon = Run(workers=2), Run(workers=2, deadline=time.monotonic() + 1)
    assert list(soon.map(str, [1, 2])) == ["1", "2"] and list(late.map(str, [1, 2])) == ["elsewhere"]
    soon.shared.sent(soon, in_process=False)
    assert list(soon.map(str, [1, 2])) == ["elsewhere"]  # they have started by then


def test_many_small_arrays_do_not_travel_with_every_task():
    thing = [np.full(1000, i) for i in range(2000)]
    parcel = parcels._Parcel(thing)
    assert isinstance(parcel._pickled, np.memmap) and not parcel._arrays
    assert all(np.array_equal(a, b) for a, b in zip(thing, parcel._made(), strict=True))
    assert list(parallel.ordered_map(partial(entry, thing), [0, 7, 1999], workers=2)) == [0, 7, 1999]


def entry(thing, i):
    return int(thing[i][-1])
