"""The one-sided isometry constants: the most and the least that A does to lengths of range differences."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.measured import check_fit, check_network
from wdccheck.conditions.one_sided.proof import Proof
from wdccheck.conditions.one_sided.search import Search
from wdccheck.conditions.one_sided.side import Side, scaled
from wdccheck.conditions.one_sided.theorems import Theorems
from wdccheck.conditions.secants import Secants, Sided
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes
from wdccheck.linalg.measurements import Measurements
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["LowerIsometry", "UpperIsometry"]

_LETTERS = ("x1", "x2")


@dataclass(frozen=True, eq=False, repr=False)
class _OneSided:
    """What both have in common."""

    A: Any
    net: ReLUNetwork
    _side: Side = field(init=False)
    _scaled: Measurements = field(init=False)
    _secants: Secants = field(init=False)

    _upper: ClassVar[bool]

    def __post_init__(self) -> None:
        check_network(self.net)
        measurements = self.A if isinstance(self.A, Measurements) else Measurements(self.A)
        check_fit("A", measurements.shape, self.net, "A.T")
        divided, exponent = scaled(measurements)
        object.__setattr__(self, "A", measurements)
        object.__setattr__(self, "_scaled", divided)
        object.__setattr__(self, "_side", Side(self._upper, exponent))
        object.__setattr__(self, "_secants", Secants(differences.rescaled(self.net.layers), self.net.dims[0]))

    def __repr__(self) -> str:
        m, n = self.A.shape
        return f"{type(self).__name__}({m}x{n}, dims={self.net.dims}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """(x1, x2) in R^{2k}."""
        return self._secants.spheres

    def deviation(self, points: Points) -> np.ndarray:
        """Its number at one difference, 0 where u is 0; letters (..., k), broadcast."""
        flat, shape = secants.codes(points, _LETTERS, self.net.dims[0])
        u = self._secants.sharp_vectors(flat)
        ratio = np.sum(self._scaled.apply(u) ** 2, axis=1)
        return np.where(u.any(axis=1), self._side.deviation(ratio), 0.0).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error.

        u comes with errors of its entries, A u, too; both lengths from both sides. A quotient and its
        square are three roundings, 2^-50 are eight. What underflows is rounded by 2^-1075: 2^-1072 are eight.
        From above that is far below the floor.
        """
        flat, _ = secants.codes(point, _LETTERS, self.net.dims[0])
        u = self._secants.enclosed(flat)
        if not u.shortest > 0:
            return 0.0
        seen = Sided(*self._scaled.enclosed(u.value, u.error))
        least, most = (seen.shortest / u.longest) ** 2, (seen.longest / u.shortest) ** 2
        return self._side.downward(least * (1 - 2.0**-50) - 2.0**-1072, most * (1 + 2.0**-50))

    @property
    def entries(self) -> int:
        """Weights of the network, and the entries of A."""
        return self.A.entries + sum(W.size for W in self.net.layers)

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self._secants, self._scaled, self._side)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self._scaled, self._side, self.net)

    @cached_property
    def proof(self) -> Proof | None:
        """All pairs of activation cones at once; None beyond latent dimension 3."""
        return Proof.of(self._scaled, self.search, self.net)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; small networks and dense A travel along."""
        dense = self.A.dense()
        small = dense is not None and dense.size + sum(W.size for W in self.net.layers) <= hashes.EMBED
        return {
            "kind": "upper-isometry" if self._upper else "lower-isometry",
            "alpha": None, "layer": None, "shape": list(self.A.shape),
            "sha256": self._sha256, "options": {"dims": list(self.net.dims), **self._side.options},
            **({"measurements": hashes.encode(dense),
                "network": [hashes.encode(W) for W in self.net.layers]} if small else {}),
        }

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([*self.A.hashed, *self.net.layers])


class UpperIsometry(_OneSided):
    r"""epsilon = sup over u = G(x1) - G(x2) != 0 of ``||A u||^2 / ||u||^2``.

    Parameters
    ----------
    A : array_like of shape (m, n), scipy.sparse matrix, or LinearOperator of at most 2**22 entries
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
    >>> condition = wc.UpperIsometry(np.diag([2.0, 0.5]), net)
    >>> float(condition.deviation({"x1": [1.0, 0.0], "x2": [0.0, 0.0]}))
    4.0
    >>> wc.bracket(condition).upper < 4.1
    True
    """

    _upper = True


class LowerIsometry(_OneSided):
    r"""epsilon = sup over u = G(x1) - G(x2) != 0 of ``||u||^2 / ||A u||^2``.

    Its reciprocal is the infimum of ``||A u||^2 / ||u||^2``: bounds of epsilon with a relative gap are
    bounds of that number with the same gap. An infimum below d = 2^-40 4^e counts as d, where 2^e is the
    least power of two above all entries of A: epsilon is 1/d then, as if A had a kernel there.

    Parameters and exceptions as of :class:`UpperIsometry`.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> net = wc.ReLUNetwork([np.eye(2)])
    >>> condition = wc.LowerIsometry(np.diag([2.0, 0.5]), net)
    >>> float(condition.deviation({"x1": [0.0, 1.0], "x2": [0.0, 0.0]}))
    4.0
    >>> wc.bracket(condition).upper < 4.1
    True
    """

    _upper = False
