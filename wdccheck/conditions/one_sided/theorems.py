"""What is known of a one-sided isometry constant without searching."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from wdccheck.conditions.one_sided.side import Side
from wdccheck.conditions.secants import simple_codes
from wdccheck.linalg.measurements import Measurements
from wdccheck.linalg.norms import norm_in_time, proved_smallest, squared_frobenius
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Theorems"]


@dataclass(frozen=True, eq=False)
class Theorems:
    """Fact 27, with the extreme singular values of A; A scaled."""

    A: Measurements
    side: Side
    net: ReLUNetwork

    def starts(self) -> Iterator[Start]:
        """Images of the axes."""
        for x1, x2 in simple_codes(self.net.dims[0]):
            yield Start({"x1": x1, "x2": x2}, "images of the latent axes")

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
        """The largest, or the least, singular value of A on the outputs that are not provably dead."""
        chosen = differences.live(self.net.layers, self.net.dims[0])
        if not chosen.any():
            yield Cap(0.0, "every output is dead: there are no range differences", empty=True)
            return
        columns = self.A.columns(chosen)
        on = f"on the {int(chosen.sum())} outputs not provably dead"
        if not self.side.upper:
            least = 0.0 if columns is None else proved_smallest(columns)
            reason = f"Fact 27: the least singular value of A {on}" if least > 0 else (
                "Fact 27: 2^40, relative to A: what is smaller counts as the reciprocal of that")
            yield Cap(self.side.upward(least), reason)
        elif columns is None:
            yield Cap(self.side.upward(squared_frobenius(self.A.source)), "Fact 27: ||A||_F")
        else:
            square, how, late = norm_in_time(columns, deadline)
            yield Cap(self.side.upward(square), f"Fact 27: the norm of A {on}{how.replace('W', 'A')}",
                      left_out=late.replace("W", "A"))
