"""What is known of the R2WDC without searching: points and caps that theorems give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.conditions import secant_pairs
from wdccheck.conditions.r2wdc.gated_range import GatedRange
from wdccheck.conditions.two_rays import Plane, Rays
from wdccheck.linalg.norms import norm_in_time
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences

__all__ = ["Theorems"]


@dataclass(frozen=True, eq=False)
class Theorems:
    """Facts 12 and 14.

    Parameters
    ----------
    gated : GatedRange
    k : int
        The latent dimension.
    exponent : int
        Deviations are ``2**exponent`` times those in the units of `gated`.
    W : ndarray of shape (n, m)
        The gated layer, and `alpha`, as the caller has them.
    alpha : float
    """

    gated: GatedRange
    k: int
    exponent: int
    W: np.ndarray
    alpha: float

    def starts(self) -> Iterator[Start]:
        """Images of the axes, x = y, u = v; for k = 1 the maximizers."""
        for plane in self._planes:
            if plane.S.any():  # else there are no range differences
                yield Start(plane.point(), "Fact 14: k = 1, two rays")
        for point in secant_pairs.simple_pairs(self.k):
            for x in (point["x1"], -point["x1"]):
                yield Start({"x": x, "y": x, **point}, "images of the latent axes")

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
        """Fact 12: max(||W_i P||^2, alpha/2), P on the inputs that are not provably dead."""
        if not self.live.any():
            yield Cap(0.0, "every input of the layer is dead: there are no range differences", empty=True)
            return
        caps = [plane.cap() for plane in self._planes]
        if caps:
            yield max(caps, key=lambda cap: cap.value)
        rows = self.gated.rows if self.live.all() else np.compress(self.live, self.gated.rows, axis=1)
        square, how, late = norm_in_time(rows, deadline)
        tiny = float(np.finfo(float).tiny)  # what rounds below the smallest normal float is at most that
        yield Cap(max(math.ldexp(square, self.exponent), self.alpha / 2, tiny), "Fact 12: max(||W_i P||^2, "
                  f"alpha/2), P on the {int(self.live.sum())} inputs not provably dead{how}", left_out=late)

    @cached_property
    def live(self) -> np.ndarray:
        """The inputs of the layer that are not provably dead, a mask (m,)."""
        return differences.live(self.gated.layers, self.k)

    @cached_property
    def _planes(self) -> tuple[Plane, ...]:
        """For k = 1, where they are affordable, one for each pair of images."""
        rays = Rays.of(self.gated.layers, self.W) if self.k == 1 else None
        return () if rays is None else tuple(rays.gated(self.W, self.alpha))
