"""An ordered map over workers of the caller's joblib backend; joblib is imported only here, in functions.

Tasks are `partial(f, condition, ...)` with one more argument each; the condition goes to every worker once.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, TypeVar

from wdccheck.errors import InvalidInput, WorkersLost
from wdccheck.running.parcels import Here, Shared
from wdccheck.running.signals import Held, from_keyboard

__all__ = ["Moment", "available", "cluster", "one_blas_thread", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_PATIENCE = 10  # seconds to wait for a scheduler
_FEW = 64  # up to so many tasks are sent one by one
_GRACE = 30  # seconds to wait for a result after the deadline
_TRIES = 3  # new processes without a result from any of them
_LOOK = 0.5  # seconds between two looks of a worker at its parent


class Moment(float):
    """A time of `time.monotonic()` that stays the same moment on a machine with another such clock.

    It is sent as calendar time: the clocks of a cluster are assumed to agree.
    """

    def __reduce__(self) -> tuple[Callable[[float], Moment], tuple[float]]:
        return _arrived, (self - time.monotonic() + time.time(),)


def _arrived(calendar: float) -> Moment:
    return Moment(calendar - time.time() + time.monotonic())


def available(workers: int) -> int:
    """Number of workers meant by `workers`: -1 is every core this process may use.

    Under joblib's Dask backend it is the number of cores of the cluster, whatever `workers` is.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or (workers < 1 and workers != -1):
        raise InvalidInput("workers", "an integer >= 1, or -1 for every core", repr(workers))
    if (backend := _dask()) is not None:
        try:
            return int(backend.effective_n_jobs(workers))
        except TimeoutError:
            address = backend.client.scheduler.address
            raise InvalidInput(address, "a scheduler with workers", "none in 10 seconds") from None
    return len(os.sched_getaffinity(0)) if workers == -1 and hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1 if workers == -1 else workers
    )


class _OneBlasThread:
    """BLAS threads are set per process: the first to enter limits them, the last to leave restores them."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            if not self._inside:
                self._limits = threadpool_limits(1, "blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()


def one_blas_thread() -> AbstractContextManager[None]:
    """A context in which this process's BLAS uses one thread; several threads may be in it at once.

    Results then do not depend on the number of workers, and no threads compete for cores.
    """
    return _ONE_BLAS_THREAD


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int = 1, shared: Shared | None = None,
    deadline: float = math.inf,
) -> Iterator[Result]:
    """Apply `function` to `items`, results in order, one BLAS thread per worker.

    The first argument of a `partial` goes to every worker once. The caller holds
    :func:`one_blas_thread`: with one BLAS thread everywhere the results are the same, bit for bit, for any
    number of workers and any joblib backend. Tasks watch the deadline themselves; a result that is missing
    long after it counts as lost. Where a process is lost, new ones do again what it had begun.

    Raises
    ------
    WorkersLost
        The cluster is gone, or no new process lives to give a result.
    """
    if workers == 1 and _dask() is None:
        yield from map(function, items)
        return
    done = tries = 0
    while True:
        try:
            with closing(_mapped(function, items[done:], workers, shared, deadline)) as results:
                for result in results:
                    done, tries = done + 1, 0
                    yield result
            return
        except WorkersLost as lost:
            tries += 1
            if tries == _TRIES or not isinstance(lost.__cause__, BrokenExecutor):
                raise


def _mapped(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, shared: Shared | None,
    deadline: float,
) -> Generator[Result]:
    """:func:`ordered_map` by joblib, which ends where a process is lost."""
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    task = function if isinstance(function, partial) and function.args else partial(_applied, function)
    dask, in_process = _dask(), getattr(backend, "supports_sharedmem", False)
    sent = (shared or Shared()).sent(task.args[0], in_process, None if dask is None else dask.client)
    calls = (delayed(_called)(sent, task.func, (*task.args[1:], item), task.keywords) for item in items)
    lazily, own = backend.supports_return_generator, type(backend).__name__ == "LokyBackend"
    patience = None if deadline == math.inf else max(deadline - time.monotonic(), 0.0) + _GRACE
    with _lost_workers_named():
        run = Parallel(n_jobs=workers, return_as="generator" if lazily else "list", timeout=patience,
                       batch_size=1 if len(items) <= _FEW else "auto",  # batches of long tasks end unevenly
                       max_nbytes=None, temp_folder=tempfile.gettempdir(),  # joblib makes no file, no folder
                       **({"initializer": _follow, "initargs": (os.getpid(),)} if own else {}))
        if not lazily:
            yield from run(calls)
            return
        results: Any = ()
        try:
            with Held(), _deaf() if own else nullcontext():  # joblib cannot be interrupted as it starts
                results = run(calls)
            # not `yield from`: it would close the results before the filter below
            for result in results:  # noqa: UP028
                yield result
        finally:  # a caller that stops early needs no warning that the rest is lost
            with Held(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if results:
                    results.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started in this context never hear Ctrl-C, which reaches all of a terminal."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with suppress(ImportError):  # the trackers of what is shared would lift the mask as they start
        from multiprocessing import resource_tracker as other

        from joblib.externals.loky.backend import resource_tracker as one

        one.ensure_running()
        other.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(parent: int) -> None:
    """What a worker does first: it sees to it that it ends with its parent, whatever it is doing then."""
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _called(
    sent: Here, function: Callable[..., Result], others: tuple[object, ...], keywords: Mapping[str, object]
) -> Result:
    from joblib import parallel_config

    with one_blas_thread(), parallel_config(backend="sequential"):
        return function(sent.opened(), *others, **keywords)


def _applied(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


@contextmanager
def _lost_workers_named() -> Iterator[None]:
    """One error for workers that are gone, whatever the backend calls it; what Ctrl-C leads to is Ctrl-C."""
    try:
        yield
    except Exception as error:
        if from_keyboard(error):
            raise KeyboardInterrupt from error
        # KilledWorker of distributed, if it is installed; joblib raises multiprocessing's own TimeoutError
        if isinstance(error, BrokenExecutor | CancelledError | TimeoutError) or type(error).__name__ in (
                "KilledWorker", "TimeoutError"):
            raise WorkersLost(_first_line(error)) from error
        raise


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


# -- Dask -----------------------------------------------------------------------------------


def _dask() -> Any:
    """The caller's joblib backend if that is Dask, else None."""
    if "joblib" not in sys.modules:
        return None
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    return backend if type(backend).__name__ == "DaskDistributedBackend" else None


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """Work on the cluster of the Dask scheduler at `address`."""
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise InvalidInput("--scheduler", "the package distributed (pip install 'wdccheck[dask]')",
                           "none") from None
    from joblib import parallel_config

    url = address if "://" in address else f"tcp://{address}"
    try:
        get_address_host_port(url, strict=True)  # a Client that cannot read it takes 20 s to say so
        client = Client(url, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput("--scheduler", "the address of a running Dask scheduler",
                           f"{address}: {_first_line(error)}") from None
    with client, parallel_config(backend="dask", client=client):
        yield
