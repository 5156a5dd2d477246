"""The RRIC of measurements that are operators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import wdccheck as wc
from examples.rric import LETTERS, instance, random_points

pytestmark = pytest.mark.usefixtures("short_climbs")


def test_operators_of_every_kind_agree():
    rng, net, A = instance(7)
    A[np.abs(A) < 0.3] = 0.0
    points = random_points(rng, 2)
    dense = wc.RRIC(A, net)
    for other in (sparse.csr_array(A), sparse.coo_matrix(A), aslinearoperator(A)):
        condition = wc.RRIC(other, net)
        np.testing.assert_allclose(condition.deviation(points), dense.deviation(points), atol=1e-13)
        one = {x: p[0] for x, p in points.items()}
        assert condition.lower_bound(one) == pytest.approx(dense.lower_bound(one), rel=1e-10)
        first, other = (next(iter(one.theorems.caps())).value for one in (condition, dense))
        assert first == pytest.approx(other)
    assert wc.RRIC(aslinearoperator(A), net).describe()["sha256"] == dense.describe()["sha256"]


class Subsampled(LinearOperator):
    """Too large to tabulate; counts its products."""

    def __init__(self, n, m, poison=False):
        super().__init__(np.dtype(float), (m, n))
        self.poison = poison

    def _matmat(self, X):
        return np.full((self.shape[0], X.shape[1]), np.nan) if self.poison else 2 * X[: self.shape[0]]

    def _rmatmat(self, Y):
        result = np.zeros((self.shape[1], Y.shape[1]))
        result[: len(Y)] = 2 * Y
        return result

    def _adjoint(self):
        from scipy.sparse.linalg._interface import _AdjointLinearOperator

        return _AdjointLinearOperator(self)


def test_a_large_operator_is_never_formed():
    n = 2100
    net = wc.ReLUNetwork([np.random.default_rng(8).standard_normal((n, 2))])
    condition = wc.RRIC(Subsampled(n, n - 1), net)
    result = wc.bracket(condition, wc.MonteCarlo(samples=16))
    assert result.lower == pytest.approx(3.0, abs=0.1)
    assert not list(condition.theorems.caps())


def test_bad_products_and_points():
    _, net, A = instance(14)
    with pytest.raises(wc.InvalidInput, match="net: a ReLUNetwork required"):
        wc.RRIC(A, net.layers)
    with pytest.raises(wc.InvalidInput, match="x4"):
        wc.RRIC(A, net).deviation({**dict.fromkeys(LETTERS, np.ones(2)), "x4": np.ones(3)})
    wide = wc.ReLUNetwork([np.ones((3000, 2))])
    with pytest.raises(wc.InvalidInput, match="finite products"):
        wc.bracket(wc.RRIC(Subsampled(3000, 2999, poison=True), wide), wc.MonteCarlo(samples=16))
