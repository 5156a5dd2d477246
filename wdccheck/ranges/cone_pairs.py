"""Regions of a range: groups of activation cones, and pencils on the spans of their differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from wdccheck.linalg import rounding
from wdccheck.protocol.forms import RangeForm
from wdccheck.ranges.chunks import chunk_of
from wdccheck.ranges.cone_groups import Tree
from wdccheck.ranges.cones import Pieces, linear_maps, pieces
from wdccheck.ranges.spans import FEWEST, FOLLOWED, OUTPUTS, Facets, Gates, Span, pair_spans

__all__ = ["LATENT", "WAYS", "ConePairs", "kept", "one_per_pattern", "pencil"]

LATENT = 3
"""Latent dimensions up to which the cones are enumerated."""

WAYS = (FEWEST, FOLLOWED, OUTPUTS)
_SINGLE = 12  # columns of the other spans of single cones, at most
_LARGEST = 44  # columns of a span, and no more than 3/4 of the outputs
_BOXES = 2_000_000
_CONES = 60_000
_WAYS: dict[int, list[tuple[int, ...]]] = {
    1: [(1,)], 2: [(1,), (-1,)],
    3: [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)],
}
_WIDTHS = {1: 1.0, 2: 0.125, 3: 0.25}

Layers = Sequence[np.ndarray]
T = TypeVar("T")


def kept(proof: object, name: str, find: Callable[[float], T], deadline: float) -> T:
    """``find(deadline)`` as the cached property `name`: kept only if there was time for all of it."""
    if name not in vars(proof):
        vars(proof)[name] = find(deadline)
    found: T = vars(proof)[name]
    return found


def one_per_pattern(
    layers: Layers, k: int, cell: float | None = None, deadline: float = math.inf
) -> tuple[Pieces, np.ndarray] | None:
    """All pieces of the cones of `layers`, and of which pattern each is (B,); None if there are too many.

    With `cell`, half an edge of a grid on the faces of the cube: patterns of different cells differ.
    Raises OutOfTime at the deadline.
    """
    if k > LATENT:
        return None
    found = pieces(layers, k, _WIDTHS[k] if cell is None else cell, _BOXES, deadline)
    if found is None:
        return None
    keys = np.packbits(np.concatenate(found.gates, axis=1), axis=1).astype(np.int64)
    if cell is not None:
        place = np.floor((found.center + 2) / (2 * cell)).astype(np.int64)
        keys = np.concatenate([keys, place], axis=1)
    _, owner = np.unique(keys, axis=0, return_inverse=True)
    return None if owner.max() >= _CONES else (found, owner.ravel())


@dataclass(frozen=True, eq=False)
class ConePairs:
    """The tree over all cones of a network, with facets of the single ones.

    Attributes
    ----------
    layers : tuple of ndarray
    k : int
    tree : Tree
    facets : Facets
        By node; zero rows for groups.
    """

    layers: tuple[np.ndarray, ...]
    k: int
    tree: Tree
    facets: Facets

    @staticmethod
    def of(layers: Layers, k: int, deadline: float = math.inf) -> ConePairs | None:
        """None if there are too many cones; OutOfTime at the deadline."""
        found = one_per_pattern(layers, k, deadline=deadline)
        if found is None:
            return None
        cover, owner = found
        chosen = cover.take(_deepest(layers, k, cover, owner))
        tree = Tree.of(chosen.center, layers, chosen.gates)
        leaves = np.flatnonzero(tree.children[:, 0] < 0)
        walls = _walls(layers, k, chosen)
        rows, error = np.zeros((2, len(tree.children), *walls.rows.shape[1:]))
        at = tree.order[tree.first[leaves]]
        rows[leaves], error[leaves] = walls.rows[at], walls.error[at]
        return ConePairs(tuple(layers), k, tree, Facets(rows, error))

    @staticmethod
    def width(layers: Layers) -> int:
        """Entries of the columns of one span, on the way through the layers."""
        return _LARGEST * max(len(W) for W in layers)

    def spans(self, nodes: np.ndarray, way: str = FEWEST, most: int | None = None) -> list[Span]:
        """Spans of the differences between the groups of `nodes` (B, 2); owners are places in `nodes`.

        Any other way than FEWEST is for single cones only. `most`: columns beyond which there is no span.
        """
        some = np.arange(len(nodes)) if way == FEWEST else np.flatnonzero(self.tree.leaf(nodes).all(axis=1))
        if not len(some):
            return []
        tree, nodes = self.tree, nodes[some]
        gates = [Gates(tuple(g[x] for g in tree.opened), tuple(g[x] for g in tree.maybe)) for x in nodes.T]
        facets = [self.facets.take(x) for x in nodes.T]
        if most is None:
            most = max(min(_LARGEST, 3 * len(self.layers[-1]) // 4), _SINGLE) if way == FEWEST else _SINGLE
        found = pair_spans(self.layers, self.k, (gates[0], gates[1]), (facets[0], facets[1]), most, way)
        return [replace(span, owners=some[span.owners]) for span in found]

    def weights(self) -> np.ndarray:
        """How many units (N,) are open in some cones of a node only."""
        both = zip(self.tree.opened, self.tree.maybe, strict=True)
        return np.sum([np.sum(maybe & ~opened, axis=1) for opened, maybe in both], axis=0)


def _inputs(layers: Layers, k: int, gates: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The inputs of all units as rows in the latent direction, never negative on the cone: (B, m, k), and
    their error, as of :func:`wdccheck.ranges.cones._product`.
    """
    rows, error = [], []
    for number, W in enumerate(layers):
        value, wrong = linear_maps(layers[:number], gates[:number], k) if number else (np.eye(k), 0.0)
        size = rounding.gamma(2 * W.shape[1] + 8)
        rows.append(np.where(gates[number], 1.0, -1.0)[:, :, None] * (W @ value))
        lost = (size * (np.abs(W) @ np.abs(value)) + (1 + size) * (np.abs(W) @ wrong) + 2.0**-1040
                if number else np.zeros(W.shape))
        error.append(np.broadcast_to(lost, rows[-1].shape))
    return np.concatenate(rows, axis=1), np.concatenate(error, axis=1)


