"""The joint weight distribution condition of a pair (B, C): two inequalities over h, x, m, y."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions.joint_wdc.forms import WeightedForms, scattered
from wdccheck.conditions.joint_wdc.inequality import WeightedPair, balanced_exponents
from wdccheck.conditions.joint_wdc.proof import KINDS, Sides
from wdccheck.conditions.joint_wdc.search import circle_of, coefficients_of, together
from wdccheck.conditions.joint_wdc.seeds import joint_points, joint_seeds
from wdccheck.conditions.joint_wdc.theorems import line_pair_value, square_caps
from wdccheck.errors import InvalidInput
from wdccheck.geometry import profiles, tangents
from wdccheck.geometry.expectation import unit
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, inputs, matrices, rounding
from wdccheck.protocol.condition import Condition, Measured
from wdccheck.protocol.forms import Gated, Sandwich
from wdccheck.protocol.proof import Refinement, Regions
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap, Start

__all__ = ["JointWDC"]

_LARGEST = 4  # dimension beyond which boxes are hopeless
_SAMPLES = 1024  # points of the first lower bound
_PARTNER = {"h": "x", "x": "h", "m": "y", "y": "m"}


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
    _exponents: tuple[int, int] = field(init=False, default=(0, 0))
    vacuous = 0.25  # kappa and Q are at most 1/2
    layer = None  # of a pair of layers
    inequalities = ("B", "C")

    def __post_init__(self) -> None:
        B, C = matrices.dense("B", self.B), matrices.dense("C", self.C)
        if len(B) != len(C):
            raise InvalidInput("B and C", "the same number of rows", f"shapes {B.shape} and {C.shape}")
        for name, value in (("B", B), ("C", C), ("alpha", inputs.alpha_value(self.alpha))):
            object.__setattr__(self, name, value)
        largest = [float(np.abs(W).max()) for W in (B, C)]
        exponents = balanced_exponents(largest, self.alpha)
        if not -480 <= sum(exponents) <= 480:
            raise InvalidInput(
                "B, C and alpha", "max(|B|^2 |C|^2, alpha) between 1e-288 and 1e288, or epsilon is no float",
                f"max |B| = {largest[0]:g}, max |C| = {largest[1]:g}, alpha = {self.alpha:g}")
        for name, W, e in (("B", B, exponents[0]), ("C", C, exponents[1])):
            if not np.array_equal(np.ldexp(np.ldexp(W, -e), e), W):
                raise InvalidInput(name, "nonzero entries that stay normal floats once scaled by the "
                                   "largest", f"smallest {np.abs(W[W != 0]).min():g}")
        object.__setattr__(self, "_exponents", exponents)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state["B"].flags.writeable = state["C"].flags.writeable = False  # pickle forgets it
        self.__dict__.update(state)

    def __repr__(self) -> str:
        (count, n), p = self.B.shape, self.C.shape[1]
        return f"JointWDC({count}x{n}, {count}x{p}, alpha={self.alpha:.6g}, {self._sha256[:8]})"

    # -- the definition ------------------------------------------------------------------

    @property
    def spheres(self) -> dict[Block, int]:
        """h and x in R^n, m and y in R^p."""
        n, p = self.B.shape[1], self.C.shape[1]
        return {("h",): n, ("x",): n, ("m",): p, ("y",): p}

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
        return {name: np.ldexp(pair.deviation(flat), self._scale).reshape(shape)
                for name, pair in self._pairs.items()}

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error, doubled for what :meth:`parts` loses."""
        m = self.measure(point)
        margin = 16 * (self.B.shape[1] + self.C.shape[1]) * rounding.UNIT * (m.gram + self.alpha)
        value = abs(m.gram - self.alpha * m.expectation)
        error = 2 * (m.gram_error + self.alpha * m.expectation_error) + margin
        return rounding.round_down(value - error, 4) if value > error else 0.0

    def measure(self, point: Points) -> Measured:
        """The terms of the larger part along its inner maximizer: see WeightedPair.measure."""
        checked = {x: inputs.direction(x, point[x], d) for (x,), d in self.spheres.items()}
        _, m = max((pair.measure(checked) for pair in self._pairs.values()), key=lambda found: found[0])
        return Measured(math.ldexp(m.gram, self._scale), math.ldexp(m.gram_error, self._scale),
                        m.expectation, m.expectation_error)

    # -- search ----------------------------------------------------------------------------

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """The extreme eigenvector of the larger part, padded with zeros where the other part's would be."""
        n = self.B.shape[1]
        sides = (None, None) if near is None else (near.u[:, :n], near.u[:, n:])
        (u, first), (v, second) = (pair.extreme(points, side, sign)
                                   for pair, side in zip(self._pairs.values(), sides, strict=True))
        by_first = np.abs(first) >= np.abs(second) if sign is None else sign * first >= sign * second
        both = np.concatenate([u * by_first[:, None], v * ~by_first[:, None]], axis=1)
        value = np.where(by_first, first, second)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(value), sign)
        return Frozen(both, both, signs, np.ldexp(signs * value, self._scale))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """The frozen form along the circle of one letter: a gated sum, or one of sinusoids (Fact 11)."""
        (letter,) = block
        parts, members = [], []
        for pair, some, here, u in self._split(points, frozen):
            parts.append(circle_of(pair, here, letter, tangent[some], u, frozen.sign[some]))
            members.append(some)
        found = profiles.gathered(parts, members)
        return replace(found, work=found.breaks + self._work).scaled(self._scale)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Toward gates of large coefficient, or along the gradient; toward the partner; anywhere."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points[_PARTNER[letter]])
        rows = self._rows[0 if letter in "hx" else 1]
        along, toward = base @ rows.T, np.empty_like(base)
        for pair, some, here, u in self._split(points, frozen):
            coefficients = coefficients_of(pair, here, letter, u)
            if letter in pair.gating:
                toward[some] = tangents.soft_gradient(rows, along[some], coefficients, rng)
            else:
                toward[some] = (coefficients * (along[some] > 0)) @ rows
        choice = rng.random((len(base), 1))
        astray = np.where(choice < 0.75, other, rng.standard_normal(base.shape))
        return toward, tangents.off_walls(rows, along, np.where(choice < 0.5, toward, astray), rng), other

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """The weighing letters of the larger part moved together, see :func:`together`."""
        moved = {x: p.copy() for x, p in points.items()}
        for pair, some, here, u in self._split(points, frozen):
            first, second = pair.weighing
            moved[first][some] = moved[second][some] = together(pair, here, u)
        return moved

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs as of the WDC on both sides, many of them aligned."""
        return joint_seeds(*self._rows, rng, n) if near is None else near

    # -- theorems --------------------------------------------------------------------------

    def starts(self) -> Iterator[Start]:
        """The starts of the WDC on one side, aligned directions on the other; see joint_points."""
        yield from joint_points(*self._rows)

    def caps(self) -> Iterator[Cap]:
        """epsilon <= max(l s, alpha/4), see square_caps; for n = p = 1 epsilon itself (Fact 8)."""
        if self.B.shape[1] == self.C.shape[1] == 1:
            yield Cap(line_pair_value(self.B, self.C, self.alpha), "Fact 8: n = p = 1, all signs", exact=True)
        for square, reason in self._square_caps:
            # exact where normal; what rounds below the smallest normal float is at most that
            value = max(math.ldexp(square, self._scale), self.alpha / 4, float(np.finfo(float).tiny))
            yield Cap(value, f"trivial cap {reason}, or alpha/4")

    def dominated_by(self) -> Iterator[Condition]:
        """Nothing bounds the joint-WDC but itself."""
        yield from ()

    # -- regions ---------------------------------------------------------------------------

    def regions(self, deadline: float = math.inf) -> Regions | None:
        """Both sides of both parts, see Sides; None beyond dimension 4."""
        n, p = self.B.shape[1], self.C.shape[1]
        return None if max(n, p) > _LARGEST else Sides.cover(n, p, self._sides)

    def forms(self, regions: Regions) -> Sequence[Sandwich]:
        """Fact 10 for the part and the side of each region, with weights caught at the corners."""
        assert isinstance(regions, Sides)
        result: list[Sandwich] = []
        for kind in np.unique(regions.kind):
            (part, side), some = KINDS[kind], np.flatnonzero(regions.kind == kind)
            made = self._forms[part].of(side, regions.boxes.take(some), fine="cap" not in self._sides)
            result += made if len(some) == len(regions) else [scattered(f, some, len(regions)) for f in made]
        return result

    def refine(self, regions: Regions) -> Refinement:
        """None is known."""
        yield from ()

    def gated(self) -> tuple[Gated, ...]:
        """Weights that depend on the point are no plain data yet."""
        return ()

    # -- derived data ------------------------------------------------------------------------

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

    def _split(
        self, points: Points, frozen: Frozen
    ) -> Iterator[tuple[WeightedPair, np.ndarray, Points, np.ndarray]]:
        """Each part with the members of the batch that it maximizes, as unit vectors, and their u."""
        n = self.B.shape[1]
        second = frozen.u[:, n:].any(axis=1)
        for name, chosen, u in (("B", ~second, frozen.u[:, :n]), ("C", second, frozen.u[:, n:])):
            some = np.flatnonzero(chosen)
            if len(some):
                yield self._pairs[name], some, {x: unit(p[some]) for x, p in points.items()}, u[some]

    @cached_property
    def _square_caps(self) -> list[tuple[float, str]]:
        return list(square_caps(*self._rows))

    @cached_property
    def _sides(self) -> tuple[str, ...]:
        """The sides to bound, any choice is valid: from alpha/4 on only A - E, bisectors from alpha/20 on."""
        ratio = self.deviation(self.seeds(np.random.default_rng(0), _SAMPLES)).max() / self.alpha
        return ("both",) if ratio < 0.05 else ("bisected", "cap" if ratio > 0.25 * (1 - 1e-9) else "below")

    @cached_property
    def _forms(self) -> dict[str, WeightedForms]:
        return {part: WeightedForms(pair, math.ldexp(1.0, self._scale)) for part, pair in self._pairs.items()}

    @property
    def _scale(self) -> int:
        return 2 * sum(self._exponents)

    @cached_property
    def _work(self) -> float:
        """Of the eigenvectors of both parts at a point, in breakpoints of a gated sum."""
        return sum(1.5 * len(self.B) + 2 * min(k, 40) ** 2 for k in (self.B.shape[1], self.C.shape[1]))

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays([self.B, self.C])

    @cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ldexp(self.B, -self._exponents[0]), np.ldexp(self.C, -self._exponents[1])

    @cached_property
    def _pairs(self) -> dict[str, WeightedPair]:
        (B, C), alpha = self._rows, math.ldexp(self.alpha, -self._scale)
        return {"B": WeightedPair(B, C, ("h", "x"), ("m", "y"), alpha),
                "C": WeightedPair(C, B, ("m", "y"), ("h", "x"), alpha)}
