"""Central hyperplane arrangements, exactly: rows grouped by line, sign vectors of cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np

from wdccheck.geometry.elimination import Vector, normal, pivots_of, rational
from wdccheck.linalg.rounding import gamma, integers

__all__ = ["Lines", "group_by_line", "topes"]


@dataclass(frozen=True, eq=False)
class Lines:
    """Nonzero rows grouped by the line they span (Fact 10).

    Attributes
    ----------
    rows : ndarray of shape (m, k)
        One representative row per line, the largest.
    positive, negative : ndarray of shape (m,)
        Sums of squared multiples: the rows along +w add to ``positive * w w^T``, those along -w
        to ``negative * w w^T``. Relative error below gamma(n + 4): a ratio is rounded once, which
        counts twice in its square, the square once, and a sum of n at most n - 1 times.
    owner : ndarray of shape (n,)
        The line of each row that was grouped; -1 for zero rows.
    ratio : ndarray of shape (n,)
        Row i is ``ratio[i] * rows[owner[i]]``, the ratio correctly rounded; 0 for zero rows.
    """

    rows: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    owner: np.ndarray
    ratio: np.ndarray


def group_by_line(W: np.ndarray) -> Lines:
    """Drop zero rows of W (n, k) and merge rows that are exact multiples of one another.

    Exact multiples have equal correctly rounded quotients by their largest entry, so equal
    quotients find every candidate; coprime integers confirm each.
    """
    owner, ratio, nonzero = np.full(len(W), -1), np.zeros(len(W)), np.flatnonzero(W.any(axis=1))
    W = W[nonzero]
    largest = np.argmax(np.abs(W), axis=1)
    pivot = np.take_along_axis(W, largest[:, None], axis=1)
    first, bucket = _first_multiples(W, W / pivot + 0.0)  # + 0.0: no negative zeros
    heads = np.unique(first)
    heads = heads[np.lexsort((heads, bucket[heads]))]
    place = np.empty(len(W), dtype=int)
    place[heads] = np.arange(len(heads))
    own = place[first]
    positive, negative = np.ones(len(heads)), np.zeros(len(heads))
    owner[nonzero], ratio[nonzero] = own, 1.0
    count = np.bincount(own, minlength=len(heads))
    together = np.flatnonzero(count[own] > 1)
    together = together[np.lexsort((-np.abs(pivot[together, 0]), own[together]))]
    for group in np.split(together, np.cumsum(count[count > 1])[:-1]) if len(together) else ():
        j, ratios = own[group[0]], pivot[group, 0] / pivot[group[0], 0]  # largest first: no ratio overflows
        heads[j], ratio[nonzero[group]] = group[0], ratios
        positive[j], negative[j] = np.sum(ratios[ratios > 0] ** 2), np.sum(ratios[ratios < 0] ** 2)
    return Lines(W[heads], positive, negative, owner, ratio)


def _first_multiples(W: np.ndarray, quotients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the first one that is a multiple of it, and the first with equal quotients: (n,) both."""
    keys = np.ascontiguousarray(quotients).view(np.dtype((np.void, quotients.itemsize * W.shape[1]))).ravel()
    _, place, inverse, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    first, bucket = np.arange(len(W)), place[inverse]
    shared, home = np.flatnonzero(count[inverse] > 1), dict[tuple[int, ...], int]()
    for start in range(0, len(shared), _ROWS):
        part = shared[start: start + _ROWS]
        for i, line in zip(part.tolist(), _primitive(W[part]), strict=True):
            first[i] = home.setdefault(line, i)
    return first, bucket


def _primitive(W: np.ndarray) -> list[tuple[int, ...]]:
    """The vector of coprime integers, the first one positive, on the line of each nonzero row: exactly."""
    whole, _ = integers(W)
    whole = whole // np.gcd.reduce(whole, axis=1, keepdims=True)
    return [tuple(-x if next(filter(None, x)) < 0 else x) for x in whole]


def topes(rows: np.ndarray, limit: int = 20_000) -> np.ndarray | None:
    """Sign vectors of all open cells of the arrangement {x : w.x = 0}, exactly.

    Parameters
    ----------
    rows : ndarray of shape (m, k)
        Nonzero rows; none needs to be independent of the others.
    limit : int
        Give up (None) if more than this many normals or sign vectors would be needed, or 1000 normals that
        floats cannot tell from those of more rows.

    Returns
    -------
    ndarray of int8, shape (T, m), entries +1 and -1; or None

    Notes
    -----
    Every cell of an arrangement of rank p >= 1 has an extreme ray modulo its lineality space;
    the ray y is orthogonal to p - 1 independent rows, and near y the cell looks like a cell of
    the arrangement of the rows that vanish at y. So the sign vectors are the compositions of
    sign(W y), over all such y, with the sign vectors of the rows that vanish (rank p - 1). Where floats
    prove that only the p - 1 rows vanish, those are all signs; the other y are met in rationals.
    """
    vectors, m = rational(rows), len(rows)
    pivots = pivots_of(vectors)
    q = len(pivots) - 1
    if 2 ** (q + 1) > limit:  # cells of q + 1 independent rows alone
        return None
    if q < 1 or q + 1 == m or comb(m, q) > limit:
        found = _topes(vectors, limit, iter(range(_MET)))
        return None if found is None else np.array(sorted(found), dtype=np.int8).reshape(len(found), m)
    subsets = np.array(list(combinations(range(m), q)))
    scaled = np.ldexp(rows, -np.frexp(np.abs(rows).max(axis=1, keepdims=True))[1])[:, pivots]
    kept, doubtful = [np.empty((0, m), dtype=bool)], []
    rays = max(1, _RAYS >> max(0, q - 8))
    for first in range(0, len(subsets), rays):
        chosen = subsets[first: first + rays]
        positive, sure = _at_normals(scaled, chosen)
        doubtful += [tuple(subset) for subset in chosen[~sure].tolist()]
        kept.append(_distinct(_around(positive[sure], chosen[sure])))
        if len(kept[-1]) > limit:
            return None
    exact = _topes(vectors, limit, iter(range(_MET)), doubtful) if doubtful else set()
    if exact is None:
        return None
    kept.append(np.array(sorted(exact)).reshape(-1, m) > 0)
    half = np.concatenate(kept)
    cells = _distinct(np.concatenate([half, ~half]))
    return None if len(cells) > limit else 2 * cells.astype(np.int8) - 1


