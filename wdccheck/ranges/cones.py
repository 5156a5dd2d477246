"""Activation cones of a network with few latent dimensions: boxes that miss no gate pattern."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from wdccheck.errors import OutOfTime
from wdccheck.geometry.arrangements import group_by_line
from wdccheck.geometry.boxes import Boxes
from wdccheck.linalg import rounding
from wdccheck.ranges.chunks import chunk_of

__all__ = ["Pieces", "linear_maps", "pieces"]

_BYTES = 2**24  # of the gates of all pieces
_SMALLEST = 2.0**-26  # half an edge below which no box is cut
_TOGETHER = 6  # lines that may stay undecided in such a box
_SIGNS = (1, -1, 0)
Layers = Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Boxes of latent directions, each with one pattern of gates.

    Every x != 0 of R^k has a positive multiple in a box b whose ``gates[l][b]`` are exactly the
    units of layer l + 1 that are open at x (strictly). A box on a wall comes once for every side, so
    that its gates need not be those of all its points; some patterns may be those of no point.

    Attributes
    ----------
    center, half : ndarray of shape (B, k)
        Boxes on the faces of the cube max |x_j| = 1.
    gates : tuple of ndarray of bool, each of shape (B, n_l)
    """

    center: np.ndarray
    half: np.ndarray
    gates: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.center)

    def take(self, index: np.ndarray | slice) -> Pieces:
        """The boxes of `index`."""
        return Pieces(self.center[index], self.half[index], tuple(g[index] for g in self.gates))


@dataclass(frozen=True, eq=False)
class _Lines:
    """The lines that the rows of a layer lie on.

    Attributes
    ----------
    first : ndarray of int, shape (m,)
        A row of each.
    owner, way : ndarray of int, shape (n,)
        The line of each row, -1 for zero rows; +1 where it points as the first row of its line, or -1.
    alone : ndarray of bool, shape (m,)
        No row of the line points the other way.
    """

    first: np.ndarray
    owner: np.ndarray
    way: np.ndarray
    alone: np.ndarray

    @staticmethod
    def of(W: np.ndarray) -> _Lines:
        owner = group_by_line(W).owner
        nonzero, way = owner >= 0, np.zeros(len(W))
        _, first, inverse = np.unique(owner[nonzero], return_index=True, return_inverse=True)
        first = np.flatnonzero(nonzero)[first]
        lead, rows = W[first][inverse], W[nonzero]
        pivot = np.argmax(np.abs(lead), axis=1, keepdims=True) if len(first) else np.zeros((0, 1), dtype=int)
        one, other = (np.sign(np.take_along_axis(x, pivot, axis=1)[:, 0]) for x in (lead, rows))
        way[nonzero] = one * other
        alone = np.ones(len(first), dtype=bool)
        alone[owner[way < 0]] = False
        return _Lines(first, owner, way, alone)


