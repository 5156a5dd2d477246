"""The weight distribution condition: sup over r, s of ||A_{r,s} - alpha Q_{r,s}||_2."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions.maximizer import maximizer, terms
from wdccheck.conditions.wdc.layer import Layer
from wdccheck.conditions.wdc.proof import Proof
from wdccheck.conditions.wdc.search import Search
from wdccheck.conditions.wdc.theorems import Theorems
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import cost, hashes, inputs, matrices, rounding
from wdccheck.protocol.condition import Measured
from wdccheck.rounded_text import shortest

__all__ = ["WDC"]

_BLOCK = 2**22  # entries of one temporary array


@dataclass(frozen=True, eq=False, repr=False)
class WDC:
    r"""epsilon = sup over nonzero r, s in R^k of ``||W_{+,r}^T W_{+,s} - alpha Q_{r,s}||_2``.

    [HV] Def. 2 (alpha = 1), [HJ] eq. 5 (0 < alpha <= 1). All computation happens in units in
    which ``max(||W||^2, alpha)`` is about 1 (Fact 3: exact powers of two).

    Parameters
    ----------
    W : array_like, scipy.sparse matrix or array, or LinearOperator, of shape (n, k)
        Real, finite; zero rows are legal. Large sparse ones stay sparse
        (:func:`wdccheck.linalg.matrices.layer`); an operator is tabulated.
    alpha : float
        Positive.

    Raises
    ------
    InvalidInput
        W or alpha is unusable, or epsilon itself is no float64.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> condition = wc.WDC(np.eye(2))
    >>> float(condition.deviation({"r": [1.0, 1.0], "s": [1.0, 1.0]}))
    0.5
    """

    W: matrices.Rows
    alpha: float = 1.0
    layer: int | None = None
    units: Layer = field(init=False)
    vacuous = 0.5  # sup ||Q||

    def __post_init__(self) -> None:
        W = matrices.layer(self._thing, self.W)
        object.__setattr__(self, "W", W)
        object.__setattr__(self, "alpha", inputs.alpha_value(self.alpha))
        if self.layer is None:
            inputs.warn_if_transposed("W", W)
        object.__setattr__(self, "units", Layer.of(self._thing, W, self.alpha))

    def __setstate__(self, state: dict[str, Any]) -> None:
        matrices.frozen(state["W"])  # pickle forgets it
        self.__dict__.update(state)

    def __repr__(self) -> str:
        n, k = self.W.shape
        return f"WDC({n}x{k}, alpha={shortest(self.alpha)}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """r and s, each in R^k."""
        return {("r",): self.W.shape[1], ("s",): self.W.shape[1]}

    def deviation(self, points: Points) -> np.ndarray:
        """``||A_{r,s} - alpha Q_{r,s}||_2``; r, s (..., k), broadcast; gates by exact sign.

        Beyond k = 2048 no k x k matrix is formed: the value of the eigenvector of :meth:`measure`.

        Raises
        ------
        InvalidInput
            A direction is zero, not finite, or of the wrong length.
        """
        r, s, shape = self._pairs(points)
        values = np.empty(len(r))
        n, k = self.W.shape
        if k > cost.FORMED:
            found = [self.measure({"r": a, "s": b}) for a, b in zip(r, s, strict=True)]
            return np.array([abs(m.gram - self.alpha * m.expectation) for m in found]).reshape(shape)
        block = max(1, _BLOCK // max(n, k**2))
        for start in range(0, len(r), block):
            part = slice(start, start + block)
            difference = self.units.difference(r[part], s[part])
            values[part] = np.abs(np.linalg.eigvalsh(difference)[:, [0, -1]]).max(axis=1)
        return np.ldexp(values, self.units.scale).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error.

        16 k u of both terms keep it below what :meth:`deviation` computes, too.
        """
        m = self.measure(point)
        margin = 16 * self.W.shape[1] * rounding.UNIT * (m.gram + self.alpha)
        return m.lower_bound(self.alpha, margin)

    def measure(self, point: Points) -> Measured:
        """u^T A u and u^T Q u over u.u at the top eigenvector u, with their errors."""
        (r,), (s,), _ = self._pairs(point)
        on = self.units.rows[self.units.open(r) & self.units.open(s)]
        return terms(on, r, s, maximizer(on, r, s, self.units.alpha), self.units.scale)

    @property
    def entries(self) -> int:
        """Numbers stored in W."""
        return matrices.entries(self.W)

    def natural_alpha(self) -> float:
        """trace(W^T W)/k."""
        return float(np.sum(np.square(matrices.stored(self.W))) / self.W.shape[1])

    def with_alpha(self, alpha: float) -> WDC:
        """The same weights with another alpha, neither copied nor hashed again."""
        again, alpha = object.__new__(WDC), inputs.alpha_value(alpha)
        kept = {name: value for name, value in vars(self).items() if name in ("W", "layer", "_sha256")}
        vars(again).update(kept, alpha=alpha, units=Layer.of(self._thing, self.W, alpha, self.units))
        return again

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; layers of up to 65 536 entries carry their weights."""
        return {
            "kind": "WDC", "alpha": self.alpha, "layer": self.layer, "shape": list(self.W.shape),
            "sha256": self._sha256, "options": {},
            **hashes.embedded(self.W),
        }

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self.units)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self.units, self.W, self.alpha)

    @cached_property
    def proof(self) -> Proof | None:
        """Boxes of r and s; None where the dimension is hopeless."""
        return Proof.of(self.units)

    def _pairs(self, points: Points) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        k = self.W.shape[1]
        r, s = np.broadcast_arrays(*(inputs.direction(x, points[x], k) for x in ("r", "s")))
        return r.reshape(-1, k), s.reshape(-1, k), r.shape[:-1]

    @property
    def _thing(self) -> str:
        return "W" if self.layer is None else f"layer {self.layer}"

    @cached_property
    def _sha256(self) -> str:
        return hashes.sha256(self.W)
