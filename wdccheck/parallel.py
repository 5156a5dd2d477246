"""`workers` becomes a map. joblib is imported only here, inside functions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from wdccheck.errors import InvalidInput

__all__ = ["available", "one_blas_thread", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def available(workers: int) -> int:
    """Number of workers meant by `workers`: -1 is every core this process may use."""
    if isinstance(workers, bool) or not isinstance(workers, int) or (workers < 1 and workers != -1):
        raise InvalidInput("workers", "an integer >= 1, or -1 for every core", repr(workers))
    return len(os.sched_getaffinity(0)) if workers == -1 and hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1 if workers == -1 else workers
    )


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which this process's BLAS uses one thread.

    Results then do not depend on the number of workers, and no threads fight over the cores.
    """
    from threadpoolctl import threadpool_limits

    return cast(AbstractContextManager[Any], threadpool_limits(1, "blas"))


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1
) -> Iterator[Result]:
    """Apply `function` to `items`, results in order, one BLAS thread per worker.

    The caller holds :func:`one_blas_thread`: with one BLAS thread everywhere the results are the
    same, bit for bit, for any number of workers and any joblib backend.
    """
    if workers == 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=workers, return_as="generator")(
        delayed(_single_threaded)(function, item) for item in items
    )
    try:
        # not `yield from`: it would close the results before the filter below
        for result in results:  # noqa: UP028
            yield result
    finally:  # whoever stops early knows that the rest is lost, and need not be warned
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


def _single_threaded(function: Callable[[Item], Result], item: Item) -> Result:
    with one_blas_thread():
        return function(item)
