"""The proof of an upper bound of the RRIC: one majorant H of +-D for all differences, then groups of cones.

Groups (Fact 13) come with H on one pair of them first, then with D between two pairs.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from wdccheck.conditions.rric.one_difference import OneDifference
from wdccheck.linalg import rounding
from wdccheck.linalg.measurements import Measurements
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import Refinement
from wdccheck.ranges import differences
from wdccheck.ranges.cone_groups import Groups
from wdccheck.ranges.cone_pairs import LATENT, WAYS, ConePairs, kept, pencil
from wdccheck.ranges.cone_rows import joined_cones
from wdccheck.ranges.majorants import AbsoluteValue, Proved
from wdccheck.ranges.spans import Span
from wdccheck.stops import CONES_EXHAUSTED
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Proof"]

_SHARE = 0.25  # of the time left goes to the choice of a majorant, at most


@dataclass(frozen=True, eq=False)
class Majorized(Groups):
    """Groups of cones with the one majorant of their search: u and v may lie in different regions."""

    majorant: Proved

    def remark(self, lower: float) -> str:
        """Where the majorant is what keeps the bound up."""
        return self.majorant.remark(lower)


@dataclass(frozen=True, eq=False)
class Proof:
    """The range of a network seen through D = A^T A - I.

    A region is a pair of groups, or two of them. If ``u^T H u <= t ||u||^2`` for all differences u
    of a pair, and of another, then |u^T D v| <= t ||u|| ||v|| between the two (Cauchy-Schwarz). A pair of
    single cones where this fails is held against all pairs.

    Parameters
    ----------
    layers : tuple of ndarray
    k : int
    A : ndarray of shape (m, n)
    """

    layers: tuple[np.ndarray, ...]
    k: int
    A: np.ndarray

    limit = CONES_EXHAUSTED

    @staticmethod
    def of(A: Measurements, net: ReLUNetwork) -> Proof | None:
        """The proof for A and a network; None beyond latent dimension 3, or of an operator."""
        if net.dims[0] > LATENT:
            return None
        layers, chosen = differences.living(differences.rescaled(net.layers), net.dims[0])
        columns = A.columns(chosen) if chosen.any() else None
        return None if columns is None else Proof(layers, net.dims[0], columns)

    @property
    def width(self) -> int:
        """Numbers that one region takes in the largest temporary array."""
        return 2 * ConePairs.width(self.layers)

    @cached_property
    def _pairs(self) -> ConePairs | None:
        return ConePairs.of(self.layers, self.k)

    def groups(self, deadline: float = math.inf) -> Majorized | None:
        """One region: all pairs. OutOfTime at the deadline."""
        pairs = kept(self, "_pairs", partial(ConePairs.of, self.layers, self.k), deadline)
        if pairs is None:
            return None
        tree, weights = pairs.tree, pairs.weights()
        return Majorized((tree,) * 4, (weights,) * 4, 0, {"x1": 0, "x2": 1, "x3": 2, "x4": 3},
                         np.array([[0, 0, -1, -1]]), np.array([np.inf]),
                         np.zeros(1, dtype=int), self._majorant(deadline))

    @cached_property
    def _absolute(self) -> AbsoluteValue:
        return AbsoluteValue.of(self.A)

    def whole(self, deadline: float = math.inf) -> OneDifference | None:
        """All differences with one majorant; None where there are too many cones. OutOfTime at the deadline.

        It is kept only if there was time for all of it.
        """
        if "_whole" not in vars(self):
            now = time.monotonic()
            soon = now + _SHARE * (deadline - now)
            found = OneDifference.of(self.layers, self.k, self.A, deadline, soon)
            if time.monotonic() >= soon:
                return found
            vars(self)["_whole"] = found
        kept: OneDifference | None = vars(self)["_whole"]
        return kept

    def _majorant(self, deadline: float) -> Proved:
        """The one chosen where the cones are few, else |D|.

        It goes into the regions, so that one search, in whatever processes, has one majorant (Fact 21).
        """
        whole = self.whole(deadline)
        return self._absolute if whole is None or not whole.finer else whole.majorant

    def forms(self, regions: Majorized) -> Refinement:
        """Pencils of the regions whose spans are small."""
        paired = regions.nodes[:, 2] < 0
        yield from self._alone_or_not(regions, np.flatnonzero(paired))
        yield from self._quadruples(regions, np.flatnonzero(~paired))

    def _alone_or_not(self, regions: Majorized, which: np.ndarray) -> Refinement:
        """u^T H u <= t ||u||^2; for |D| also ||D u|| <= t ||u||, which bounds |u^T D v| whatever v is."""
        for span in (span for way in WAYS for span in self._spans(regions, which, 0, way)):
            yield span.owners, (self._majorized(span, regions.majorant),)
            if isinstance(regions.majorant, AbsoluteValue):
                yield span.owners, (self._image(span),)

    def _quadruples(self, regions: Groups, which: np.ndarray) -> Refinement:
        """D between two pairs, the first one of single cones."""
        _, first, pair = np.unique(regions.nodes[which, :2], axis=0, return_index=True, return_inverse=True)
        place = np.zeros(len(regions), dtype=int)
        place[which] = pair.ravel()
        for way in WAYS:
            for left in self._spans(regions, which[first], 0, way):
                number = np.full(len(first), -1)
                number[place[left.owners]] = np.arange(len(left.owners))
                mine = which[number[place[which]] >= 0]
                for right in self._spans(regions, mine, 2, way):
                    yield right.owners, self._between(left.take(number[place[right.owners]]), right)

    def _spans(self, regions: Groups, which: np.ndarray, slot: int, way: str) -> list[Span]:
        """Spans of one pair of the regions `which`."""
        assert self._pairs is not None
        found = self._pairs.spans(regions.nodes[which, slot: slot + 2], way)
        return [replace(span, owners=which[span.owners]) for span in found]

    def _image(self, span: Span) -> RangeForm:
        """sup ||D u||^2 / ||u||^2, D u = A^T (A u) - u."""
        product = self.A.T @ (self.A @ span.columns) - span.columns
        # ||D||_2 <= max(||A||_2^2, 1) <= norm (||D||_F may be larger). Two products and a difference err by
        # gamma(m + n + 2) (||A||_F^2 + 1), a quarter of what is counted. 1.01: a sum of up to 2^46 squares
        norm = 1 + float(np.sum(self.A * self.A)) * 1.01
        plain = pencil(span, span.columns, *_ones(span))
        length, wrong = span.lengths()
        moved = norm * (rounding.gamma(4 * sum(self.A.shape) + 64) * length + wrong)
        whole = norm * length + moved
        pad = moved * (2 * whole + moved) + rounding.gamma(2 * len(self.A.T) + 16) * whole**2
        return replace(plain, form=product.swapaxes(1, 2) @ product, form_pad=pad, power=2)

    def _majorized(self, span: Span, majorant: Proved) -> RangeForm:
        """sup u^T H u / u^T u."""
        product, size, loss = majorant.image(span.columns)
        ones, zeros = _ones(span)
        return pencil(span, product, size * ones, loss + zeros)

    def _between(self, left: Span, right: Span) -> tuple[RangeForm, RangeForm]:
        """+- u^T D v / (||u|| ||v||) over two ranges, as that of +- 2 u^T D v / (||u||^2 + ||v||^2)."""
        p = left.columns.shape[2]
        one, two = pencil(left, left.columns, *_ones(left)), pencil(right, right.columns, *_ones(right))
        seen = [self.A @ s.columns for s in (left, right)]
        cross = seen[0].swapaxes(1, 2) @ seen[1] - left.columns.swapaxes(1, 2) @ right.columns
        gram, form = np.zeros((2, len(cross), p + cross.shape[2], p + cross.shape[2]))
        gram[:, :p, :p], gram[:, p:, p:] = one.gram, two.gram
        form[:, :p, p:], form[:, p:, :p] = cross, cross.swapaxes(1, 2)
        norm = 1 + float(np.sum(self.A * self.A)) * 1.01
        (long, wrong), (length, error) = left.lengths(), right.lengths()
        pad = norm * (rounding.gamma(4 * sum(self.A.shape) + 64) * long * length + wrong * length
                      + long * error + wrong * error)
        found = RangeForm(gram, form, np.maximum(one.gram_pad, two.gram_pad), pad,
                          cone=joined_cones(left.cone, right.cone),
                          cone_error=joined_cones(left.cone_error, right.cone_error))
        return found, replace(found, form=-form)


def _ones(span: Span) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(len(span.owners)), np.zeros(len(span.owners))
