"""The joint weight distribution condition of a pair (B, C): two inequalities over h, x, m, y."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions.joint_wdc.parts import Inequalities
from wdccheck.conditions.joint_wdc.proof import Proof
from wdccheck.conditions.joint_wdc.search import Search
from wdccheck.conditions.joint_wdc.theorems import Theorems
from wdccheck.errors import InvalidInput
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, inputs, matrices, rounding
from wdccheck.protocol.condition import Measured
from wdccheck.rounded_text import shortest

__all__ = ["JointWDC"]


@dataclass(frozen=True, eq=False, repr=False)
class JointWDC:
    r"""epsilon = sup over nonzero h, x in R^n and m, y in R^p of the larger of two deviations.

    Part "B": ``||l B_{+,h}^T diag(C_{+,m} m . C_{+,y} y) B_{+,x} - alpha (m^T Q_{m,y} y) Q_{h,x}||_2``
    over ``||m|| ||y||``, [HJ] eq. 6; part "C": the same with (B, h, x) and (C, m, y) exchanged, [HJ] eq. 7.
    All computation happens in units in which B, C and alpha are at most 1 (Fact 3: powers of two).

    Parameters
    ----------
    B : array_like of shape (l, n)
    C : array_like of shape (l, p)
        Real, finite, with equally many rows.
    alpha : float
        Positive.

    Raises
    ------
    InvalidInput
        B, C or alpha is unusable, their rows do not match, or epsilon itself is no float64.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> condition = wc.JointWDC([[1.0]], [[1.0]])
    >>> one = [1.0]
    >>> float(condition.deviation({"h": one, "x": one, "m": one, "y": one}))
    0.75
    """

    B: np.ndarray
    C: np.ndarray
    alpha: float = 1.0
    units: Inequalities = field(init=False)
    vacuous = 0.25  # kappa and Q are at most 1/2
    layer = None  # of a pair of layers

    def __post_init__(self) -> None:
        B, C = matrices.dense("B", self.B), matrices.dense("C", self.C)
        if len(B) != len(C):
            raise InvalidInput("B and C", "the same number of rows", f"shapes {B.shape} and {C.shape}")
        for name, value in (("B", B), ("C", C), ("alpha", inputs.alpha_value(self.alpha))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "units", Inequalities.of(self.B, self.C, self.alpha))

    def __setstate__(self, state: dict[str, Any]) -> None:
        state["B"].flags.writeable = state["C"].flags.writeable = False  # pickle forgets it
        self.__dict__.update(state)

    def __repr__(self) -> str:
        (count, n), p = self.B.shape, self.C.shape[1]
        return f"JointWDC({count}x{n}, {count}x{p}, alpha={shortest(self.alpha)}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """h and x in R^n, m and y in R^p."""
        return {(letter,): dimension for letter, dimension in self.units.letters.items()}

    def deviation(self, points: Points) -> np.ndarray:
        """The larger of the two parts; gates by exact sign.

        Raises
        ------
        InvalidInput
            A direction is zero, not finite, or of the wrong length.
        """
        return np.maximum(*self.parts(points).values())

    def parts(self, points: Points) -> dict[str, np.ndarray]:
        """Both deviations, "B" of [HJ] eq. 6 and "C" of eq. 7; h, x (..., n), m, y (..., p), broadcast."""
        given = {x: inputs.direction(x, points[x], d) for (x,), d in self.spheres.items()}
        shape = np.broadcast_shapes(*(value.shape[:-1] for value in given.values()))
        flat = {x: np.broadcast_to(y, (*shape, d := y.shape[-1])).reshape(-1, d) for x, y in given.items()}
        return {name: value.reshape(shape) for name, value in self.units.deviations(flat).items()}

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error, doubled for what :meth:`parts` loses."""
        m = self.measure(point)
        margin = 16 * (self.B.shape[1] + self.C.shape[1]) * rounding.UNIT * (m.gram + self.alpha)
        return m.lower_bound(self.alpha, margin, times=2.0)

    def measure(self, point: Points) -> Measured:
        """The terms of the larger part along its inner maximizer: see WeightedPair.measure."""
        checked = {x: inputs.direction(x, point[x], d) for (x,), d in self.spheres.items()}
        _, m = max((pair.measure(checked) for pair in self.units.parts.values()), key=lambda found: found[0])
        return Measured(math.ldexp(m.gram, self.units.scale), math.ldexp(m.gram_error, self.units.scale),
                        m.expectation, m.expectation_error)

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self.units)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self.units, self.B, self.C, self.alpha)

    @cached_property
    def proof(self) -> Proof | None:
        """Boxes of h, x, m, y; None beyond dimension 4."""
        return Proof.of(self.units)

    @property
    def entries(self) -> int:
        """Numbers in B and C."""
        return self.B.size + self.C.size

    def natural_alpha(self) -> float:
        """trace(B^T B)/n times trace(C^T C)/p."""
        with np.errstate(over="ignore"):  # then it is not usable
            return math.prod(float(np.sum(np.square(W)) / W.shape[1]) for W in (self.B, self.C))

    def with_alpha(self, alpha: float) -> JointWDC:
        """The same matrices with another alpha."""
        return JointWDC(self.B, self.C, alpha)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; pairs of up to 65 536 entries carry their weights."""
        return {
            "kind": "joint-WDC", "alpha": self.alpha, "layer": None,
            "shape": [*self.B.shape, self.C.shape[1]], "sha256": self._sha256, "options": {},
            **({"weights": {"B": hashes.encode(self.B), "C": hashes.encode(self.C)}}
               if self.B.size + self.C.size <= hashes.EMBED else {}),
        }

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([self.B, self.C])
