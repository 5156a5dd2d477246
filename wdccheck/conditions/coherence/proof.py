"""The proof of an upper bound of the coherence: all cones at once, else pairs of groups of them (Fact 23)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from wdccheck.conditions.coherence.rows import Rows
from wdccheck.linalg import rounding
from wdccheck.linalg.isometries import Isometry
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import Refinement
from wdccheck.ranges import differences
from wdccheck.ranges.cone_groups import Groups
from wdccheck.ranges.cone_pairs import LATENT, WAYS, ConePairs, kept, pencil
from wdccheck.ranges.spans import Span
from wdccheck.stops import CONES_EXHAUSTED
from wdccheck.weights.network import ReLUNetwork

__all__ = ["Proof"]

_ENTRIES = 2**20  # of an array of the forms of one item
_COLUMNS = 12  # of a span: those of larger groups bound little, and every row costs a factorization


@dataclass(frozen=True, eq=False)
class Proof:
    """The range of a network seen through the rows of U.

    A region is a pair of groups. Its forms come once for every row: entry (b, j) stands for the
    differences of which row j sees the most.

    Parameters
    ----------
    layers : tuple of ndarray
    k : int
    parts : ndarray of shape (c, m, n)
        Those of :class:`~wdccheck.linalg.isometries.Isometry`.
    bounds : ndarray of shape (m,)
        What each row sees at most.
    """

    layers: tuple[np.ndarray, ...]
    k: int
    parts: np.ndarray
    bounds: np.ndarray

    limit = CONES_EXHAUSTED

    @staticmethod
    def of(U: Isometry, net: ReLUNetwork) -> Proof | None:
        """The proof for U and a network; None beyond latent dimension 3."""
        if net.dims[0] > LATENT:
            return None
        layers, chosen = differences.living(differences.rescaled(net.layers), net.dims[0])
        if not chosen.any():
            return None
        return Proof(layers, net.dims[0], np.ascontiguousarray(U.parts[:, :, chosen]), U.norms_on(chosen))

    @property
    def width(self) -> int:
        """Numbers that one region takes in the largest temporary array."""
        return ConePairs.width(self.layers)

    @cached_property
    def _pairs(self) -> ConePairs | None:
        return ConePairs.of(self.layers, self.k)

    def whole(self, deadline: float = math.inf) -> Rows | None:
        """All differences at once; None where there are too many cones. OutOfTime at the deadline."""
        return kept(self, "_whole", partial(Rows.of, self.layers, self.k, self.parts, self.bounds), deadline)

    def groups(self, deadline: float = math.inf) -> Groups | None:
        """One region: all pairs. OutOfTime at the deadline."""
        pairs = kept(self, "_pairs", partial(ConePairs.of, self.layers, self.k), deadline)
        if pairs is None:
            return None
        tree, weights = pairs.tree, pairs.weights()
        return Groups((tree,) * 2, (weights,) * 2, 0, {"x1": 0, "x2": 1}, np.zeros((1, 2), dtype=int),
                      np.array([np.inf]), np.zeros(1, dtype=int))

    def forms(self, regions: Groups) -> Refinement:
        """Pencils of the regions whose spans are small."""
        assert self._pairs is not None
        rows = self.parts.shape[1]
        for way in WAYS:
            for span in self._pairs.spans(regions.nodes, way, _COLUMNS):
                _, facets, p = span.cone.shape
                step = max(1, _ENTRIES // (rows * p * max(p, facets)))
                for start in range(0, len(span.owners), step):
                    part = span.take(np.arange(start, min(start + step, len(span.owners))))
                    yield np.repeat(part.owners, rows), (self._seen(part),)

    def _seen(self, span: Span) -> RangeForm:
        """sup sum_c (a_c.u)^2 / ||u||^2 for each row, over the columns M of each span: entry (b, j).

        s = M^T a errs by gamma(n) ||M|| |a|, so s s^T, with its own rounding, by gamma(2n + 8) ||M||^2 |a|^2;
        three times that is to spare. What M errs by counts as in :func:`pencil`. Columns have lengths of
        about 1, so that the pad of rows as short as 2^-450 is more than all that underflows.
        """
        n, p = span.columns.shape[1:]
        rows = self.parts.shape[1]
        plain = pencil(span, span.columns, np.ones(len(span.owners)), np.zeros(len(span.owners)))
        seen = self.parts[:, None] @ span.columns  # (c, b, m, p)
        form = np.einsum("cbmp,cbmq->bmpq", seen, seen).reshape(-1, p, p)
        size = np.sum(self.parts * self.parts, axis=(0, 2)) * (1 + 1e-9) + 2.0**-900
        length, wrong = span.lengths()
        moved = wrong * (2 * length + wrong) + rounding.gamma(8 * n + 64) * length**2
        each = np.repeat(np.arange(len(span.owners)), rows)
        return RangeForm(plain.gram[each], form, plain.gram_pad[each], np.outer(moved, size).ravel(),
                         power=2, cone=span.cone[each], cone_error=span.cone_error[each])
