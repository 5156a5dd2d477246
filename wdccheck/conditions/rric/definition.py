"""The range restricted isometry condition: sup over range differences of |<(A^T A - I) u, v>|/(|u||v|)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.measured import check_fit, check_network
from wdccheck.conditions.rric.proof import Proof
from wdccheck.conditions.rric.search import Search
from wdccheck.conditions.rric.theorems import Theorems
from wdccheck.conditions.secant_pairs import SecantPairs
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, rounding
from wdccheck.linalg.measurements import Measurements
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["RRIC"]

_LETTERS = ("x1", "x2", "x3", "x4")


@dataclass(frozen=True, eq=False, repr=False)
class RRIC:
    r"""epsilon = sup over u, v != 0 of ``|<(A^T A - I) u, v>| / (||u|| ||v||)``.

    u = G(x1) - G(x2), v = G(x3) - G(x4); [HV] Def. 3, [C] Def. 4.1. Pairs with u = 0 or v = 0 are
    skipped: they contribute 0.

    Parameters
    ----------
    A : array_like of shape (m, n), scipy.sparse matrix, or scipy.sparse.linalg.LinearOperator
        Never multiplied by its transpose. An operator of at most 2**22 entries is tabulated; beyond
        that its products are assumed, not proved, to be accurate
        (``wdccheck.linalg.measurements.OPERATOR_ERROR``).
    net : ReLUNetwork
        With n outputs.

    Raises
    ------
    InvalidInput
        The columns of A do not match the output of the network, or one of the two is unusable.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> net = wc.ReLUNetwork([np.eye(2)])
    >>> condition = wc.RRIC(2 * np.eye(2), net)
    >>> x = np.array([1.0, 1.0])
    >>> round(float(condition.deviation({"x1": x, "x2": -x, "x3": x, "x4": 0 * x})), 12)
    3.0
    """

    A: Any
    net: ReLUNetwork
    _pairs: SecantPairs = field(init=False)

    def __post_init__(self) -> None:
        check_network(self.net)
        measurements = Measurements(self.A)
        check_fit("A", measurements.shape, self.net, "A.T")
        object.__setattr__(self, "A", measurements)
        layers = differences.rescaled(self.net.layers)
        object.__setattr__(self, "_pairs", SecantPairs(layers, self.net.dims[0]))

    def __repr__(self) -> str:
        m, n = self.A.shape
        return f"RRIC({m}x{n}, dims={self.net.dims}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """(x1, x2) and (x3, x4), each in R^{2k}."""
        return self._pairs.spheres

    def deviation(self, points: Points) -> np.ndarray:
        """``|<(A^T A - I) u, v>| / (||u|| ||v||)``, 0 where u or v is 0; letters (..., k), broadcast."""
        flat, shape = secants.codes(points, _LETTERS, self.net.dims[0])
        u, v = self._pairs.sharp_vectors(flat)
        return np.abs(self._pairs.frozen(u, v, self.A.deviation(v), 1.0).value).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error.

        u and v come with errors of their entries, A u and A v too; <A u, A v> - <u, v> errs by the
        products of each with the error of the other, and by gamma(m), gamma(n) of its terms.
        A product errs by u of itself or 2^-1075, and their sum is rounded once: 32 gamma(n + 8) keeps the
        result below what `deviation` computes, too. 1 + 1e-9 is for the sums of errors, 4 u for `value`.
        """
        flat, _ = secants.codes(point, _LETTERS, self.net.dims[0])
        u, v = self._pairs.enclosed(flat)
        if not (u.value.any() and v.value.any()):
            return 0.0
        terms = [(u.value, u.error, v.value, v.error),
                 (*self.A.enclosed(u.value, u.error), *self.A.enclosed(v.value, v.error))]
        value, error = 0.0, 0.0
        for (a, ea, b, eb), weight in zip(terms, (-1.0, 1.0), strict=True):
            value += weight * math.fsum(a * b)
            error += math.fsum(np.abs(a) * eb + np.abs(b) * ea + ea * eb)
            error += 32 * rounding.gamma(len(a) + 8) * math.fsum(np.abs(a * b)) + len(a) * 2.0**-1070
        error = error * (1 + 1e-9) + 4 * rounding.UNIT * abs(value)
        if not abs(value) > error:
            return 0.0
        return rounding.round_down((abs(value) - error) / u.longest / v.longest, 4)

    @property
    def entries(self) -> int:
        """Weights of the network, and the entries of A."""
        return self.A.entries + sum(W.size for W in self.net.layers)

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self._pairs, self.A)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self.A, self.net)

    @cached_property
    def proof(self) -> Proof | None:
        """Pairs of groups of activation cones; None beyond latent dimension 3, or of an operator."""
        return Proof.of(self.A, self.net)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; small networks and dense A travel along."""
        dense = self.A.dense()
        small = dense is not None and dense.size + sum(W.size for W in self.net.layers) <= hashes.EMBED
        return {
            "kind": "RRIC", "alpha": None, "layer": None, "shape": list(self.A.shape),
            "sha256": self._sha256, "options": {"dims": list(self.net.dims)},
            **({"measurements": hashes.encode(dense),
                "network": [hashes.encode(W) for W in self.net.layers]} if small else {}),
        }

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([*self.A.hashed, *self.net.layers])
