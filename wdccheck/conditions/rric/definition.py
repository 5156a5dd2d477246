"""The range restricted isometry condition: sup over range differences of |<(A^T A - I) u, v>|/(|u||v|)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.rric.proof import MeasuredRange
from wdccheck.conditions.secants import PAIRS, SecantPairs
from wdccheck.conditions.two_rays import Plane, Rays
from wdccheck.errors import InvalidInput
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, rounding
from wdccheck.linalg.measurements import Measurements
from wdccheck.linalg.norms import proved_norm, proved_smallest
from wdccheck.protocol.condition import Condition
from wdccheck.protocol.forms import Form, Gated, constant_form
from wdccheck.protocol.proof import Refinement, Regions
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences
from wdccheck.ranges.cone_groups import Groups
from wdccheck.ranges.cone_pairs import LATENT
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
    inequalities = ("rric",)
    _pairs: SecantPairs = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.net, ReLUNetwork):
            raise InvalidInput("net", "a ReLUNetwork", type(self.net).__name__)
        measurements = Measurements(self.A)
        columns, outputs = measurements.shape[1], self.net.dims[-1]
        if columns != outputs:
            hint = "; did you mean A.T?" if measurements.shape[0] == outputs else ""
            raise InvalidInput("A", f"{outputs} columns, one for each output of the network",
                               f"shape {measurements.shape}{hint}")
        object.__setattr__(self, "A", measurements)
        layers = differences.rescaled(self.net.layers)
        object.__setattr__(self, "_pairs", SecantPairs(layers, self.net.dims[0]))

    def __repr__(self) -> str:
        m, n = self.A.shape
        return f"RRIC({m}x{n}, dims={self.net.dims}, {self._sha256[:8]})"

    # -- the definition ------------------------------------------------------------------

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

    def parts(self, points: Points) -> dict[str, np.ndarray]:
        """The RRIC is one inequality."""
        return {"rric": self.deviation(points)}

    # -- search ----------------------------------------------------------------------------

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u and v, and their form: nothing is left to maximize."""
        u, v = self._pairs.vectors(points)
        return self._pairs.frozen(u, v, self.A.deviation(v), sign)

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign <D u, v>/||u|| along the circle of one pair, the other held (Fact 11)."""
        return self._pairs.circle(points, block, tangent, self._target(block, frozen))

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward the maximizer over the present cones (Fact 13), and random ones."""
        return self._pairs.tangents(points, block, self._target(block, frozen), rng)

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Toward the singular pair of the present cones, as far as pays."""
        return self._pairs.free_step(points, frozen.sign, self.A.deviation)

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Random pairs, pairs that nearly coincide, single images; from there, jumps to where it is large."""
        if near is not None:
            return near
        return self._pairs.jumped(self._pairs.seeds(rng, n), rng, lambda points: self.A.deviation)

    # -- theorems --------------------------------------------------------------------------

    def starts(self) -> Iterator[Start]:
        """Images of the axes, u = v; for k = 1 the maximizer."""
        if self._plane is not None:
            yield Start(self._plane.point(), "Fact 14: k = 1, two rays")
        for point in secants.simple_pairs(self.net.dims[0]):
            yield Start(point, "images of the latent axes")

    def caps(self) -> Iterator[Cap]:
        """Fact 12: ||P (A^T A - I) P||, P on the outputs that are not provably dead."""
        chosen = differences.live(self.net.layers, self.net.dims[0])
        if not chosen.any():
            yield Cap(0.0, "every output is dead: there are no range differences", empty=True)
            return
        columns = self.A.columns(chosen)
        if columns is None:
            return
        if self._plane is not None:
            yield self._plane.cap()
        columns = np.ascontiguousarray(columns)
        exponent = int(np.frexp(np.abs(columns).max())[1])
        scaled = np.ldexp(columns, -exponent)
        square, least = proved_norm(scaled), proved_smallest(scaled)
        over, under = math.ldexp(square, 2 * exponent) - 1, 1 - math.ldexp(least, 2 * exponent)
        yield Cap(rounding.round_up(max(over, under, 0.0), 2),
                  f"Fact 12: the norm of A^T A - I on the {int(chosen.sum())} outputs not provably dead")

    def dominated_by(self) -> Iterator[Condition]:
        """No other condition."""
        yield from ()

    # -- regions ---------------------------------------------------------------------------

    def regions(self, deadline: float = math.inf) -> Groups | None:
        """Pairs of groups of activation cones; None beyond latent dimension 3, or for too many cones."""
        return None if self._range is None else self._range.regions(deadline)

    def forms(self, regions: Regions) -> tuple[Form, ...]:
        """The cap; what is known of a group is in :meth:`refine`."""
        cap = min((cap.value for cap in self.caps()), default=math.inf)
        return (constant_form(len(regions), cap),)

    def refine(self, regions: Regions) -> Refinement:
        """Pencils on the spans of the differences (Fact 13)."""
        assert isinstance(regions, Groups)
        if self._range is not None:
            yield from self._range.refine(regions)

    def gated(self) -> tuple[Gated, ...]:
        """No gated sum."""
        return ()

    # -- derived data ------------------------------------------------------------------------

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

    def _target(self, block: Block, frozen: Frozen) -> np.ndarray:
        """sign D v for the pair of u, sign D u for that of v: D is symmetric."""
        return frozen.sign[:, None] * self.A.deviation(frozen.v if block == PAIRS[0] else frozen.u)

    @cached_property
    def _range(self) -> MeasuredRange | None:
        layers = differences.rescaled(self.net.layers)
        chosen = differences.live(layers, self.net.dims[0])
        columns = self.A.columns(chosen) if chosen.any() and self.net.dims[0] <= LATENT else None
        if columns is None:
            return None
        layers = (*layers[:-1], np.ascontiguousarray(layers[-1][chosen]))
        return MeasuredRange(layers, self.net.dims[0], np.ascontiguousarray(columns))

    @cached_property
    def _plane(self) -> Plane | None:
        """Of k = 1, where it is affordable."""
        A = self.A.columns(np.ones(self.A.shape[1], dtype=bool)) if self.net.dims[0] == 1 else None
        rays = None if A is None else Rays.of(self.net.layers, A)
        return None if rays is None or A is None else rays.measured(A)

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([*self.A.hashed, *self.net.layers])
