"""The coherence of measurements over the range: sup over its differences u of ||U u||_inf / ||u||."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.coherence.proof import Proof
from wdccheck.conditions.coherence.search import Search
from wdccheck.conditions.coherence.theorems import Theorems
from wdccheck.conditions.measured import check_fit, check_network
from wdccheck.conditions.secants import Secants
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, rounding
from wdccheck.linalg.isometries import Isometry
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Coherence"]

_LETTERS = ("x1", "x2")


@dataclass(frozen=True, eq=False, repr=False)
class Coherence:
    r"""epsilon = sup over u = G(x1) - G(x2) != 0 of ``||U u||_inf / ||u||``.

    After [B]: Berk, Brugiapaglia, Joshi, Plan, Scott, Yilmaz, *A coherence parameter characterizing
    generative compressed sensing with Fourier measurements*, 2022. There u runs through the spans of the
    differences of the linear pieces of G, here through the differences themselves. These lie in the spans,
    so the number here is the smaller one, or both are equal. Upper bounds come from spans, too (Fact 23).

    Parameters
    ----------
    U : array_like of shape (m, n)
        Real or complex, with orthonormal rows or columns: an entry of U U^H - I or of U^H U - I is at most
        ``wdccheck.linalg.isometries.ORTHONORMAL``. The number is that of U as stored in float64.
    net : ReLUNetwork
        With n outputs.

    Raises
    ------
    InvalidInput
        U is no such matrix, or its columns do not match the output of the network.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> net = wc.ReLUNetwork([np.eye(4)])
    >>> condition = wc.Coherence(np.fft.fft(np.eye(4), norm="ortho"), net)
    >>> round(float(condition.deviation({"x1": np.ones(4), "x2": np.zeros(4)})), 12)
    1.0
    >>> e = np.eye(4)[0]
    >>> round(float(condition.deviation({"x1": e, "x2": np.zeros(4)})), 12)
    0.5
    """

    U: Any
    net: ReLUNetwork
    _secants: Secants = field(init=False)

    def __post_init__(self) -> None:
        check_network(self.net)
        isometry = Isometry(self.U)
        check_fit("U", isometry.shape, self.net,
                  "U.conj().T" if np.iscomplexobj(isometry.source) else "U.T")
        object.__setattr__(self, "U", isometry)
        object.__setattr__(self, "_secants", Secants(differences.rescaled(self.net.layers), self.net.dims[0]))

    def __repr__(self) -> str:
        m, n = self.U.shape
        return f"Coherence({m}x{n}, dims={self.net.dims}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """(x1, x2) in R^{2k}."""
        return self._secants.spheres

    def deviation(self, points: Points) -> np.ndarray:
        """``||U u||_inf / ||u||``, 0 where u is 0; letters (..., k), broadcast."""
        flat, shape = secants.codes(points, _LETTERS, self.net.dims[0])
        return self.U.moduli(self._secants.sharp_vectors(flat)).max(axis=1).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error.

        u comes with errors of its entries, and with a length from above; each |<U_j, u>| from below.
        """
        flat, _ = secants.codes(point, _LETTERS, self.net.dims[0])
        u = self._secants.enclosed(flat)
        if not u.value.any():
            return 0.0
        return rounding.round_down(float(self.U.least_moduli(u.value, u.error).max()) / u.longest, 4)

    @property
    def entries(self) -> int:
        """Weights of the network, and the entries of U."""
        return self.U.parts.size + sum(W.size for W in self.net.layers)

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self._secants, self.U)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self.U, self.net)

    @cached_property
    def proof(self) -> Proof | None:
        """Pairs of groups of activation cones; None beyond latent dimension 3."""
        return Proof.of(self.U, self.net)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; a small network and a small U travel along."""
        small = self.U.parts.size + sum(W.size for W in self.net.layers) <= hashes.EMBED
        return {
            "kind": "coherence", "alpha": None, "layer": None, "shape": list(self.U.shape),
            "sha256": self._sha256, "options": {"dims": list(self.net.dims)},
            **({"measurements": hashes.encode(self.U.source),
                "network": [hashes.encode(W) for W in self.net.layers]} if small else {}),
        }

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([self.U.source, *self.net.layers])
