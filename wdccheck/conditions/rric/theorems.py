"""What is known of the RRIC without searching: points and caps that theorems give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.conditions import secant_pairs
from wdccheck.conditions.two_rays import Plane, Rays
from wdccheck.linalg import powers, rounding
from wdccheck.linalg.measurements import Measurements
from wdccheck.linalg.norms import norm_in_time, proved_smallest
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Theorems"]


@dataclass(frozen=True, eq=False)
class Theorems:
    """Facts 12 and 14."""

    A: Measurements
    net: ReLUNetwork

    def starts(self) -> Iterator[Start]:
        """Images of the axes, u = v; for k = 1 the maximizer."""
        if self._plane is not None:
            yield Start(self._plane.point(), "Fact 14: k = 1, two rays")
        for point in secant_pairs.simple_pairs(self.net.dims[0]):
            yield Start(point, "images of the latent axes")

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
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
        exponent = math.frexp(powers.largest(columns))[1]
        scaled = powers.times(columns, -exponent)
        square, how, late = norm_in_time(scaled, deadline)
        least = 0.0 if late else proved_smallest(scaled)
        over, under = math.ldexp(square, 2 * exponent) - 1, 1 - math.ldexp(least, 2 * exponent)
        # powers of two are exact; the difference is rounded once, by half a step
        yield Cap(rounding.round_up(max(over, under, 0.0), 2),
                  f"Fact 12: the norm of A^T A - I on the {int(chosen.sum())} outputs not provably dead"
                  f"{how.replace('W', 'A')}", left_out=late.replace("W", "A"))

    @cached_property
    def _plane(self) -> Plane | None:
        """The problem in the plane, for k = 1 and where it is affordable."""
        A = self.A.columns(np.ones(self.A.shape[1], dtype=bool)) if self.net.dims[0] == 1 else None
        rays = None if A is None else Rays.of(self.net.layers, A)
        return None if rays is None or A is None else rays.measured(A)
