"""The proof for all cones at once: u^T A^T A u against t ||u||^2, by copositivity (Facts 25 and 27)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wdccheck.conditions.one_sided.search import Search
from wdccheck.errors import OutOfTime
from wdccheck.linalg import rounding
from wdccheck.linalg.measurements import Measurements
from wdccheck.protocol.proof import Answer, Bounded, Map, Refinement
from wdccheck.ranges import differences
from wdccheck.ranges.copositive import Proved, Refuted, codes_of, prove
from wdccheck.ranges.image_rays import ImageRays
from wdccheck.stops import CONES_EXHAUSTED
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Proof"]

_LATENT = 3
_NIL = 2.0**-60  # of A of about 1: a ratio that is as good as 0


@dataclass(frozen=True, eq=False)
class Proof:
    """The range of a network seen through A^T A, A scaled; its differences are of live outputs alone.

    Parameters
    ----------
    layers : tuple of ndarray
    k : int
    A : ndarray of shape (m, n)
    search : Search
        Of the whole condition: it climbs from differences that refute.
    """

    layers: tuple[np.ndarray, ...]
    k: int
    A: np.ndarray
    search: Search

    limit = CONES_EXHAUSTED

    @staticmethod
    def of(A: Measurements, search: Search, net: ReLUNetwork) -> Proof | None:
        """The proof for A and a network; None beyond latent dimension 3, or of too many entries."""
        if net.dims[0] > _LATENT:
            return None
        layers, chosen = differences.living(differences.rescaled(net.layers), net.dims[0])
        columns = A.columns(chosen) if chosen.any() else None
        return None if columns is None else Proof(layers, net.dims[0], columns, search)

    def whole(self, deadline: float = math.inf) -> Gram | None:
        """All differences; None where there are too many cones. OutOfTime at the deadline."""
        if "_whole" not in vars(self):
            vars(self)["_whole"] = Gram.of(self.layers, self.k, self.A, self.search, deadline)
        kept: Gram | None = vars(self)["_whole"]
        return kept

    def groups(self, deadline: float = math.inf) -> Bounded | None:
        """None: what all cones at once do not prove, groups of them do not. OutOfTime at the deadline."""
        if time.monotonic() > deadline:
            raise OutOfTime("the cones were not all found in time")
        return None

    def forms(self, regions: object) -> Refinement:
        """There are no regions."""
        return iter(())


@dataclass(frozen=True, eq=False)
class Gram:
    """What is known after some thresholds.

    Attributes
    ----------
    images : ImageRays
    form : ndarray of shape (n, n)
        A^T A, computed, or its negative.
    pad : float
        The norm of what it errs by, at most.
    energy : float
        ||A||_F^2, computed.
    search : Search
    stuck : float
        The largest t that was not proved.
    """

    images: ImageRays
    form: np.ndarray
    pad: float
    energy: float
    search: Search
    stuck: float = 0.0

    keeps = 0.5
    groups_first = 0
    finer = False

    @staticmethod
    def of(
        layers: Sequence[np.ndarray], k: int, A: np.ndarray, search: Search, deadline: float = math.inf
    ) -> Gram | None:
        """None where there are too many cones or outputs. OutOfTime at the deadline.

        A^T A errs by ``rounding.gram_error`` of ||A||_F^2, the mean of two entries by a rounding of each.
        """
        images = ImageRays.within_reach(layers, k, deadline)
        if images is None:
            return None
        gram = A.T @ A
        gram = (gram + gram.T) / 2
        energy = float(np.sum(A * A))
        pad = energy * (rounding.gram_error(*A.shape) + 4 * rounding.UNIT) * (1 + 1e-6)
        return Gram(images, gram if search.side.upper else -gram, pad, energy, search)

    @property
    def least(self) -> float:
        """What is known not to be proved, and what no ratio can be below: the pad, or 1 over ||A||_F^2."""
        ratio = self.pad + _NIL if self.search.side.upper else 1 / (2 * self.energy + 1)
        return max(self.stuck, self.search.side.unscaled(ratio))

    @property
    def margin(self) -> float:
        """None: whatever is true may be proved."""
        return 0.0

    @property
    def floor(self) -> float:
        """The same: the form does not change."""
        return self.least

    def ask(self, t: float, map: Map, nodes: float = math.inf, deadline: float = math.inf) -> Answer:
        """Prove u^T A^T A u <= t ||u||^2, or u^T A^T A u >= ||u||^2 / t (Fact 27)."""
        found = prove(self.images, self.form, self.bound(t), deadline, map, nodes=nodes)
        if isinstance(found, Proved):
            return Answer(self, found.nodes, t)
        after = replace(self, stuck=max(self.stuck, t))
        if not isinstance(found, Refuted):
            return Answer(after, found.nodes)
        x1, x2 = codes_of(self.images, found)
        return Answer(after, found.nodes, points=self.search.climbed({"x1": x1, "x2": x2}))

    def bound(self, t: float) -> float:
        """What u^T H u / ||u||^2 has to stay below, H = +-A^T A as it was computed."""
        scaled = self.search.side.scaled(t)
        ratio = -scaled if self.search.side.upper else 1 / scaled
        return -rounding.round_up(ratio + self.pad, 6)  # it may be negative

    def remark(self, lower: float) -> str:
        """Nothing else keeps a bound up."""
        return ""
