"""`workers` becomes a map, over the joblib backend of the caller. joblib is imported only here, inside functions.

Tasks are `partial(f, condition, ...)` with one more argument each; the condition goes to every worker once.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from wdccheck.errors import InvalidInput

__all__ = ["Moment", "Shared", "available", "cluster", "one_blas_thread", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_KEPT = 4  # shared arguments that are remembered, by the caller and by a worker
_PATIENCE = 10  # seconds to wait for a scheduler


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
    """The number of BLAS threads belongs to the process: the first to enter limits it, the last restores it."""

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
        self._sent: dict[int, tuple[object, object]] = {}  # with the object, so that its id stays its own

    def sent(self, thing: object, backend: Any) -> object:
        """What a task brings in place of `thing`; its function gets `thing`."""
        if getattr(backend, "supports_sharedmem", False):
            return thing
        if id(thing) not in self._sent:
            if len(self._sent) >= _KEPT:
                del self._sent[next(iter(self._sent))]
            made = _Parcel(thing) if backend is not _dask() else _on_cluster(thing, backend.client)
            self._sent[id(thing)] = thing, made
        return self._sent[id(thing)][1]


class _Parcel:
    """A thing pickled once, large arrays apart: joblib maps them into the memory of its processes.

    It is unpickled to the thing itself, by each process once.
    """

    def __init__(self, thing: object) -> None:
        import cloudpickle

        buffers: list[Any] = []
        self._pickled = cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        self._arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self._token = os.urandom(16)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[bytes, bytes, list[np.ndarray]]]:
        return _opened, (self._token, self._pickled, self._arrays)


_OPENED: dict[bytes, object] = {}  # of a worker process


def _opened(token: bytes, pickled: bytes, arrays: list[np.ndarray]) -> object:
    import pickle

    if token not in _OPENED:
        while len(_OPENED) >= _KEPT:
            del _OPENED[next(iter(_OPENED))]
        _OPENED[token] = pickle.loads(pickled, buffers=arrays)
    return _OPENED[token]


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1, shared: Shared | None = None
) -> Iterator[Result]:
    """Apply `function` to `items`, results in order, one BLAS thread per worker.

    The first argument of a `partial` goes to every worker once. The caller holds
    :func:`one_blas_thread`: with one BLAS thread everywhere the results are the same, bit for bit, for any
    number of workers and any joblib backend.
    """
    if workers == 1 and _dask() is None:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    task = function if isinstance(function, partial) and function.args else partial(_applied, function)
    sent, shared = task.args[0], shared or Shared()
    sent = shared.sent(sent, backend)
    calls = (delayed(_called)(sent, task.func, (*task.args[1:], item), task.keywords) for item in items)
    generator = backend.supports_return_generator
    results = Parallel(n_jobs=workers, return_as="generator" if generator else "list")(calls)
    try:
        # not `yield from`: it would close the results before the filter below
        for result in results:  # noqa: UP028
            yield result
    finally:  # whoever stops early knows that the rest is lost, and need not be warned
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if generator:
                results.close()


def _called(
    first: object, function: Callable[..., Result], others: tuple[object, ...], keywords: Mapping[str, object]
) -> Result:
    from joblib import parallel_config

    with one_blas_thread(), parallel_config(backend="sequential"):
        return function(first, *others, **keywords)


def _applied(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


# -- Dask -----------------------------------------------------------------------------------


def _dask() -> Any:
    """The caller's joblib backend if that is Dask, else None."""
    if "joblib" not in sys.modules:
        return None
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    return backend if type(backend).__name__ == "DaskDistributedBackend" else None


def _on_cluster(thing: object, client: Any) -> object:
    """A future of `thing`: unpickled by one worker, copied to others by Dask, made again if all are lost."""
    import dask
    import cloudpickle

    for worker, theirs in client.run(_build, on_error="return").items():
        if theirs != _build():
            raise InvalidInput(f"worker {worker}", _build(), str(theirs))
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
        return client.submit(cloudpickle.loads, cloudpickle.dumps(thing), pure=False)


def _build() -> str:
    """What bounds depend on beside the input."""
    from wdccheck import __version__, kernel

    return f"wdccheck {__version__} with the kernel {kernel()}"


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """Work on the cluster of the Dask scheduler at `address`."""
    try:
        from distributed import Client
    except ImportError:
        raise InvalidInput("--scheduler", "the package distributed (pip install 'wdccheck[dask]')",
                           "none") from None
    from joblib import parallel_config

    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("--scheduler", "the address of a running Dask scheduler",
                           f"{address}: {reason}") from None
    with client, parallel_config(backend="dask", client=client):
        yield
