"""What is known of the coherence without searching: points and caps that theorems give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.conditions.secants import simple_codes
from wdccheck.conditions.two_rays import Plane, Rays
from wdccheck.linalg import rounding
from wdccheck.linalg.isometries import Isometry
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Theorems"]


@dataclass(frozen=True, eq=False)
class Theorems:
    """Facts 14 and 23."""

    U: Isometry
    net: ReLUNetwork

    def starts(self) -> Iterator[Start]:
        """For k = 1 the maximizer; images of the axes."""
        if self._plane is not None:
            for plus, minus in self._plane.maximizer():
                yield Start({"x1": np.array([plus]), "x2": np.array([-minus])}, "Fact 23: k = 1, two rays")
        for x1, x2 in simple_codes(self.net.dims[0]):
            yield Start({"x1": x1, "x2": x2}, "images of the latent axes")

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
        """Fact 23: the largest norm of a row of U, as a form of the outputs that are not provably dead."""
        chosen = differences.live(self.net.layers, self.net.dims[0])
        if not chosen.any():
            yield Cap(0.0, "every output is dead: there are no range differences", empty=True)
            return
        if self._plane is not None:
            if not self._plane.S.any():
                yield self._plane.cap()
                return
            yield Cap(rounding.round_up(math.sqrt(self._plane.supremum())), "Fact 23: k = 1, two rays",
                      exact=True)
        yield Cap(float(self.U.norms_on(chosen).max()), "Fact 23: the largest row of U on the "
                  f"{int(chosen.sum())} outputs not provably dead")

    @cached_property
    def _plane(self) -> Plane | None:
        """The row of U with the largest supremum, for k = 1 and where it is affordable.

        With T = F^T (a a^T + b b^T) F >= 0 the supremum over pairs is that over c = d, by Cauchy-Schwarz.
        """
        rays = Rays.of(self.net.layers, *self.U.parts) if self.net.dims[0] == 1 else None
        if rays is None:
            return None
        best, least = None, 0.0
        for plane in rays.seen(self.U.parts):
            if best is None or not plane.below(least):
                best, least = plane, plane.supremum()
        return best
