"""The weight distribution condition: sup over r, s of ||A_{r,s} - alpha Q_{r,s}||_2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck import _kernels
from wdccheck.conditions import gated_pairs
from wdccheck.conditions.maximizer import extremes, maximizer, terms
from wdccheck.conditions.wdc import seeds as annealing
from wdccheck.conditions.wdc import theorems
from wdccheck.conditions.wdc.proof import Apart, GatedPair
from wdccheck.errors import InvalidInput
from wdccheck.geometry import step_sums, tangents
from wdccheck.geometry.boxes import Boxes
from wdccheck.geometry.expectation import expected_gram, unit
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.geometry.step_sums import expected_on_circle
from wdccheck.linalg import hashes, inputs, matrices, rounding
from wdccheck.linalg.norms import squared_norm
from wdccheck.protocol.condition import Condition, Measured
from wdccheck.protocol.forms import Gated, Sandwich
from wdccheck.protocol.proof import Refinement, Regions
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap, Start

__all__ = ["WDC"]

_FORMED = 2048  # columns up to which the deviation is computed from a k x k matrix
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
    _exponent: int = field(init=False, default=0)
    vacuous, inequalities = 0.5, ("wdc",)  # sup ||Q||

    def __post_init__(self) -> None:
        thing = "W" if self.layer is None else f"layer {self.layer}"
        W = matrices.layer(thing, self.W)
        object.__setattr__(self, "W", W)
        object.__setattr__(self, "alpha", inputs.alpha_value(self.alpha))
        if self.layer is None:
            inputs.warn_if_transposed("W", W)
        entries = matrices.stored(W)
        largest = float(np.abs(entries).max(initial=0.0))
        # the extreme powers of two of max(|W|, sqrt(alpha)), without forming a square
        e_w, e_a = (math.frexp(x)[1] for x in (largest, math.sqrt(self.alpha)))
        exponent = max(e_w, e_a) if largest else e_a
        if not -480 <= exponent <= 480:
            raise InvalidInput(f"{thing} and alpha", "max(|W|^2, alpha) between 1e-288 and 1e288",
                               f"max |W| = {largest:g}, alpha = {self.alpha:g}")
        if not np.array_equal(np.ldexp(np.ldexp(entries, -exponent), exponent), entries):
            raise InvalidInput(thing, "nonzero entries that stay normal floats when the largest is 1",
                               f"smallest {np.abs(entries[entries != 0]).min():g}, largest {largest:g}")
        object.__setattr__(self, "_exponent", exponent)

    def __setstate__(self, state: dict[str, Any]) -> None:
        matrices.frozen(state["W"])  # pickle forgets it
        self.__dict__.update(state)

    def __repr__(self) -> str:
        n, k = self.W.shape
        return f"WDC({n}x{k}, alpha={self.alpha:.6g}, {self._sha256[:8]})"

    # -- the definition ------------------------------------------------------------------

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
        if k > _FORMED:
            found = [self.measure({"r": a, "s": b}) for a, b in zip(r, s, strict=True)]
            return np.array([abs(m.gram - self.alpha * m.expectation) for m in found]).reshape(shape)
        block = max(1, _BLOCK // max(n, k**2))
        for start in range(0, len(r), block):
            part = slice(start, start + block)
            difference = self._difference(r[part], s[part])
            values[part] = np.abs(np.linalg.eigvalsh(difference)[:, [0, -1]]).max(axis=1)
        return np.ldexp(values, 2 * self._exponent).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error.

        16 k u of both terms keep it below what :meth:`deviation` computes, too.
        """
        m = self.measure(point)
        margin = 16 * self.W.shape[1] * rounding.UNIT * (m.gram + self.alpha)
        value = abs(m.gram - self.alpha * m.expectation)
        error = m.gram_error + self.alpha * m.expectation_error + margin
        return rounding.round_down(value - error, 4) if value > error else 0.0

    def measure(self, point: Points) -> Measured:
        """u^T A u and u^T Q u over u.u at the top eigenvector u, with their errors."""
        (r,), (s,), _ = self._pairs(point)
        on = self._rows[self._open(r) & self._open(s)]
        return terms(on, r, s, maximizer(on, r, s, self._alpha), 2 * self._exponent)

    def parts(self, points: Points) -> dict[str, np.ndarray]:
        """The WDC is one inequality."""
        return {"wdc": self.deviation(points)}

    # -- search ----------------------------------------------------------------------------

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Extreme eigenvector of A - alpha Q; value 0 where a gate is within rounding."""
        r, s = unit(points["r"]), unit(points["s"])
        open_both, sure = rounding.common_gates(self._rows, self._errors, (points["r"], points["s"]))
        u, value = extremes(self._rows, self._outer, open_both, np.full(len(r), self._alpha), (r, s),
                            None if near is None else near.u, sign)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(r), sign)
        return Frozen(u, u, signs, np.ldexp(signs * value * sure, 2 * self._exponent))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign u^T (A - alpha Q) u along the circle of one letter, the other held (Fact 11)."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points["s" if letter == "r" else "r"])
        along, across, held = (x @ self._rows.T for x in (base, tangent, other))
        coefficients = frozen.sign[:, None] * (held > 0) * (frozen.u @ self._rows.T) ** 2
        expected = expected_on_circle(base, tangent, other, frozen.u, -frozen.sign * self._alpha)
        return step_sums.best_on_circle(along, across, coefficients, expected).scaled(2 * self._exponent)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Soft-gate gradient, a direction that slides along walls, toward the other letter."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points["s" if letter == "r" else "r"])
        along, held = base @ self._rows.T, other @ self._rows.T
        coefficients = (held > 0) * (frozen.u @ self._rows.T) ** 2
        soft = tangents.soft_gradient(self._rows, along, coefficients, rng)
        choice = rng.random((len(base), 1))
        mixed = np.where(choice < 0.5, soft, np.where(choice < 0.75, other, rng.standard_normal(base.shape)))
        return soft, tangents.off_walls(self._rows, along, mixed, rng), other

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Fact 17: r apart from s up to the first wall (upper sign), or toward it (lower sign)."""
        r, s = unit(points["r"]), unit(points["s"])
        at_r, at_s = r @ self._rows.T, s @ self._rows.T
        upper = frozen.sign[:, None] > 0
        walls = (at_s > 0) & np.where(upper, at_r > 0, at_r <= 0)
        distance = np.divide(np.abs(at_r), at_s, out=np.full_like(at_r, np.inf), where=walls)
        t = np.min(distance, axis=1, initial=np.inf) * (1 - 1e-4)  # clear of rounding
        t = np.where(np.isfinite(t), np.minimum(t, 1e3), 0.0)[:, None]
        return {"r": unit(r - np.where(upper, t, -t) * s), "s": s}

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs of mixed_pairs, some of them annealed."""
        return annealing.annealed_pairs(self._rows, self._alpha, rng, n, near, deadline)

    # -- theorems --------------------------------------------------------------------------

    def starts(self) -> Iterator[Start]:
        """Facts 5, 6 and 7, and for k = 1 all four pairs (Fact 8)."""
        yield from gated_pairs.theorem_pairs(self._rows)

    def caps(self) -> Iterator[Cap]:
        """Fact 9: epsilon <= max(||W||^2, alpha/2), and for k = 1 epsilon itself (Fact 8)."""
        if self.W.shape[1] == 1:
            yield Cap(theorems.line_value(self.W, self.alpha), "Fact 8: k = 1, all four pairs", exact=True)
        else:
            square, how = squared_norm(self._rows)
            yield Cap(max(math.ldexp(square, 2 * self._exponent), self.alpha / 2),
                      f"Fact 9: max(||W||^2, alpha/2){how}")

    def dominated_by(self) -> Iterator[Condition]:
        """Nothing bounds the WDC but itself."""
        yield from ()

    # -- regions ---------------------------------------------------------------------------

    def regions(self, deadline: float = math.inf) -> Regions | None:
        """Pairs of boxes on cube faces; None where the dimension is hopeless."""
        return self._pair.regions()

    def forms(self, regions: Regions) -> tuple[Sandwich]:
        """Fact 10 with the reduction of parallel and opposite rows."""
        assert isinstance(regions, Boxes | Apart)
        return self._pair.forms(regions)

    def refine(self, regions: Regions) -> Refinement:
        """Realizable patterns of dependent undecided lines."""
        assert isinstance(regions, Boxes | Apart)
        return self._pair.refine(regions)

    def gated(self) -> tuple[Gated, ...]:
        """The lines with the weights of their two sides; nothing of sparse layers."""
        return () if matrices.is_sparse(self.W) else (self._pair.data(),)

    # -- derived data ------------------------------------------------------------------------

    def with_alpha(self, alpha: float) -> WDC:
        """The same weights with another alpha."""
        return WDC(self.W, alpha, self.layer)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; layers of up to 65 536 entries carry their weights."""
        return {
            "kind": "WDC", "alpha": self.alpha, "layer": self.layer, "shape": list(self.W.shape),
            "sha256": self._sha256, "options": {},
            **hashes.embedded(self.W),
        }

    def _pairs(self, points: Points) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        k = self.W.shape[1]
        r, s = np.broadcast_arrays(*(inputs.direction(x, points[x], k) for x in ("r", "s")))
        return r.reshape(-1, k), s.reshape(-1, k), r.shape[:-1]

    def _open(self, x: np.ndarray) -> np.ndarray:
        return rounding.open_gates(self._rows, x, self._sums)

    def _difference(self, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        both = self._open(r) & self._open(s)
        grams = (np.stack([matrices.gram(self._rows[on]) for on in both]) if matrices.is_sparse(self.W)
                 else _kernels.gram(self._rows, self._outer, both))
        return grams - self._alpha * expected_gram(r, s)

    @cached_property
    def _sha256(self) -> str:
        return hashes.sha256(self.W)

    @cached_property
    def _rows(self) -> matrices.Rows:
        return matrices.scaled(self.W, -self._exponent)

    @cached_property
    def _sums(self) -> np.ndarray:
        return matrices.absolute_sums(self._rows)

    @cached_property
    def _alpha(self) -> float:
        return math.ldexp(self.alpha, -2 * self._exponent)

    @cached_property
    def _errors(self) -> np.ndarray:
        return rounding.product_errors(self._rows, self._sums)

    @cached_property
    def _outer(self) -> np.ndarray | None:
        return _kernels.tabulated(self._rows)

    @cached_property
    def _pair(self) -> GatedPair:
        return GatedPair(self._rows, self._alpha, math.ldexp(1.0, 2 * self._exponent))
