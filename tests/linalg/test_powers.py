"""Products with powers of two: the same numbers as ldexp, and no copy that is not needed."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.linalg import cost, powers
from wdccheck.linalg.measurements import Measurements


@pytest.mark.parametrize("exponent", [-2000, -1060, -1000, -30, 0, 3, 1000, 1060, 2000])
def test_a_product_rounds_as_ldexp_does(exponent):
    rng = np.random.default_rng(0)
    array = rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-300, 300, (40, 5))
    with np.errstate(over="ignore"):
        assert np.array_equal(powers.times(array, exponent), np.ldexp(array, exponent))


def test_division_keeps_every_entry_or_fails():
    array = np.ones((3, 2 * powers._BLOCK))
    array[2, -1] = 3 * 2.0**-1074
    assert powers.divided(array, 1) is None and powers.divided(array, 0) is array
    array[2, -1] = 2.0**-1073
    assert np.array_equal(powers.divided(array, 1) * 2, array)
    assert np.array_equal(powers.divided(array / 4, -1) / 2, array / 4)


def test_the_largest_magnitude():
    assert powers.largest(np.array([[1.0, -3.0]])) == 3 and powers.largest(np.array([2.0, -1.0])) == 2
    assert powers.largest(np.zeros(0)) == 0


def peak(call):
    """The most bytes that a call has at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_matrices_are_not_copied_without_need(monkeypatch):
    monkeypatch.setattr(cost, "_PRODUCT", 1.0)  # no time for norms
    rng = np.random.default_rng(1)
    layers = [rng.standard_normal((300, 4)), rng.standard_normal((700, 300)) / 30]
    net, A = wc.ReLUNetwork(layers), Measurements(rng.standard_normal((350, 700)))
    size = net.layers[1].nbytes
    assert A.columns(np.ones(700, dtype=bool)) is A.source
    condition = wc.RRIC(np.eye(700), net)
    assert peak(lambda: list(condition.theorems.caps(-np.inf))) < condition.A.source.nbytes * 1.2
    assert peak(lambda: wc.RRIC(A.source, net)) < size + A.source.nbytes * 1.6  # the layers scaled, and A
    assert peak(lambda: condition.describe()) < 0.1 * size
    restricted = R2WDC(net, 2, 0.5)  # 1/2 is the largest power of two below all entries
    assert restricted.whole.units.rows is restricted.whole.W
    assert peak(lambda: list(restricted.theorems.caps(-np.inf))) < 0.2 * size


def test_certify_asks_the_layer_that_a_range_holds():
    net = wc.ReLUNetwork([np.eye(2), np.eye(2)])
    report = wc.certify(net, time_limit=5, alpha=1.0)
    again = R2WDC(net, 2).whole
    assert report.rows[1].bracket.condition == again.describe()
    assert again.describe() == wc.WDC(net.layers[1], layer=2).describe()
