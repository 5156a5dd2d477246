"""`workers` becomes a map over the caller's joblib backend. joblib is imported only here, inside functions.

Tasks are `partial(f, condition, ...)` with one more argument each; the condition goes to every worker once.
"""

from __future__ import annotations

import math
import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from wdccheck.errors import InvalidInput, WorkersLost

__all__ = ["Moment", "Shared", "available", "cluster", "one_blas_thread", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_KEPT = 4  # shared arguments that are remembered, by the caller and by a worker
_PATIENCE = 10  # seconds to wait for a scheduler
_GRACE = 30  # seconds to wait for a result after the deadline


class Moment(float):
    """A time of `time.monotonic()` that stays the same moment on a machine with another such clock.

    It travels by the calendar: the clocks of a cluster are assumed to agree.
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
    """BLAS threads are a setting of the process: the first to enter limits them, the last restores them."""

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

    Results then do not depend on the number of workers, and no threads fight over the cores.
    """
    return _ONE_BLAS_THREAD


class Shared:
    """What workers need for many tasks: each worker gets it once, as long as this object lives."""

    def __init__(self) -> None:
        self._sent: dict[int, _Here] = {}  # each holds its thing, so that the id stays its own

    def sent(self, thing: object, backend: Any) -> _Here:
        """What a task brings in place of `thing`."""
        if getattr(backend, "supports_sharedmem", False):
            return _Here(thing)
        if id(thing) not in self._sent:
            made = _Parcel(thing) if backend is not _dask() else _OnCluster(thing, backend.client)
            _remember(self._sent, id(thing), made)
        return self._sent[id(thing)]


def _remember(kept: dict[Any, Any], key: object, value: object) -> None:
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)
    kept[key] = value


_OPENED: dict[str, object] = {}  # of a worker process


class _Here:
    """A thing for a task of this process."""

    def __init__(self, thing: object) -> None:
        self._thing, self._key = thing, ""

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_thing"}

    def opened(self) -> object:
        """The thing itself; another process makes it from what was pickled, once."""
        if "_thing" in vars(self):
            return self._thing
        if self._key not in _OPENED:
            _remember(_OPENED, self._key, self._made())
        return _OPENED[self._key]

    def _made(self) -> object:
        raise NotImplementedError


class _Parcel(_Here):
    """Pickled once, large arrays apart: joblib maps these into the memory of its processes."""

    def __init__(self, thing: object) -> None:
        import cloudpickle

        buffers: list[Any] = []
        self._thing, self._key = thing, os.urandom(16).hex()
        self._pickled = cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        self._arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]

    def _made(self) -> object:
        return pickle.loads(self._pickled, buffers=self._arrays)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1, shared: Shared | None = None,
    deadline: float = math.inf,
) -> Iterator[Result]:
    """Apply `function` to `items`, results in order, one BLAS thread per worker.

    The first argument of a `partial` goes to every worker once. The caller holds
    :func:`one_blas_thread`: with one BLAS thread everywhere the results are the same, bit for bit, for any
    number of workers and any joblib backend. Tasks watch the deadline themselves; a result that is missing
    long after it will not come.

    Raises
    ------
    WorkersLost
        The processes or the cluster are gone for good.
    """
    if workers == 1 and _dask() is None:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    task = function if isinstance(function, partial) and function.args else partial(_applied, function)
    sent = (shared or Shared()).sent(task.args[0], backend)
    calls = (delayed(_called)(sent, task.func, (*task.args[1:], item), task.keywords) for item in items)
    lazily = backend.supports_return_generator
    patience = None if deadline == math.inf else max(deadline - time.monotonic(), 0.0) + _GRACE
    with _lost_workers_named():
        run = Parallel(n_jobs=workers, return_as="generator" if lazily else "list", timeout=patience)
        results = run(calls)
        try:
            # not `yield from`: it would close the results before the filter below
            for result in results:  # noqa: UP028
                yield result
        finally:  # whoever stops early knows that the rest is lost, and need not be warned
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if lazily:
                    results.close()


def _called(
    sent: _Here, function: Callable[..., Result], others: tuple[object, ...], keywords: Mapping[str, object]
) -> Result:
    from joblib import parallel_config

    with one_blas_thread(), parallel_config(backend="sequential"):
        return function(sent.opened(), *others, **keywords)


def _applied(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


@contextmanager
def _lost_workers_named() -> Iterator[None]:
    """One error for workers that are gone for good, whatever the backend calls it."""
    try:
        yield
    except (BrokenExecutor, CancelledError, TimeoutError) as error:
        raise WorkersLost(_first_line(error)) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # of distributed, which may not be there
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


class _OnCluster(_Here):
    """Kept by one worker for the others to fetch; made again from its bytes if that one is lost.

    Tasks do not depend on it in Dask's sense: Dask would keep them near the copy there is, and drop others.
    """

    def __init__(self, thing: object, client: Any) -> None:
        import cloudpickle
        import dask

        _check_builds(client)
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
            self._future = client.submit(cloudpickle.loads, cloudpickle.dumps(thing), pure=False)
        self._thing, self._key = thing, self._future.key

    def __getstate__(self) -> dict[str, object]:
        return {"_key": self._key}

    def _made(self) -> object:
        from distributed import Future, get_worker, worker_client

        with worker_client() as client:  # leaves this worker free for other tasks, the next one among them
            thing, here = Future(self._key, client), [get_worker().address]
            client.submit(_keep, self._key, thing, workers=here, pure=False).result()
        return _OPENED[self._key]


def _keep(key: str, thing: object) -> None:
    _remember(_OPENED, key, thing)


def _check_builds(client: Any) -> None:
    """Refuse a cluster that computes with something else; the scheduler has to read the tasks as well."""
    found = client.run(_build, on_error="return")
    try:
        found["the scheduler"] = client.run_on_scheduler(_build)
    except Exception as error:  # whatever keeps it from importing this
        found["the scheduler"] = error
    for where, theirs in found.items():
        if theirs != _build():
            raise InvalidInput(where, _build(), str(theirs))


def _build() -> str:
    """What bounds depend on beside the input."""
    from wdccheck import __version__, kernel

    return f"wdccheck {__version__} with the kernel {kernel()}"


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
