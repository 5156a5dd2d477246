"""R2WDC over groups of cones: gates of x and y decided on a group, differences in a span (Fact 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wdccheck import rounding
from wdccheck.conditions.condition import Refinement
from wdccheck.conditions.cone_pairs import ConePairs, one_per_pattern, pencil
from wdccheck.cones import Pieces, linear_maps
from wdccheck.forms import RangeForm
from wdccheck.geometry import angle, expected_gram, unit
from wdccheck.groups import Groups, Tree

__all__ = ["GatedCones"]

_MOST = 24  # columns of a span
_CELLS = {1: 1.0, 2: 0.03125, 3: 0.125}  # half an edge of the boxes that bound the images of a cone
_NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class GatedCones:
    """W_{+,r}^T W_{+,s} - alpha Q_{r,s} on groups of cones of x and y, and of x1 and x2.

    On a group the deviation matrix lies between low = A_sure - alpha Q_c - slack and high = A_maybe -
    alpha Q_c + slack (Fact 10, the images in a cap about c). Any H with H >= |D| for all D of the group gives
    |u^T D v| <= sqrt(u^T |D| u v^T |D| v) <= sqrt(u^T H u v^T H' v), whatever groups H and H' belong to:
    the pairs (x1, x2) suffice. H >= +-D would not do, as u and v may lie in regions with different H.

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

    @cached_property
    def _trees(self) -> tuple[Tree, ConePairs, np.ndarray, np.ndarray] | None:
        """Trees of the codes x and of the pairs; centers and radii of the images of the groups of x."""
        pairs = ConePairs.of(self.layers, self.k)
        found = None if pairs is None else one_per_pattern((*self.layers, self.rows), self.k, _CELLS[self.k])
        if pairs is None or found is None:
            return None
        cover, owner = found
        alive = np.asarray(cover.gates[len(self.layers) - 1].any(axis=1))
        if not alive.any():
            return None
        cover, owner = cover.take(alive), np.unique(owner[alive], return_inverse=True)[1]
        center, radius = _images(self.layers, cover, self.k)
        middle, reach = _caps(center, radius, owner)
        _, first = np.unique(owner, return_index=True)
        chosen = cover.take(first)
        tree = Tree.of(chosen.center, (*self.layers, self.rows), chosen.gates)
        return tree, pairs, *tree.balls(middle, reach)

    def regions(self) -> Groups | None:
        """One region: all codes and all pairs."""
        if self._trees is None:
            return None
        codes, pairs, _, radius = self._trees
        loose = np.sum(codes.maybe[-1] & ~codes.opened[-1], axis=1) / len(self.rows)
        size = loose + self.alpha * radius / np.pi
        first = size.max() + pairs.weights()  # the pairs are split first
        return Groups((codes, codes, pairs.tree, pairs.tree), (size, size, first, first), 2,
                      {"x": 0, "y": 1, "x1": 2, "x2": 3, "x3": 2, "x4": 3}, np.zeros((1, 4), dtype=int),
                      np.array([np.inf]), np.zeros(1, dtype=bool))

    def refine(self, regions: Groups) -> Refinement:
        """Pencils of H on the spans; on all of R^n where the spans are large."""
        assert self._trees is not None
        codes, owner = np.unique(regions.nodes[:, :2], axis=0, return_inverse=True)
        owner, n = owner.ravel(), self.rows.shape[1]
        majorant, size, pad = self._majorants(codes)
        pairs, nodes = self._trees[1], regions.nodes[:, 2:]
        large, single = np.ones(len(regions), dtype=bool), np.flatnonzero(pairs.tree.leaf(nodes).all(axis=1))
        for some, last in ((np.arange(len(regions)), False), (single, True)):
            for span in pairs.spans(nodes[some], n if last else _MOST, last):
                large[some[span.owners]] = False
                at = owner[some[span.owners]]
                product = majorant[at] @ span.columns
                loss = pad[at] + rounding.gamma(2 * n + 16) * size[at]
                yield some[span.owners], (pencil(span, product, size[at], loss, self.scale),)
        rest = np.flatnonzero(large)
        whole = RangeForm(np.broadcast_to(np.eye(n), majorant.shape), majorant, 0 * pad, pad, self.scale)
        yield rest, (whole.take(owner[rest]),)

    def _majorants(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """H (C, n, n) for pairs of groups, (C, 2), a bound on its Frobenius norm, and on its error.

        D = M + F, -E <= F <= E, so F = E^(1/2) C E^(1/2) with ||C|| <= 1 and F^2 <= ||E|| E. For every s > 0
        D^2 <= (1 + s) M^2 + (1 + 1/s) F^2; the root is monotone. The errors of M and E are a part of E.
        """
        assert self._trees is not None
        tree, _, center, radius = self._trees
        n, m = self.rows.shape[1], len(self.rows)
        x, y = codes.T
        sure = tree.opened[-1][x] & tree.opened[-1][y]
        loose = (tree.maybe[-1][x] & tree.maybe[-1][y]) & ~sure
        reach = np.minimum(radius[codes], np.pi)
        slack = self.alpha * np.sum(reach + np.sin(reach), axis=1) / (2 * np.pi)
        far = (slack > self.alpha / 4)[:, None, None]  # then 0 <= Q <= I/2 (Fact 1) says more: I/4 +- I/4
        mean = np.where(far, np.eye(n) / 4, expected_gram(center[x], center[y]))
        middle = _weighted(self.rows, sure + loose / 2) - self.alpha * mean
        trace = float(np.sum(self.rows * self.rows)) * (1 + 1e-9)
        slack = (np.minimum(slack, self.alpha / 4) + 8 * rounding.gram_error(m, n) * trace
                 + self.alpha * rounding.expectation_error(n) + 32 * n * rounding.UNIT * (trace + self.alpha))
        return _moduli((middle + middle.swapaxes(1, 2)) / 2,
                       _weighted(self.rows, loose / 2) + slack[:, None, None] * np.eye(n))


def _moduli(middle: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H >= |D| for all D within +-half of middle, (C, n, n); a bound on its Frobenius norm; its error.

    The root of S = (1 + s) M^2 + (1 + 1/s) ||E|| E with s = ||E||/||M||, from eigenvectors V. Let Y = V
    Lambda^(1/2) V^T: S <= Y^2 + p I <= (Y + p^(1/2) I)^2, where p holds S - V Lambda V^T and
    ||V^T V - I|| ||V Lambda V^T||.
    """
    n = middle.shape[1]
    lost = 8 * rounding.gamma(2 * n + 16) * n
    norm, wide = (np.abs(np.linalg.eigvalsh(x)).max(axis=1) for x in (middle, half))
    wide = wide + lost * np.trace(half, axis1=1, axis2=2)
    ratio = np.divide(wide, norm, out=np.ones_like(norm), where=norm > 0)
    square = ((1 + ratio)[:, None, None] * (middle @ middle)
              + ((1 + 1 / ratio) * wide)[:, None, None] * half)
    values, vectors = np.linalg.eigh((square + square.swapaxes(1, 2)) / 2)
    values, across = np.maximum(values, 0.0), vectors.swapaxes(1, 2)
    rest, skew = (np.sqrt(np.sum(x * x, axis=(1, 2))) for x in (
        (vectors * values[:, None]) @ across - square, across @ vectors - np.eye(n)))
    top = values.max(axis=1) + (1 + ratio) * n * norm**2
    pad = (np.sqrt(rest + (2 * skew + 4 * lost) * top) + lost * np.sqrt(top)) * (1 + 1e-6)
    majorant = (vectors * np.sqrt(values)[:, None]) @ across
    return majorant, np.sqrt(np.sum(majorant**2, axis=(1, 2))) * (1 + 1e-9) + pad, pad


def _weighted(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i weights[b, i] w_i w_i^T: (B, n, n)."""
    return np.asarray((rows.T[None] * weights[:, None, :]) @ rows)


def _images(layers: Sequence[np.ndarray], cover: Pieces, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (B, n) and angles (B,): the images of the points of a box lie within the angle.

    Lambda x is within |Lambda| h of Lambda c. Images have no negative entries, hence at most a right
    angle between them; where one unit alone is open they have one direction.
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
