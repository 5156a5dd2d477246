"""The weight distribution condition: sup over r, s of ||A_{r,s} - alpha Q_{r,s}||_2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck import _kernels, arrays, gates, rounding
from wdccheck.conditions import annealing, starts
from wdccheck.conditions.condition import Cap, Condition, Frozen, Measured, Points, Refinement, Regions, Start
from wdccheck.conditions.gated import Apart, GatedPair
from wdccheck.eigen import extreme_of, extreme_pairs, proved_norm
from wdccheck.errors import InvalidInput
from wdccheck.forms import Gated, Sandwich
from wdccheck.geometry import expected_apply, expected_gram, expected_on_circle, unit
from wdccheck.regions import Boxes
from wdccheck.spheres import Block, Profile

__all__ = ["WDC"]

_DENSE = 40  # up to here a k x k matrix per pair is cheaper than Lanczos on products
_EMBED = 2**16  # entries up to which weights travel inside a result
_BLOCK = 2**22  # entries of one temporary array


@dataclass(frozen=True, eq=False, repr=False)
class WDC:
    r"""epsilon = sup over nonzero r, s in R^k of ``||W_{+,r}^T W_{+,s} - alpha Q_{r,s}||_2``.

    [HV] Def. 2 (alpha = 1), [HJ] eq. 5 (0 < alpha <= 1). All computation happens in units in
    which ``max(||W||^2, alpha)`` is about 1 (Fact 3: exact powers of two).

    Parameters
    ----------
    W : array_like of shape (n, k)
        Real, finite; zero rows are legal.
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

    W: np.ndarray
    alpha: float = 1.0
    layer: int | None = None
    _exponent: int = field(init=False, default=0)
    vacuous, inequalities = 0.5, ("wdc",)  # sup ||Q||

    def __post_init__(self) -> None:
        thing = "W" if self.layer is None else f"layer {self.layer}"
        W = arrays.weights(thing, self.W)
        object.__setattr__(self, "W", W)
        object.__setattr__(self, "alpha", arrays.alpha_value(self.alpha))
        if self.layer is None:
            arrays.warn_if_transposed("W", W)
        largest = float(np.abs(W).max())
        # the extreme powers of two of max(|W|, sqrt(alpha)), without forming a square
        e_w, e_a = (math.frexp(x)[1] for x in (largest, math.sqrt(self.alpha)))
        exponent = max(e_w, e_a) if largest else e_a
        if not -480 <= exponent <= 480:
            raise InvalidInput(f"{thing} and alpha", "max(|W|^2, alpha) between 1e-288 and 1e288",
                               f"max |W| = {largest:g}, alpha = {self.alpha:g}")
        if not np.array_equal(np.ldexp(np.ldexp(W, -exponent), exponent), W):
            raise InvalidInput(thing, "nonzero entries that stay normal floats when the largest is 1",
                               f"smallest {np.abs(W[W != 0]).min():g}, largest {largest:g}")
        object.__setattr__(self, "_exponent", exponent)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state["W"].flags.writeable = False  # pickle forgets it
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

        Raises
        ------
        InvalidInput
            A direction is zero, not finite, or of the wrong length.
        """
        r, s, shape = self._pairs(points)
        values = np.empty(len(r))
        block = max(1, _BLOCK // max(len(self.W), self.W.shape[1] ** 2))
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
        """u^T A u and u^T Q u over u.u at the top eigenvector u, with their errors.

        d_i = w_i.u errs by e_i = gamma(k) |w_i|.|u|, so the sum of d_i^2 over the open rows errs by
        the sum of 2 |d_i| e_i + e_i^2, and each square by u; the sums are exact (fsum). Underflow
        adds at most k 2^-1074 to e_i and 4 2^-1074 to a square and its error. Q errs by
        rounding.expectation_error and u^T Q u by 2 gamma(k) ||Q||_F more; u.u by gamma(k).
        """
        r, s, _ = self._pairs(point)
        k, tiny = self.W.shape[1], math.ulp(0.0)
        values, basis = np.linalg.eigh(self._difference(r, s)[0])
        u = basis[:, int(np.argmax(np.abs(values)))]
        on = self._rows[(self._open(r) & self._open(s))[0]]
        d, e = on @ u, rounding.gamma(k + 4) * (np.abs(on) @ np.abs(u)) + k * tiny
        uu, uu_error = float(u @ u), 4 * rounding.gamma(k + 4)
        gram = math.fsum(d * d) / uu
        gram_error = math.fsum(2 * np.abs(d) * e + e * e + 4 * tiny) / uu
        gram_error += (uu_error + 4 * rounding.UNIT) * gram
        expectation = float(u @ expected_gram(r, s)[0] @ u) / uu
        expectation_error = (rounding.expectation_error(k) + 2 * rounding.gamma(k + 4) * math.sqrt(k)
                             + uu_error)
        scale = 2 * self._exponent
        return Measured(math.ldexp(gram, scale), math.ldexp(gram_error * (1 + 1e-9), scale),
                        expectation, expectation_error * (1 + 1e-9))

    def parts(self, points: Points) -> dict[str, np.ndarray]:
        """The WDC is one inequality."""
        return {"wdc": self.deviation(points)}

    # -- search ----------------------------------------------------------------------------

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Extreme eigenvector of A - alpha Q; value 0 where a gate is within rounding."""
        r, s = unit(points["r"]), unit(points["s"])
        open_both, sure = gates.common_gates(self._rows, (points["r"], points["s"]))
        if self.W.shape[1] <= _DENSE:
            difference = _kernels.gram(self._rows, self._outer, open_both)
            difference -= self._alpha * expected_gram(r, s)
            u, value = extreme_of(*np.linalg.eigh(difference), sign)
        else:
            def product(x: np.ndarray) -> np.ndarray:
                gated = ((x @ self._rows.T) * open_both) @ self._rows
                return gated - self._alpha * expected_apply(r, s, x)
            first, steps = ((r - s) + 0.1 * r, 8) if near is None else (near.u, 3)
            u, value = extreme_pairs(product, first, steps, sign)
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(r), sign)
        return Frozen(u, u, signs, np.ldexp(signs * value * sure, 2 * self._exponent))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Profile:
        """sign u^T (A - alpha Q) u along the circle of one letter, the other held (Fact 11)."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points["s" if letter == "r" else "r"])
        along, across, held = (x @ self._rows.T for x in (base, tangent, other))
        coefficients = frozen.sign[:, None] * (held > 0) * (frozen.u @ self._rows.T) ** 2
        expected, kinks = expected_on_circle(base, tangent, other, frozen.u)
        weight = -frozen.sign[:, None] * self._alpha
        def smooth(cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            here, opposite = expected(cos, sin)
            return weight * here, weight * opposite

        return gates.scan(along, across, coefficients, smooth, kinks).scaled(2 * self._exponent)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Soft-gate gradient, a direction that slides along walls, toward the other letter."""
        (letter,) = block
        base, other = unit(points[letter]), unit(points["s" if letter == "r" else "r"])
        along, held = base @ self._rows.T, other @ self._rows.T
        coefficients = (held > 0) * (frozen.u @ self._rows.T) ** 2
        soft = gates.soft_gradient(self._rows, along, coefficients, rng)
        choice = rng.random((len(base), 1))
        mixed = np.where(choice < 0.5, soft, np.where(choice < 0.75, other, rng.standard_normal(base.shape)))
        return soft, gates.off_walls(self._rows, along, mixed, rng), other

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

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None) -> Points:
        """Pairs of mixed_pairs, some of them annealed."""
        return annealing.annealed_pairs(self._rows, self._alpha, rng, n, near)

    # -- theorems --------------------------------------------------------------------------

    def starts(self) -> Iterator[Start]:
        """Facts 5, 6 and 7, and for k = 1 all four pairs (Fact 8)."""
        yield from starts.theorem_pairs(self._rows)

    def caps(self) -> Iterator[Cap]:
        """Fact 9: epsilon <= max(||W||^2, alpha/2), and for k = 1 epsilon itself (Fact 8)."""
        if self.W.shape[1] == 1:
            yield Cap(starts.line_value(self.W, self.alpha), "Fact 8: k = 1, all four pairs", exact=True)
        else:
            square = math.ldexp(proved_norm(self._rows), 2 * self._exponent)
            yield Cap(max(square, self.alpha / 2), "Fact 9: max(||W||^2, alpha/2)")

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

    def gated(self) -> tuple[Gated]:
        """The lines with the weights of their two sides."""
        return (self._pair.data(),)

    # -- derived data ------------------------------------------------------------------------

    def with_alpha(self, alpha: float) -> WDC:
        """The same weights with another alpha."""
        return WDC(self.W, alpha, self.layer)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; layers of up to 65 536 entries carry their weights."""
        return {
            "kind": "WDC", "alpha": self.alpha, "layer": self.layer, "shape": list(self.W.shape),
            "sha256": self._sha256, "options": {},
            **({"weights": arrays.encode(self.W)} if self.W.size <= _EMBED else {}),
        }

    def _pairs(self, points: Points) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        k = self.W.shape[1]
        r, s = np.broadcast_arrays(*(arrays.direction(x, points[x], k) for x in ("r", "s")))
        return r.reshape(-1, k), s.reshape(-1, k), r.shape[:-1]

    def _open(self, x: np.ndarray) -> np.ndarray:
        return rounding.open_gates(self._rows, x)

    def _difference(self, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        grams = _kernels.gram(self._rows, self._outer, self._open(r) & self._open(s))
        return grams - self._alpha * expected_gram(r, s)

    @cached_property
    def _sha256(self) -> str:
        return arrays.hash_arrays([self.W])

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.ldexp(self.W, -self._exponent)

    @cached_property
    def _alpha(self) -> float:
        return math.ldexp(self.alpha, -2 * self._exponent)

    @cached_property
    def _outer(self) -> np.ndarray | None:
        n, k = self.W.shape
        return _kernels.outer_products(self._rows) if n * k * k <= 2 * _BLOCK else None

    @cached_property
    def _pair(self) -> GatedPair:
        return GatedPair(self._rows, self._alpha, math.ldexp(1.0, 2 * self._exponent))
