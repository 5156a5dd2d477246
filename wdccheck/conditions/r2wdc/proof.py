"""The proof of an upper bound of the R2WDC over groups of cones (Fact 13).

Gates of x and y are decided on a group, differences lie in a span.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck.conditions.r2wdc.gated_range import GatedRange
from wdccheck.conditions.r2wdc.library import Library
from wdccheck.geometry.expectation import angle, expected_gram, expected_turn, unit
from wdccheck.linalg import rounding
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import Refinement
from wdccheck.ranges.chunks import chunk_of
from wdccheck.ranges.cone_groups import Groups, Tree
from wdccheck.ranges.cone_pairs import LATENT, WAYS, ConePairs, kept, one_per_pattern, pencil
from wdccheck.ranges.cones import Pieces, linear_maps
from wdccheck.stops import CONES_EXHAUSTED

__all__ = ["Proof"]

_CELLS = {1: 1.0, 2: 0.03125, 3: 0.125}  # half an edge of the boxes that bound the images of a cone
_LARGEST = 1024  # inputs of the layer
_NEAR = 1e-9
"""Exceeds the rounding of an angle and of its sum with a radius (`cone_groups._NEAR`), of an arcsine
(9 u), and what a stored unit direction is off (1.1 u). As a factor, 1 + 1e-9 exceeds that of sums over k,
of two norms of n entries and of their quotient: (n + 14) u. All for n < 10^6."""


@dataclass(frozen=True, eq=False)
class Proof:
    """W_{+,r}^T W_{+,s} - alpha Q_{r,s} on groups of cones of x and y, and of x1 and x2.

    On a group the deviation matrix lies between low = A_sure - alpha Q_c - slack and high = A_maybe -
    alpha Q_c + slack (Fact 10, the images in a cap about c). Any H with H >= high and H >= -low gives
    |u^T D v| <= sqrt(u^T H u v^T H v): the pairs (x1, x2) suffice. H = |(low + high)/2| + (high - low)/2.
    u and v may be of different pairs: both must be held against the same H, so that one partition of
    (x, y) serves all pairs, and a finer one is a proof of its own.

    Parameters
    ----------
    layers : tuple of ndarray
        Those before the gated one, at least one.
    rows : ndarray of shape (m, n)
    alpha, scale : float
        The deviation is `scale` times that of rows and alpha.
    k : int
    """

    layers: tuple[np.ndarray, ...]
    rows: np.ndarray
    alpha: float
    scale: float
    k: int

    limit = CONES_EXHAUSTED

    @staticmethod
    def of(gated: GatedRange, k: int, exponent: int) -> Proof | None:
        """The proof for a layer behind a network; None behind none, beyond latent dimension 3, and for more
        inputs than majorants pay for: one takes seconds, and several n x n matrices.
        """
        if not gated.layers or k > LATENT or gated.rows.shape[1] > _LARGEST:
            return None
        return Proof(gated.layers, gated.rows, gated.alpha, math.ldexp(1.0, exponent), k)

    @property
    def width(self) -> int:
        """Numbers that one region takes in the largest temporary array."""
        return max(self.rows.shape[1] ** 2, ConePairs.width(self.layers))

    @cached_property
    def _trees(self) -> tuple[Tree, ConePairs, np.ndarray, np.ndarray] | None:
        return self._found(math.inf)

    def _found(self, deadline: float) -> tuple[Tree, ConePairs, np.ndarray, np.ndarray] | None:
        """Trees of the codes x and of the pairs; centers and radii of the images of the groups of x."""
        pairs = ConePairs.of(self.layers, self.k, deadline)
        if pairs is None:
            return None
        found = one_per_pattern((*self.layers, self.rows), self.k, _CELLS[self.k], deadline)
        if found is None:
            return None
        cover, owner = found
        alive = np.asarray(cover.gates[len(self.layers) - 1].any(axis=1))
        if not alive.any():
            return None
        cover, owner = cover.take(alive), np.unique(owner[alive], return_inverse=True)[1]
        center, radius = _all_images(self.layers, cover, self.k)
        middle, reach = _caps(center, radius, owner)
        _, first = np.unique(owner, return_index=True)
        chosen = cover.take(first)
        tree = Tree.of(chosen.center, (*self.layers, self.rows), chosen.gates)
        return tree, pairs, *tree.balls(middle, reach)

    def groups(self, deadline: float = math.inf) -> Groups | None:
        """One region: all codes and all pairs. OutOfTime at the deadline."""
        found = kept(self, "_trees", self._found, deadline)
        if found is None:
            return None
        codes, pairs, _, radius = found
        loose = np.sum(codes.maybe[-1] & ~codes.opened[-1], axis=1) / len(self.rows)
        size, weights = loose + self.alpha * radius / np.pi, pairs.weights()
        return Groups((codes, codes, pairs.tree, pairs.tree), (size, size, weights, weights), 2,
                      {"x": 0, "y": 1, "x1": 2, "x2": 3, "x3": 2, "x4": 3}, np.zeros((1, 4), dtype=int),
                      np.array([np.inf]), np.zeros(1, dtype=int))

    def whole(self, deadline: float = math.inf) -> Library | None:
        """All pairs of directions with a library of majorants; None where there are too many cones."""
        if "_whole" not in vars(self):
            found = Library.of(self.layers, self.rows, self.alpha, self.scale, self.k, deadline)
            vars(self)["_whole"] = found
        kept: Library | None = vars(self)["_whole"]
        return kept

    def forms(self, regions: Groups) -> Refinement:
        """Pencils of H on the spans; on all of R^n where the spans are large."""
        assert self._trees is not None
        codes, owner = np.unique(regions.nodes[:, :2], axis=0, return_inverse=True)
        owner, n = owner.ravel(), self.rows.shape[1]
        majorant, size, pad = self._majorants(codes)
        pairs, nodes = self._trees[1], regions.nodes[:, 2:]
        large = np.ones(len(regions), dtype=bool)
        for span in (span for way in WAYS for span in pairs.spans(nodes, way)):
            large[span.owners] = False
            at = owner[span.owners]
            # gamma(n) of both norms is what majorant @ columns errs by; the other half is for `pencil`
            loss = pad[at] + rounding.gamma(2 * n + 16) * size[at]
            yield span.owners, (pencil(span, majorant[at] @ span.columns, size[at], loss, self.scale),)
        rest = np.flatnonzero(large)
        whole = RangeForm(np.broadcast_to(np.eye(n), majorant.shape), majorant, 0 * pad, pad, self.scale)
        yield rest, (whole.take(owner[rest]),)

    def _majorants(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """H (C, n, n) for pairs of groups, (C, 2), a bound on its Frobenius norm, and on its error.

        V |L| V^T +- V L V^T >= 0 whatever V is, so that with R = V L V^T - (low + high)/2 the matrix
        V |L| V^T + |R| is a majorant: R, computed, goes into the error.

        The products V L V^T err by gamma(n + 1) top ||V||_F^2, and ||V||_F^2 <= 2n (LAPACK): both take a
        quarter of 8 gamma(2n + 16) n top. Two weighted sums err by gram_error trace: half of 4. Additions
        err by less than 4 n u (trace + alpha), `slack` by 8 u alpha (expected_turn): 16 n u leaves sqrt(2)
        for what is not symmetric, as do the others: a factorization reads one triangle. 1 + 1e-6 is for
        the root of n^2 squares in `rest`; what `size` lacks, `pencil` has to spare.
        """
        assert self._trees is not None
        tree, _, center, radius = self._trees
        n, m = self.rows.shape[1], len(self.rows)
        x, y = codes.T
        sure = tree.opened[-1][x] & tree.opened[-1][y]
        loose = (tree.maybe[-1][x] & tree.maybe[-1][y]) & ~sure
        reach = np.minimum(radius[codes], np.pi)
        slack = self.alpha * expected_turn(*reach.T)
        between = _weighted(self.rows, loose / 2)
        far = (slack > self.alpha / 4)[:, None, None]  # then 0 <= Q <= I/2 (Fact 1) says more: I/4 +- I/4
        slack = np.minimum(slack, self.alpha / 4)
        mean = np.where(far, np.eye(n) / 4, expected_gram(center[x], center[y]))
        middle = _weighted(self.rows, sure + loose / 2) - self.alpha * mean
        values, vectors = np.linalg.eigh((middle + middle.swapaxes(1, 2)) / 2)
        plain = (vectors * values[:, None]) @ vectors.swapaxes(1, 2)
        upright = (vectors * np.abs(values)[:, None]) @ vectors.swapaxes(1, 2)
        top = np.abs(values).max(axis=1)
        rest = np.sqrt(np.sum((plain - middle) ** 2, axis=(1, 2)))
        trace = float(np.sum(self.rows * self.rows)) * (1 + 1e-9)
        pad = (rest + 8 * rounding.gamma(2 * n + 16) * n * top + 4 * rounding.gram_error(m, n) * trace
               + self.alpha * rounding.expectation_error(n)
               + 16 * n * rounding.UNIT * (trace + self.alpha)) * (1 + 1e-6)
        majorant = upright + between + slack[:, None, None] * np.eye(n)
        size = np.sqrt(np.sum(majorant**2, axis=(1, 2))) * (1 + 1e-9) + pad
        return majorant, size, pad


def _weighted(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i weights[b, i] w_i w_i^T: (B, n, n)."""
    return np.asarray((rows.T[None] * weights[:, None, :]) @ rows)