def _deepest(layers: Layers, k: int, cover: Pieces, owner: np.ndarray) -> np.ndarray:
    """For every cone, the box whose center is farthest from all walls."""
    depth, chunk = [], chunk_of(layers, k)
    for i in range(0, len(cover), chunk):
        part = cover.take(slice(i, i + chunk))
        rows, _ = _inputs(layers, k, part.gates)
        length = np.linalg.norm(rows, axis=2, keepdims=True)
        rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
        near = np.einsum("bmk,bk->bm", rows, part.center)
        depth.append(np.where(length[:, :, 0] > 0, near, np.inf).min(axis=1))
    order = np.lexsort((-np.concatenate(depth), owner))
    _, deepest = np.unique(owner[order], return_index=True)
    return np.asarray(order[deepest])


def _walls(layers: Layers, k: int, chosen: Pieces) -> Facets:
    """For every cone the inputs of a few units: the walls first met from a point inside, in several ways."""
    chunk = chunk_of(layers, k)
    found = [_walls_of(layers, k, chosen.take(slice(i, i + chunk))) for i in range(0, len(chosen), chunk)]
    return Facets(np.concatenate([one.rows for one in found]), np.concatenate([one.error for one in found]))


def _walls_of(layers: Layers, k: int, chosen: Pieces) -> Facets:
    every, lost = _inputs(layers, k, chosen.gates)
    middle = np.einsum("bmk,bk->bm", every, chosen.center)
    found = []
    for way in _WAYS[k]:
        across = np.einsum("bmk,bk->bm", every, _tangents(chosen.center) @ np.array(way, dtype=float))
        far = np.divide(middle, -across, out=np.full(middle.shape, np.inf), where=across < 0)
        found.append(np.argmin(far, axis=1))
    met = np.stack(found, axis=1)[:, :, None]
    kept, wrong = (np.take_along_axis(x, met, axis=1) for x in (every, lost))
    _, exponent = np.frexp(np.linalg.norm(kept, axis=2, keepdims=True))
    return Facets(np.ldexp(kept, -exponent), np.ldexp(wrong, -exponent))


def _tangents(center: np.ndarray) -> np.ndarray:
    """Columns (B, k, k - 1) orthogonal to each row of center (B, k); for k = 1 minus the row itself."""
    if center.shape[1] == 1:
        return -center[:, :, None]
    return np.linalg.qr(center[:, :, None], mode="complete")[0][:, :, 1:]


def pencil(
    span: Span, product: np.ndarray, size: np.ndarray, loss: np.ndarray, scale: float = 1.0
) -> RangeForm:
    """sup u^T H u / u^T u over the ranges of the columns M of a span.

    Parameters
    ----------
    product : ndarray of shape (b, n, p)
        H M.
    size, loss : ndarray of shape (b,)
        At least ||H||_F, and at least ||H M - product||_F over ||M||_F.

    Notes
    -----
    M errs by E: M^T M by ||E||(2 ||M|| + ||E||), M^T H M by ||H|| times that; each computed
    product of n terms by gamma(n) of its factors' Frobenius norms, the second by gamma(n) (size + loss).
    Half of all this is to spare: `span.error` is at least twice the true one, gamma(2n + 16) more than
    twice gamma(n), loss hardly above size. It covers that a factorization reads one triangle alone, so
    that what is not symmetric counts up to sqrt(2) times; and lengths that lack 2^-537, where columns
    have lengths of about 1. Where one is so short that its square is 0, nothing is proved.
    """
    columns = span.columns
    n = columns.shape[1]
    length, wrong = span.lengths()
    moved = wrong * (2 * length + wrong)
    gram = columns.swapaxes(1, 2) @ columns
    form = columns.swapaxes(1, 2) @ product
    b, j = np.nonzero(~columns.any(axis=1) & ~span.error.any(axis=1))
    gram[b, j, j] = 1.0  # of an unused column
    rounded = rounding.gamma(2 * n + 16) * length**2
    return RangeForm(gram, form, rounded + moved, size * (rounded + moved) + loss * length**2, scale,
                     cone=span.cone, cone_error=span.cone_error)
