"""What workers need for many tasks travels once: between processes, and on a cluster."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.version import made_by

__all__ = ["Here", "Shared"]

_KEPT = 4  # things that are remembered, by the caller and by a worker
_LARGE = 2**20  # bytes from which an array gets a file, as in joblib


class Shared:
    """What workers need for many tasks: each worker gets it once; the last few things are kept."""

    def __init__(self) -> None:
        self._sent: dict[int, Here] = {}  # each holds its thing, so that no other gets its id

    @property
    def used(self) -> bool:
        """Whether workers have got anything."""
        return bool(self._sent)

    def sent(self, thing: object, in_process: bool, client: Any = None) -> Here:
        """What a task carries in place of `thing`; `client`: of the Dask cluster it is sent to."""
        if in_process:
            return Here(thing)
        if id(thing) not in self._sent:
            made = _Parcel(thing) if client is None else _OnCluster(thing, client)
            _remember(self._sent, id(thing), made)
        return self._sent[id(thing)]


def _remember(kept: dict[Any, Any], key: object, value: object) -> None:
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)
    kept[key] = value


_OPENED: dict[str, object] = {}  # of a worker process


class Here:
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


class _Parcel(Here):
    """Pickled once; what is large, an array or all else together, in files that others map into their memory.

    A task carries what is small. joblib would do the same with large arrays in every call, and wait a tenth
    of a second each time for its files to go.
    """

    def __init__(self, thing: object) -> None:
        import cloudpickle

        large: list[np.ndarray] = []

        def together(buffer: Any) -> bool:
            """Whether an array stays with all else."""
            array = np.frombuffer(buffer.raw(), np.uint8)
            if array.size >= _LARGE:
                large.append(array)
            return array.size < _LARGE

        self._thing, self._key = thing, os.urandom(16).hex()
        pickled = cloudpickle.dumps(thing, protocol=5, buffer_callback=together)
        self._pickled = self._mapped(np.frombuffer(pickled, np.uint8))
        self._arrays = [self._mapped(array) for array in large]

    def _mapped(self, array: np.ndarray) -> np.ndarray:
        """The bytes (size,) themselves, or in a file of their own if they are many and a disk has room.

        On Linux the file has no name: nothing is left of it, however this process ends.
        """
        if array.size < _LARGE:
            return array
        nameless = os.path.exists("/proc/self/fd")
        try:
            made = tempfile.TemporaryFile if nameless else tempfile.NamedTemporaryFile
            file = made(prefix="wdccheck-")
            weakref.finalize(self, file.close)  # and nothing is left of it
            array.tofile(file)
            file.flush()
            path = f"/proc/{os.getpid()}/fd/{file.fileno()}" if nameless else file.name
            return np.memmap(path, np.uint8, mode="r")
        except OSError:
            return array

    def _made(self) -> object:
        return pickle.loads(self._pickled.data, buffers=self._arrays)


class _OnCluster(Here):
    """Kept by one worker for the others to fetch; made again from its bytes if that one is lost.

    Tasks do not depend on it in Dask's sense: Dask would keep them near the one copy, and drop others.
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
    """Refuse a cluster with another build; the scheduler has to read the tasks as well."""
    found = client.run(_build, on_error="return")
    try:
        found["the scheduler"] = client.run_on_scheduler(_build)
    except Exception as error:  # whatever keeps it from importing this
        found["the scheduler"] = error
    for where, theirs in found.items():
        if theirs != _build():
            raise InvalidInput(where, _build(), str(theirs))


def _build() -> str:
    """What bounds depend on besides the input."""
    made = made_by()
    return f"wdccheck {made['wdccheck']} with the kernel {made['kernel']}"
