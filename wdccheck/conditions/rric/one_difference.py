"""The RRIC through one majorant H of +-D: u^T H u <= t ||u||^2 for all u of the range (Facts 25 and 26)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wdccheck.linalg import rounding
from wdccheck.protocol.proof import Answer, Map
from wdccheck.ranges.chosen_majorants import Choice, choose
from wdccheck.ranges.copositive import Proved, Refuted, codes_of, prove
from wdccheck.ranges.image_rays import ImageRays
from wdccheck.ranges.majorants import Majorant, forms

__all__ = ["OneDifference"]

_FEW = 512  # cones up to which their pairs are within reach, one by one, for u and v in different ones
_CUTS = 64  # differences on which H is largest, where t is below what they allow
_FIRST = 2.0**-5  # above what can be proved at best
_EFFORT = 5  # rounds of the choice after a refutation: another proof takes longer


@dataclass(frozen=True, eq=False)
class OneDifference:
    """What is known of one majorant after some thresholds.

    Attributes
    ----------
    images : ImageRays
    A : ndarray of shape (m, n)
    choice : Choice
    majorant : Majorant
    stuck : float
        The largest t that was neither proved nor refuted.
    """

    images: ImageRays
    A: np.ndarray
    choice: Choice
    majorant: Majorant
    stuck: float = 0.0

    @staticmethod
    def of(
        layers: Sequence[np.ndarray], k: int, A: np.ndarray, deadline: float = math.inf,
        soon: float = math.inf,
    ) -> OneDifference | None:
        """With a majorant that was chosen until `soon`; None where there are too many cones or outputs."""
        images = ImageRays.within_reach(layers, k, deadline)
        if images is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # what is beyond floats proves nothing
            choice = choose(layers, A, images.fan.centers, soon)
            majorant = None if choice is None else choice.majorant(A)
        if choice is None or majorant is None:
            return None
        return OneDifference(images, A, choice, majorant)

    keeps = 0.5
    groups_first = 0

    @cached_property
    def least(self) -> float:
        """The largest u^T H u of all differences met, with the pad."""
        return max(float(self._met.max(initial=0.0)) + self.majorant.pad, self.stuck)

    @property
    def floor(self) -> float:
        """What no majorant gets below."""
        return max(self.majorant.dual, self.stuck)

    @property
    def margin(self) -> float:
        """None where whatever is true may be proved."""
        return _FIRST if self.floor < self.least else 0.0

    @property
    def finer(self) -> bool:
        """Whether there are so few cones that two differences may be looked into."""
        return len(self.images.fan.gates[0]) <= _FEW

    def ask(self, t: float, map: Map, nodes: float = math.inf, deadline: float = math.inf) -> Answer:
        """Prove u^T H u <= (t - pad) ||u||^2; where that is refuted, H is chosen again."""
        if self.least > t:  # hence t >= pad below, where round_down stays exact: it gives no negative number
            largest = np.argsort(-self._met, kind="stable")[:_CUTS]
            return Answer(self._after(self.choice.seen[largest], deadline), 0)
        found = prove(self.images, self.majorant.matrix, rounding.round_down(t - self.majorant.pad, 2),
                      deadline, map, nodes=nodes)
        if isinstance(found, Proved):
            return Answer(self, found.nodes, t)
        if not isinstance(found, Refuted):
            return Answer(replace(self, stuck=t), found.nodes)
        x1, x2 = codes_of(self.images, found)
        points = {"x1": x1, "x2": x2, "x3": x1, "x4": x2}
        return Answer(self._after(found.u, deadline), found.nodes, points=points)

    @cached_property
    def _met(self) -> np.ndarray:
        return forms(self.majorant.matrix, self.choice.seen)

    def _after(self, cuts: np.ndarray, deadline: float) -> OneDifference:
        """With a majorant that is small on these differences, too."""
        choice = self.choice.improved(cuts, deadline, _EFFORT)
        return replace(self, choice=choice, majorant=choice.majorant(self.A) or self.majorant)

    def remark(self, lower: float) -> str:
        """Where the majorant is what keeps the bound up."""
        return self.majorant.remark(lower)
