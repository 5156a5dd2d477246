"""Workers become a map: order, early ends, and what -1 means."""

from __future__ import annotations

import warnings

import pytest

from wdccheck import parallel
from wdccheck.errors import InvalidInput


def square(x):
    return x * x


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


def test_one_blas_thread():
    from threadpoolctl import threadpool_info

    with parallel.one_blas_thread():
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} <= {1}
