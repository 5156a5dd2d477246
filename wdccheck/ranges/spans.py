"""Subspaces that hold the range differences of two groups of cones (Fact 13), and cones inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wdccheck.linalg import rounding
from wdccheck.ranges.cone_rows import coordinates, joined_cones, widened

__all__ = ["FEWEST", "FOLLOWED", "OUTPUTS", "Facets", "Gates", "Span", "pair_spans"]

Layers = Sequence[np.ndarray]

_TINY = 2.0**-1040
"""At least what underflows for up to 2^34 inputs, see :func:`wdccheck.ranges.cones._product`."""


@dataclass(frozen=True, eq=False)
class Gates:
    """What is known of the units over B groups, layer by layer.

    Attributes
    ----------
    opened, maybe : tuple of ndarray of bool, each of shape (B, n_l)
        Open everywhere in the group, open somewhere.
    way : tuple of ndarray of int, each of shape (B, n_l)
        For two groups: 1 where a unit is open in all of the first and in none of the second, -1 the
        other way round, 0 elsewhere.
    """

    opened: tuple[np.ndarray, ...]
    maybe: tuple[np.ndarray, ...]
    way: tuple[np.ndarray, ...] = ()

    def take(self, index: np.ndarray) -> Gates:
        """The groups of `index`."""
        return Gates(*(tuple(g[index] for g in x) for x in (self.opened, self.maybe, self.way)))

    def hull(self, other: Gates) -> Gates:
        """What is known over both groups."""
        pairs = list(zip(self.opened, other.opened, self.maybe, other.maybe, strict=True))
        return Gates(tuple(a & b for a, b, _, _ in pairs), tuple(a | b for _, _, a, b in pairs),
                     tuple((a & ~d).astype(int) - (b & ~c) for a, b, c, d in pairs))

    def starts(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where :func:`_followed` had best start (B,), how many columns it then gives, and which outputs
        (B, n) stay free.
        """
        loose = [m & ~o for o, m in zip(self.opened, self.maybe, strict=True)]
        free = [mask.sum(axis=1) for mask in loose]
        first = [np.full(len(self.opened[0]), k), *(m.sum(axis=1) for m in self.maybe)]
        size = np.stack([at + sum(free[c:], np.zeros_like(at)) for c, at in enumerate(first)])
        start = size.argmin(axis=0)
        last = start == len(self.maybe)
        outputs = np.where(last[:, None], self.maybe[-1], loose[-1])
        return start, size.min(axis=0) - outputs.sum(axis=1), outputs


@dataclass(frozen=True, eq=False)
class Facets:
    """Rows q (B, c, k) with q.x >= 0 on a cone, known up to `error` (B, c, k); zero rows say nothing."""

    rows: np.ndarray
    error: np.ndarray

    def take(self, index: np.ndarray) -> Facets:
        """Those of the cones of `index`."""
        return Facets(self.rows[index], self.error[index])


@dataclass(frozen=True, eq=False)
class Span:
    """For some of the regions, matrices whose ranges hold every range difference there.

    Attributes
    ----------
    owners : ndarray of int, shape (b,)
        Which regions.
    columns, error : ndarray of shape (b, n, p)
        Known up to `error` entry by entry. Unused columns are 0 in both.
    cone, cone_error : ndarray of shape (b, c, p)
        Every difference, or its negative, is ``columns @ z`` for some z with ``cone @ z >= 0``; known
        up to `cone_error`.
    """

    owners: np.ndarray
    columns: np.ndarray
    error: np.ndarray
    cone: np.ndarray
    cone_error: np.ndarray

    def take(self, index: np.ndarray) -> Span:
        """The spans of `index`."""
        return Span(self.owners[index], self.columns[index], self.error[index], self.cone[index],
                    self.cone_error[index])

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """At least the Frobenius norms of the columns and of their error, (b,).

        A sum of fewer than 2^23 squares errs by less than 1e-9, its root by half of that. Squares below
        2^-1074 are lost: see :func:`wdccheck.ranges.cone_pairs.pencil`.
        """
        length, wrong = (np.sqrt(np.sum(x * x, axis=(1, 2))) * (1 + 1e-9) for x in (self.columns, self.error))
        return length, wrong


FEWEST, FOLLOWED, OUTPUTS = "fewest", "followed", "outputs"
"""Ways of :func:`pair_spans`."""


