"""`workers` becomes a map. joblib is imported only here, inside functions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from wdccheck.errors import InvalidInput

__all__ = ["available", "ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def available(workers: int) -> int:
    """Number of workers meant by `workers`: -1 is every core this process may use."""
    if isinstance(workers, bool) or not isinstance(workers, int) or (workers < 1 and workers != -1):
        raise InvalidInput("workers", "an integer >= 1, or -1 for every core", repr(workers))
    return len(os.sched_getaffinity(0)) if workers == -1 and hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1 if workers == -1 else workers
    )


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item] | Iterable[Item], workers: int = 1
) -> Iterator[Result]:
    """Apply `function` to `items`, results in order, one BLAS thread per worker.

    With one BLAS thread everywhere the results are the same, bit for bit, for any
    number of workers and any joblib backend.
    """
    from threadpoolctl import threadpool_limits

    if workers == 1:
        for item in items:
            with threadpool_limits(1, "blas"):
                result = function(item)
            yield result
        return
    from joblib import Parallel, delayed

    with threadpool_limits(1, "blas"):
        results = Parallel(n_jobs=workers, return_as="generator")(
            delayed(_single_threaded)(function, item) for item in items
        )
        try:
            for result in results:  # not `yield from`: it would close them before the filter below
                yield result
        finally:  # whoever stops early knows that the rest is lost, and need not be warned
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results.close()


def _single_threaded(function: Callable[[Item], Result], item: Item) -> Result:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        return function(item)
