"""Small networks whose cones are awkward, and what is wrong with a fan, in rational numbers.

Shares no code with the package.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from fractions import Fraction
from itertools import combinations

import numpy as np


def plain(rng, k):
    return [rng.standard_normal((5, k)), rng.standard_normal((4, 5))]


def ties(rng, k):
    """Integers, three layers."""
    return [rng.integers(-2, 3, shape).astype(float) for shape in ((4, k), (4, 4), (3, 4))]


def repeated(rng, k):
    """Repeated, opposite, parallel and zero rows in both layers."""
    layers = []
    for n in (k, 8):
        W = rng.integers(-3, 4, (4, n)).astype(float)
        layers.append(np.vstack([W, W[:1], -W[1:2], 2 * W[2:3], np.zeros(n)]))
    return layers


def dead_units(rng, k):
    """Units that never open, and a layer that closes on most of R^k."""
    V = rng.standard_normal((4, 5))
    V[0], V[1] = -np.abs(V[0]), 0.0
    return [rng.standard_normal((5, k)), V, rng.standard_normal((3, 4)) - 0.8]


def dead_region(rng, k):
    """All units of the first layer are closed for x_1 < 0 and x_j = 0."""
    W = 0.3 * rng.standard_normal((4, k))
    W[:, 0] = 1 + rng.random(4)
    return [W, rng.standard_normal((4, 4))]


def on_a_face(rng, k):
    """Units of layer 2 that vanish where two units of layer 1 do, and nowhere beside."""
    W = rng.integers(-2, 3, (4, k)).astype(float)
    V = np.zeros((4, 4))
    V[0, [0, 1]], V[1, [0, 1]], V[2, [0, 1, 2]], V[3] = 1, -1, (1, 2, 1), rng.integers(-1, 2, 4)
    return [W, V]


def one_flat(rng, k):
    """All rows are orthogonal to (1, ..., 1)."""
    W = rng.integers(-3, 4, (5, k)).astype(float)
    W[:, -1] -= W.sum(axis=1)
    return [W, rng.integers(-2, 3, (4, 5)).astype(float)]


def both_signs(rng, k):
    """W_1 = [I; -I]: every image of a ray of the coordinates is one unit."""
    return [np.vstack([np.eye(k), -np.eye(k)]), rng.integers(-2, 4, (3, 2 * k)).astype(float)]


def few_units(rng, k):
    """Cones of lower rank, whose images are no simplices."""
    middle = rng.integers(-1, 3, (2, 4)).astype(float)
    return [rng.standard_normal((4, k)), middle, rng.standard_normal((3, 2))]


def thin(rng, k):
    """Rows an ulp beside another one, or beside a combination of two."""
    W = rng.standard_normal((3, k))
    return [np.vstack([W, np.nextafter(W[:1], 9.0), W[1:2] + W[2:3]]), rng.standard_normal((3, 5))]


KINDS = (plain, ties, repeated, dead_units, dead_region, on_a_face, one_flat, both_signs, few_units, thin)


def integers(array):
    """A positive multiple of a vector or a matrix, in lists of integers."""
    exact = [Fraction(float(x)) for x in np.ravel(array)]
    common = math.lcm(*(x.denominator for x in exact))
    found = iter([x.numerator * (common // x.denominator) for x in exact])
    return [[next(found) for _ in row] for row in array] if np.ndim(array) == 2 else list(found)


def dot(x, y):
    return sum(map(operator.mul, x, y))


def small(kind, k, seed):
    """Such a network; if the seed is odd, with layers of scales from 1e-100 to 1e100."""
    layers = kind(np.random.default_rng(seed), k)
    powers = (0, 100, -100) if seed % 2 else (0, 0, 0)
    return [W * 10.0 ** powers[(seed + i) % 3] for i, W in enumerate(layers)]


def exact_signs(layers, x):
    """Signs of the inputs of all units at integers x, one after the other."""
    found = []
    for W in layers:
        inputs = [dot(row, x) for row in W]
        found += [(a > 0) - (a < 0) for a in inputs]
        x = [max(a, 0) for a in inputs]
    return found


def image(layers, x):
    """G(x) of integers."""
    for W in layers:
        x = [max(dot(row, x), 0) for row in W]
    return x


def determinant(rows):
    """Of at most 3 rows."""
    if len(rows) == 1:
        return rows[0][0]
    return sum((-1) ** j * rows[0][j] * determinant([row[:j] + row[j + 1:] for row in rows[1:]])
               for j in range(len(rows)))


def distance(vector, ray):
    """How far a float vector is from a ray of integers."""
    vector = [Fraction(float(x)) for x in vector]
    share = max(dot(vector, ray) / dot(ray, ray), 0)
    return math.sqrt(sum((a - share * b) ** 2 for a, b in zip(vector, ray, strict=True)))


def defects(fan):
    """What is wrong with a fan: gaps, overlaps, T-junctions, cones where G is not linear, wrong numbers."""
    found, layers = [], [integers(W) for W in fan.layers]
    k, simplices = fan.rays.shape[1], fan.simplices.tolist()
    rays = [[int(x) for x in fan.exact_ray(v)] for v in range(len(fan.rays))]
    if len({tuple(x // math.gcd(*ray) for x in ray) for ray in rays}) != len(rays):
        found.append("a ray comes twice")
    found += ["a ray is off" for ray, x, error in zip(rays, fan.rays, fan.ray_error, strict=True)
              if distance(x, ray) > error]
    signs = [exact_signs(layers, ray) for ray in rays]
    at, inside = (np.concatenate([np.zeros((n, 0), dtype=bool), *gates], axis=1).tolist()
                  for n, gates in ((len(rays), fan.open_at), (fan.cells.max() + 1, fan.gates)))
    found += ["gates at a ray" for v, sign in enumerate(signs) if [s > 0 for s in sign] != at[v]]
    walls = defaultdict(list)
    for simplex, cell in zip(simplices, fan.cells.tolist(), strict=True):
        corners = [rays[v] for v in simplex]
        middle = exact_signs(layers, [sum(x) for x in zip(*corners, strict=True)])
        if [s > 0 for s in middle] != inside[cell]:
            found.append("gates of a cell")
        if any({1, -1} <= set(unit) for unit in zip(*(signs[v] for v in simplex), strict=True)):
            found.append("a unit changes its sign in a simplex")
        if not determinant(corners):
            found.append("a flat simplex")
        for i in range(k):
            walls[frozenset(simplex) - {simplex[i]}].append(simplex[i])
    for wall, tops in walls.items():
        sides = [determinant([*(rays[v] for v in sorted(wall)), rays[top]]) for top in tops]
        if len(sides) != 2 or sides[0] * sides[1] >= 0:
            found.append("a face that is not that of two simplices, one on each side")
    shares = dict(zip(simplices[0], (97, 101, 103), strict=False))
    point = [sum(share * rays[v][j] for v, share in shares.items()) for j in range(k)]
    if sum(contains([rays[v] for v in simplex], point) for simplex in simplices) != 1:
        found.append("a point that is not in one simplex")
    return found


def contains(corners, x):
    """Whether x lies in the interior of the simplicial cone."""
    whole = determinant(corners)
    return all(determinant([*corners[:i], x, *corners[i + 1:]]) * whole > 0 for i in range(len(corners)))


def spanned(ray, others):
    """Whether a ray is a combination of two others without negative coefficients; all not parallel."""
    one, other = others
    for i, j in combinations(range(len(ray)), 2):
        whole = one[i] * other[j] - one[j] * other[i]
        if whole:
            a = Fraction(ray[i] * other[j] - ray[j] * other[i], whole)
            b = Fraction(one[i] * ray[j] - one[j] * ray[i], whole)
            return a >= 0 and b >= 0 and all(
                x == a * y + b * z for x, y, z in zip(ray, one, other, strict=True))
    return False