def pieces(
    layers: Layers, k: int, width: float, most: int, deadline: float = math.inf
) -> Pieces | None:
    """Cover all directions of R^k, layer by layer.

    A box is cut until fewer than k lines of a layer are undecided in it (row w: its sign on the box,
    given the gates of the layers before), then taken once for every sign they may have.

    Parameters
    ----------
    layers : sequence of ndarray
        Matrices of shape (n_l, n_{l-1}), entries of magnitude about 1.
    k : int
        The latent dimension.
    width : float
        Half an edge of the boxes to start from, at most.
    most : int
        Give up (None) when more boxes than this, or 16 MiB for their gates, are needed.
    deadline : float, by the clock of `time.monotonic`

    Raises
    ------
    OutOfTime
        The deadline has passed.
    """
    cover = Boxes.cover({"x": k})
    while k > 1 and cover.half[0].max() > width:
        cover = cover.split()
    found: Pieces | None = Pieces(cover.center[0].T, cover.half[0].T, ())
    most = min(most, _BYTES // max(1, sum(map(len, layers))))
    for number, _ in enumerate(layers, start=1):
        found = None if found is None else _with_layer(layers[:number], found, most, deadline)
    return found


def linear_maps(layers: Layers, gates: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Lambda (B, n_j, k) of the gate patterns and a bound on the error of its entries.

    A product of n terms errs by gamma(n) of the product of the magnitudes, layer by layer.
    """
    count = len(gates[0]) if gates else 1
    value = np.broadcast_to(np.eye(k), (count, k, k))
    error = np.zeros_like(value)
    for W, gate in zip(layers, gates, strict=True):
        value, error = _product(W, value, error)
        value, error = value * gate[:, :, None], error * gate[:, :, None]
    return value, error


def _product(W: np.ndarray, value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W value and its error: twice gamma(n), as |W||value| errs by it, too. Half a subnormal of every product
    in two sums is at most 2^-1040 for up to 2^34 inputs.
    """
    size = rounding.gamma(2 * W.shape[1] + 8)
    return W @ value, size * (np.abs(W) @ np.abs(value)) + (1 + size) * (np.abs(W) @ error) + 2.0**-1040


def _with_layer(layers: Layers, known: Pieces, most: int, deadline: float) -> Pieces | None:
    """The pieces of the layers before, cut and multiplied by the gates of the last layer."""
    lines, chunk = [_Lines.of(W) for W in layers], chunk_of(layers, known.center.shape[1])
    none = np.zeros((0, len(lines[-1].first)), dtype=np.int8)
    todo, done = [known], [_expanded(lines[-1], known.take(slice(0)), none)[0]]
    while todo:
        if time.monotonic() > deadline:
            raise OutOfTime("the cones of the network were not all found in time")
        part = todo.pop()
        if len(part) > chunk:
            todo += [part.take(slice(i, i + chunk)) for i in range(0, len(part), chunk)]
            continue
        possible, crossed = _possible(layers[:-1], lines, part)
        part, crossed = part.take(possible), crossed[possible]
        signs = _signs(layers, lines[-1], part)[0]
        undecided = np.sum(signs == 2, axis=1)
        small = part.half.max(axis=1, initial=0.0) <= _SMALLEST
        ready = (undecided + crossed < part.center.shape[1]) | (undecided == 0) | small
        if (undecided[ready] > _TOGETHER).any():
            return None
        grown, owner = _expanded(lines[-1], part.take(ready), signs[ready])
        kept = np.ones(len(grown), dtype=bool)
        pair = np.flatnonzero((undecided + crossed)[ready][owner] == 2)  # these may exclude each other
        kept[pair] = _possible(layers, lines, grown.take(pair))[0]
        done.append(grown.take(kept))
        rest = part.take(~ready)
        if sum(map(len, done)) + sum(map(len, todo)) + 2 * len(rest) > most:
            return None
        if len(rest):
            todo.append(_halves(rest))
    return _joined(done)


def _joined(parts: Sequence[Pieces]) -> Pieces:
    gates = zip(*(p.gates for p in parts), strict=True)
    return Pieces(np.concatenate([p.center for p in parts]), np.concatenate([p.half for p in parts]),
                  tuple(np.concatenate(g) for g in gates))


def _halves(part: Pieces) -> Pieces:
    both = Boxes(("x",), (part.center.T,), (part.half.T,)).split()
    return Pieces(both.center[0].T, both.half[0].T, tuple(np.concatenate([g, g]) for g in part.gates))


def _ranges(rows: np.ndarray, error: np.ndarray, part: Pieces) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (B, m) of w.x over the boxes for rows (B, m, k) known up to `error`. All roundings
    are below 4 gamma(k + 2) |w|.corner and 1e-9 error.corner, 6 k underflows of 2^-1075 below 2^-1060.
    """
    k = rows.shape[-1]
    middle = np.einsum("bmk,bk->bm", rows, part.center)
    reach = np.einsum("bmk,bk->bm", np.abs(rows), part.half)
    corner = np.abs(part.center) + part.half
    lost = (rounding.gamma(8 * k + 32) * np.einsum("bmk,bk->bm", np.abs(rows), corner)
            + np.einsum("bmk,bk->bm", error, corner) * (1 + 1e-9) + 2.0**-1060)
    return middle - reach - lost, middle + reach + lost


def _possible(
    layers: Layers, lines: Sequence[_Lines], part: Pieces
) -> tuple[np.ndarray, np.ndarray]:
    """Boolean (B,), False where the gates of `layers` are surely those of no point; and (B,), how many
    lines have points of both signs in the box.
    """
    kept, crossed = np.ones(len(part), dtype=bool), np.zeros(len(part), dtype=int)
    walls = []
    for number in range(1, len(layers) + 1):
        signs, rows, error = _signs(layers[:number], lines[number - 1], part)
        gate = part.gates[number - 1][:, lines[number - 1].first]
        kept &= ~np.where(gate, (signs == -1) | (signs == 0), signs == 1).any(axis=1)
        crossed += np.sum(signs == 2, axis=1)
        walls.append((rows * np.where(gate, 1.0, -1.0)[:, :, None], error, signs == 2))
    two = np.flatnonzero(kept & (crossed == 2))
    if len(two) and part.center.shape[1] > 2:
        rows, error, both = (np.concatenate([wall[i][two] for wall in walls], axis=1) for i in range(3))
        at = np.nonzero(both)[1].reshape(-1, 2, 1)
        pair, wrong = (np.take_along_axis(x, at, axis=1) for x in (rows, error))
        kept[two] = ~_excluded(pair, wrong, part.take(two))
    return kept, crossed


def _rows(layers: Layers, part: Pieces, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows `first` of W_l Lambda_{l-1}, (B, m, k), of the last of `layers`, and their error."""
    k, W = part.center.shape[1], layers[-1][first]
    before = part.gates[: len(layers) - 1]
    if not before:
        shape = (len(part), *W.shape)
        return np.broadcast_to(W, shape), np.broadcast_to(np.zeros(W.shape), shape)
    packed = np.packbits(np.concatenate(before, axis=1), axis=1)
    _, one, owner = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    value, error = _product(W, *linear_maps(layers[:-1], [g[one] for g in before], k))
    return value[owner.ravel()], error[owner.ravel()]


def _signs(
    layers: Layers, lines: _Lines, part: Pieces
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signs (B, m) on the boxes of the first row of each line of the last layer, 2 where undecided; the
    rows as functions of the latent direction, (B, m, k), and their error.

    -1 may stand for 0 where no row of the line points the other way. By the box; or by the weights:
    the inputs of a later layer are positive where their gates are open and 0 where not.
    """
    rows, error = _rows(layers, part, lines.first)
    lowest, highest = _ranges(rows, error, part)
    below = (highest < 0) | ((highest <= 0) & lines.alone)
    signs = np.where(below, np.int8(-1), np.int8(2) - (lowest > 0))
    if len(layers) > 1:
        inputs, W = part.gates[len(layers) - 2].astype(np.float64), layers[-1][lines.first]
        up, down = ((inputs @ side.T > 0).astype(np.int8) for side in (W > 0, W < 0))
        signs = np.where(up & down, signs, up - down)
    return signs, rows, error


def _expanded(lines: _Lines, part: Pieces, signs: np.ndarray) -> tuple[Pieces, np.ndarray]:
    """Every piece once for each choice of its undecided signs, (B, m); and of which piece each comes."""
    undecided, pieces_of, filled = np.sum(signs == 2, axis=1), [], []
    for count in np.unique(undecided):
        chosen = np.flatnonzero(undecided == count)
        choices = np.array(list(product(_SIGNS, repeat=int(count))), dtype=np.int8)
        where = np.nonzero(signs[chosen] == 2)[1].reshape(len(chosen), count)
        where = np.repeat(where, len(choices), axis=0)
        choice, owner = np.tile(choices, (len(chosen), 1)), np.repeat(chosen, len(choices))
        kept = ~(lines.alone[where] & (choice == 0)).any(axis=1)
        one = signs[owner[kept]]
        np.put_along_axis(one, where[kept], choice[kept], axis=1)
        pieces_of.append(owner[kept])
        filled.append(one)
    index = np.concatenate([np.zeros(0, dtype=int), *pieces_of])
    # a zero row has line -1: a last column of zeros
    sign = np.pad(np.concatenate([signs[:0], *filled]), ((0, 0), (0, 1)))
    part = part.take(index)
    return Pieces(part.center, part.half, (*part.gates, sign[:, lines.owner] * lines.way > 0)), index


def _excluded(pair: np.ndarray, error: np.ndarray, part: Pieces) -> np.ndarray:
    """Boolean (B,): no point of the box has a.x >= 0 and b.x >= 0, for the rows a, b of `pair` (B, 2, k).

    Some g = (1 - p) a + p b with 0 <= p <= 1, off by 4 u (|a| + |b|), is negative at every vertex. Each
    vertex gives a line in p; the lowest point of their maximum is at 0, 1 or a crossing.
    """
    k = part.center.shape[1]
    corners = np.array(list(product((-1.0, 1.0), repeat=k)))
    vertices = part.center[:, None] + corners * part.half[:, None]
    a, b = (np.einsum("bvk,bk->bv", vertices, pair[:, i]) for i in range(2))
    rise = b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (a[:, None] - a[:, :, None]) / (rise[:, :, None] - rise[:, None])
    p = np.clip(np.nan_to_num(p, nan=0.0), 0.0, 1.0).reshape(len(a), -1)
    p = np.concatenate([p, np.ones((len(a), 1))], axis=1)
    highest = (a[:, :, None] + p[:, None] * rise[:, :, None]).max(axis=1)
    best = np.take_along_axis(p, np.argmin(highest, axis=1)[:, None], axis=1)
    rows = (1 - best)[:, :, None] * pair[:, :1] + best[:, :, None] * pair[:, 1:]
    lost = error.sum(axis=1, keepdims=True) + 8 * rounding.UNIT * np.abs(pair).sum(axis=1, keepdims=True)
    return np.asarray(_ranges(rows, lost, part)[1][:, 0] < 0)