def pair_spans(
    layers: Layers, k: int, gates: tuple[Gates, Gates], facets: tuple[Facets, Facets], most: int,
    way: str = FEWEST,
) -> list[Span]:
    """Spans of {G(x1) - G(x2)}, x1 in the first group of a region and x2 in the second.

    Either the differences are followed through the layers: a unit open in both groups passes its own
    on, one closed in both gives 0, any other anything; or the images of both groups are taken on their
    own. Both may start from any layer, whose differences lie in the coordinates of the units that may
    be open.

    Parameters
    ----------
    gates, facets : pairs of Gates and Facets
    most : int
        Regions that need more columns get no span.
    way : str
        FEWEST: the one with the fewest columns. FOLLOWED: the first, where it is not that. OUTPUTS: the
        coordinates of the output, which are never dependent.
    """
    both, count = gates[0].hull(gates[1]), len(gates[0].opened[0])
    if way == OUTPUTS:
        everything, none = np.full(count, len(layers)), np.zeros(count, dtype=int)
        return _built(layers, k, [(both, everything, none, both.maybe[-1])], (), most, np.arange(count))
    joint, one, two = (g.starts(k) for g in (both, *gates))
    apart = joint[1] + joint[2].sum(axis=1) > one[1] + two[1] + (one[2] | two[2]).sum(axis=1)
    near, far = np.flatnonzero(apart if way == FOLLOWED else ~apart), np.flatnonzero(apart)
    result = _built(layers, k, [_side(both, joint, near)], (), most, near)
    if way == FOLLOWED:
        return result
    sides = [_side(g, found, far) for g, found in zip(gates, (one, two), strict=True)]
    return result + _built(layers, k, sides, tuple(f.take(far) for f in facets), most, far)


Side = tuple[Gates, np.ndarray, np.ndarray, np.ndarray]
"""Gates, and what :meth:`Gates.starts` says of them."""


def _side(gates: Gates, found: tuple[np.ndarray, np.ndarray, np.ndarray], index: np.ndarray) -> Side:
    return gates.take(index), found[0][index], found[1][index], found[2][index]