_RAYS = 2**13  # of one batch, fewer where each has more than 2**8 cells
_MET = 1000  # normals in rationals
_UNDERFLOW = 2.0**-1000
_ROWS = 2**12  # turned into integers in one go


def _at_normals(rows: np.ndarray, subsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether rows (m, p), entries in [-1, 1], are positive at the normals of subsets (S, p - 1) of them.

    Returns (S, m), undefined on the subset itself, and whether floats prove that no other row vanishes
    there (S,). The product of a row and the normal is a sum of products of p entries, each of which goes
    through less than p^2 + 2 p roundings; so does the sum of magnitudes: gamma(p^2 + 2p) of it, doubled
    for its own error. What underflows, a scaled entry or a product, costs 2^-1075: U_i of a minor of size i,
    which is at most i!, with U_i <= i (U_(i-1) + 2^-1075 ((i-1)! + 1)), so U_p <= 2 p p! 2^-1075 < 2^-1000
    for p <= 20.
    """
    p, count = rows.shape[1], len(subsets)
    minors: dict[tuple[int, ...], np.ndarray] = {(): np.ones((2, count))}  # and magnitudes
    for i in range(p - 1):
        entry = rows[subsets[:, i]].T
        minors = {columns: sum((np.stack([(-1) ** a * entry[c], np.abs(entry[c])])
                                * minors[columns[:a] + columns[a + 1:]] for a, c in enumerate(columns)),
                               np.zeros((2, count)))
                  for columns in combinations(range(p), i + 1)}
    along = [minors[*range(j), *range(j + 1, p)] * np.array([[(-1) ** j], [1]]) for j in range(p)]
    normal, size = np.stack(along, axis=-1)
    value = normal @ rows.T
    sure = np.abs(value) > 2 * gamma(2 * p * (p + 2)) * (size @ np.abs(rows).T) + _UNDERFLOW
    np.put_along_axis(sure, subsets, True, axis=1)
    return value > 0, sure.all(axis=1)


def _around(positive: np.ndarray, subsets: np.ndarray) -> np.ndarray:
    """Sign vectors (S 2^q, m) of the cells around rays where the rows of subsets (S, q) alone vanish."""
    cells = np.repeat(positive[None], 2 ** subsets.shape[1], axis=0)
    for cell, signs in zip(cells, product((False, True), repeat=subsets.shape[1]), strict=True):
        np.put_along_axis(cell, subsets, np.array(signs)[None], axis=1)
    return cells.reshape(-1, positive.shape[1])


def _distinct(cells: np.ndarray) -> np.ndarray:
    """The distinct rows of boolean cells (T, m), sorted."""
    packed = np.packbits(cells, axis=1)
    keys = np.unique(packed.view(f"S{packed.shape[1]}"))
    return np.unpackbits(keys.view(np.uint8).reshape(-1, packed.shape[1]), axis=1,
                         count=cells.shape[1]).astype(bool)


def _topes(
    vectors: list[Vector], limit: int, fuel: Iterator[int], subsets: list[tuple[int, ...]] | None = None
) -> set[tuple[int, ...]] | None:
    """Sign vectors of the cells, or of those around the normals of the given subsets.

    `fuel` is used up by normals, those of all local arrangements together.
    """
    pivots = pivots_of(vectors)
    vectors = [tuple(v[j] for j in pivots) for v in vectors]  # injective on their span
    p, m = len(pivots), len(vectors)
    if p == m:
        return set(product((1, -1), repeat=m)) if 2**m <= limit else None
    if p == 0:
        return None
    if p == 1:
        signs = tuple(_sign(v[0]) for v in vectors)
        return {signs, tuple(-x for x in signs)}
    if comb(m, p - 1) > limit:
        return None
    found: set[tuple[int, ...]] = set()
    seen: set[tuple[int, ...]] = set()
    for subset in combinations(range(m), p - 1) if subsets is None else subsets:
        if next(fuel, None) is None:
            return None
        y = normal([vectors[i] for i in subset], p)
        if y is None:
            continue
        signs = tuple(_sign(sum((a * b for a, b in zip(v, y, strict=True)), Fraction(0)))
                      for v in vectors)
        if signs in seen:
            continue
        seen |= {signs, tuple(-x for x in signs)}
        vanishing = [i for i, x in enumerate(signs) if x == 0]
        local = _topes([vectors[i] for i in vanishing], limit, fuel)
        if local is None:
            return None
        for inner in local:
            for outward in (1, -1):
                full = [outward * x for x in signs]
                for i, x in zip(vanishing, inner, strict=True):
                    full[i] = x
                found.add(tuple(full))
        if len(found) > limit:
            return None
    return found


def _sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)
