"""Seeds of searches over a range: they jump until the deadline."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc

NET = wc.ReLUNetwork([np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]])])
A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.25]])


@pytest.mark.parametrize("condition", [
    wc.RRIC(A, NET), wc.R2WDC(NET, 1), wc.Coherence(np.eye(3), NET), wc.UpperIsometry(A, NET)],
    ids=lambda condition: type(condition).__name__)
def test_no_seed_jumps_after_the_deadline(condition):
    late, later, free = (condition.search.seeds(np.random.default_rng(0), 16, deadline=deadline)
                         for deadline in (-np.inf, 0.0, np.inf))
    assert all(np.array_equal(late[x], later[x]) for x in late)
    assert not all(np.array_equal(late[x], free[x]) for x in late)
    assert condition.deviation(free).max() >= condition.deviation(late).max() * (1 - 1e-12)