def _built(
    layers: Layers, k: int, sides: Sequence[Side], facets: Sequence[Facets], most: int, owners: np.ndarray
) -> list[Span]:
    """The columns of the sides next to each other, and the free outputs, for the regions alike in size."""
    free = np.logical_or.reduce([outputs for *_, outputs in sides])
    total = sum((count for _, _, count, _ in sides), free.sum(axis=1))
    keys = np.stack([start for _, start, _, _ in sides] + [(total + 3) // 4], axis=1)
    small, result = (total <= most) & (total > 0), []
    for key in np.unique(keys[small], axis=0):
        chosen = np.flatnonzero((keys == key).all(axis=1) & small)
        gates = [side[0].take(chosen) for side in sides]
        parts = [_followed(layers, k, gate, int(start)) for gate, start in zip(gates, key, strict=False)]
        unit = coordinates(free[chosen])
        if len(parts) == 1:
            cone = parts[0].cones(gates[0], free[chosen])
        else:
            cone = _facing([f.take(chosen) for f in facets], parts, unit.shape[2])
        result.append(_packed(owners[chosen], *_columns(parts, free[chosen], unit), *cone))
    return result


def _columns(
    parts: Sequence[_Followed], free: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """G(x1) - G(x2) as columns (b, n, p) and their error: the sides where no output is free, then those."""
    held, signs = ~free[:, :, None], (1.0, -1.0)
    signed = [sign * part.columns * held for sign, part in zip(signs, parts, strict=False)]
    errors = [part.error * held for part in parts]
    return np.concatenate([*signed, unit], axis=2), np.concatenate([*errors, 0 * unit], axis=2)


def _packed(
    owners: np.ndarray, columns: np.ndarray, error: np.ndarray, cone: np.ndarray, cone_error: np.ndarray
) -> Span:
    """The columns in use first, each scaled by a power of two to a length of about 1.

    A row that touches a column that is 0 is met by a coordinate that is not followed: it is left out.
    """
    used = np.any((columns != 0) | (error != 0), axis=1)  # a column that rounds to 0 need not be 0
    idle = (((cone != 0) | (cone_error != 0)) & ~used[:, None, :]).any(axis=2, keepdims=True)
    order = np.argsort(~used, axis=1, kind="stable")[:, None, :used.sum(axis=1).max()]
    _, exponent = np.frexp(np.sqrt(np.sum(columns * columns, axis=1, keepdims=True)))
    arrays = [columns, error, np.where(idle, 0.0, cone), np.where(idle, 0.0, cone_error)]
    return Span(owners, *(np.take_along_axis(np.ldexp(x, -exponent), order, axis=2) for x in arrays))


@dataclass(frozen=True, eq=False)
class _Followed:
    """Columns (b, n, q) of one side with their error; cone rows (b, c, q) of its inner loose units; and
    the inputs of the last layer as rows (b, n, q); each with its error.
    """

    columns: np.ndarray
    error: np.ndarray
    rows: np.ndarray
    rows_error: np.ndarray
    inputs: np.ndarray
    inputs_error: np.ndarray
    start: int

    def cones(self, gates: Gates, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows over all columns, those of the free outputs last."""
        found = [(self.rows, self.rows_error)]
        unit = coordinates(free)
        if self.start < len(gates.opened):
            found.append(_sectors(self.inputs, self.inputs_error, unit, gates.way[-1]))
        width = self.columns.shape[2] + unit.shape[2]
        rows, error = ([widened(pair[i], width) for pair in found] for i in (0, 1))
        return np.concatenate(rows, axis=1), np.concatenate(error, axis=1)


def _followed(layers: Layers, k: int, gates: Gates, start: int) -> _Followed:
    """The images of all of R^k, or of the coordinates of layer `start`, and of the loose units of the
    layers in between; those of the last layer are left out. Errors are at least twice the true ones, as
    those of :func:`wdccheck.ranges.cones._product`.
    """
    count, depth = len(gates.opened[0]), len(layers)
    rows, rows_error = np.zeros((2, count, 0, 0))
    if start == depth:
        none = np.zeros((count, len(layers[-1]), 0))
        return _Followed(none, none, rows, rows_error, none, none, start)
    columns = coordinates(gates.maybe[start - 1]) if start else np.broadcast_to(np.eye(k), (count, k, k))
    error = np.zeros_like(columns)
    for number in range(start, depth):
        W, opened, maybe = layers[number], gates.opened[number], gates.maybe[number]
        size = rounding.gamma(2 * W.shape[1] + 8)
        if number > start:  # products with unit vectors are exact
            seen = columns.any(axis=1, keepdims=True) | error.any(axis=1, keepdims=True)
            error = size * (np.abs(W) @ np.abs(columns)) + (1 + size) * (np.abs(W) @ error) + _TINY * seen
        else:
            error = np.zeros((count, len(W), columns.shape[2]))
        inputs, inputs_error = W @ columns, error
        columns, error = inputs * opened[:, :, None], error * opened[:, :, None]
        if number + 1 < depth:
            free = coordinates(maybe & ~opened)
            if gates.way:
                found = _sectors(inputs, inputs_error, free, gates.way[number])
                rows, rows_error = (np.concatenate([widened(old, new.shape[2]), new], axis=1)
                                    for old, new in zip((rows, rows_error), found, strict=True))
            columns = np.concatenate([columns, free], axis=2)
            error = np.concatenate([error, np.zeros_like(free)], axis=2)
    return _Followed(columns, error, rows, rows_error, inputs, inputs_error, start)


def _sectors(
    inputs: np.ndarray, error: np.ndarray, unit: np.ndarray, way: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (b, 2 q', q + q') of q' loose units whose differences are the last coordinates.

    For a unit open at x1 alone, relu(a) - relu(b) = a lies between 0 and a - b, the difference of its inputs;
    of one open at x2 alone, between a - b and 0.
    """
    sign = np.einsum("bnq,bn->bq", unit, way.astype(np.float64))[:, :, None]
    picked, wrong = (unit.swapaxes(1, 2) @ x for x in (inputs, error))
    own = np.broadcast_to(np.eye(unit.shape[2]), (len(unit), unit.shape[2], unit.shape[2]))
    inside = np.concatenate([sign * picked, -sign * own], axis=2)
    positive = np.concatenate([np.zeros_like(picked), sign * own], axis=2)
    rows = np.concatenate([inside, positive], axis=1)
    lost = np.concatenate([np.abs(sign) * wrong, np.zeros_like(own)], axis=2)
    return rows, np.concatenate([lost, np.zeros_like(lost)], axis=1)


def _facing(facets: Sequence[Facets], parts: Sequence[_Followed], free: int) -> tuple[np.ndarray, np.ndarray]:
    """The facets of both cones as rows over the columns of both sides; none of a side that does not start
    from the codes.
    """
    blocks = []
    for f, part in zip(facets, parts, strict=True):
        width = part.columns.shape[2]
        blocks.append([widened(x, width) if part.start == 0 else np.zeros((*x.shape[:2], width))
                       for x in (f.rows, f.error)])
    rows, error = (joined_cones(*(block[i] for block in blocks)) for i in (0, 1))
    return widened(rows, rows.shape[2] + free), widened(error, rows.shape[2] + free)