def _all_images(layers: Sequence[np.ndarray], cover: Pieces, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Those of :func:`_images`, of a few boxes at a time."""
    chunk = chunk_of(layers, k)
    found = [_images(layers, cover.take(slice(i, i + chunk)), k) for i in range(0, len(cover), chunk)]
    return np.concatenate([at for at, _ in found]), np.concatenate([angle for _, angle in found])


def _images(layers: Sequence[np.ndarray], cover: Pieces, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (B, n) and angles (B,): the images of the points of a box lie within the angle.

    Lambda x is within |Lambda| h of Lambda c. Images have no negative entries, hence at most a right
    angle between them; where one unit alone is open they have one direction.

    |Lambda x - fl(value c)| <= |value| h + error corner + gamma(k) |value||c| entry by entry, and the sums
    over k <= 3 lose gamma(k) of themselves: 1e-14 |value| corner, 90 u, is more than both for |value|, the
    factor 1 + _NEAR for the rest. The sine of the angle is at most |away|/|at|. What powers of two make
    subnormal, or squares lose, is below _NEAR of a length of about 1.
    """
    depth = len(layers)
    packed = np.packbits(np.concatenate(cover.gates[:depth], axis=1), axis=1)
    _, first, owner = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    value, error = linear_maps(layers, [g[first] for g in cover.gates[:depth]], k)
    value, error = value[owner.ravel()], error[owner.ravel()]
    corner = np.abs(cover.center) + cover.half
    at = np.einsum("bnk,bk->bn", value, cover.center)
    away = np.einsum("bnk,bk->bn", np.abs(value), cover.half)
    away += np.einsum("bnk,bk->bn", error + 1e-14 * np.abs(value), corner)
    at = np.maximum(at, 0.0)  # so are the images: no farther from them
    _, exponent = np.frexp(at.max(axis=1, initial=0.0, keepdims=True))
    with np.errstate(over="ignore"):  # no square underflows; an infinite ratio says nothing
        at, away = np.ldexp(at, -exponent), np.ldexp(away, -exponent)
        length = np.linalg.norm(at, axis=1)
        ratio = np.divide(np.linalg.norm(away, axis=1) * (1 + _NEAR), length, out=np.ones_like(length),
                          where=length > 0)
    angles = np.where(ratio < 0.9, np.arcsin(np.minimum(ratio, 0.9)) + _NEAR, np.pi / 2 + _NEAR)
    gates = cover.gates[depth - 1]
    alone = gates.sum(axis=1) == 1
    direction = np.where(alone[:, None], gates.astype(np.float64), unit(at))
    blank = ~direction.any(axis=1)
    direction[blank] = unit(gates[blank].astype(np.float64))
    return direction, np.where(alone, 0.0, angles)


def _caps(center: np.ndarray, radius: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A cap for every owner that holds those of its boxes."""
    count = int(owner.max()) + 1
    total = np.zeros((count, center.shape[1]))
    np.add.at(total, owner, center)
    middle = unit(total)
    reach = np.zeros(count)
    np.maximum.at(reach, owner, angle(center, middle[owner]) + radius + _NEAR)
    return middle, reach
