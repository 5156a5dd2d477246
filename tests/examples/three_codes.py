"""The one-sided isometry constants for latent dimension 3, by all faces of all pairs of simplicial cones.

Shares no code with the package. Cones are cut in integers, unit by unit. On the interior of a face the
extremes of ||A u||^2/||u||^2 are generalized eigenvalues with a positive vector; where an eigenvalue is
multiple, or the rays of a face are dependent, a smaller face has the same values.
"""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np

from examples.exact_fans import dot, image, integers

_SINGULAR = 1e-9


def simplices(layers):
    """Integer rays (three each) of simplicial cones that cover R^3, on each of which G is linear."""
    found = [tuple(tuple(sign * int(i == j) for j in range(3)) for i, sign in enumerate(signs))
             for signs in product((1, -1), repeat=3)]
    for depth, W in enumerate(layers):
        for row in W:
            found = [piece for cone in found
                     for piece in _cut(cone, [dot(row, image(layers[:depth], ray)) for ray in cone])]
    return found


def _cut(cone, values):
    """The cone, or three that cover it, on each of which a linear function has one sign."""
    signs = [(x > 0) - (x < 0) for x in values]
    if not {1, -1} <= set(signs):
        return [cone]
    ends = [(a, b) for a, b in combinations(range(3), 2) if signs[a] * signs[b] < 0]
    at = {end: _between(cone, values, *end) for end in ends}
    if len(ends) == 1:  # the third ray lies on the plane
        (a, b), (c,) = ends[0], {0, 1, 2} - set(ends[0])
        return [(cone[a], at[a, b], cone[c]), (at[a, b], cone[b], cone[c])]
    (apex,) = set(ends[0]) & set(ends[1])
    (b, one), (c, two) = [(next(i for i in end if i != apex), at[end]) for end in ends]
    return [(cone[apex], one, two), (one, cone[b], cone[c]), (one, two, cone[c])]


def _between(cone, values, a, b):
    """The ray of an edge on which the function vanishes, in least integers."""
    ray = [abs(values[b]) * x + abs(values[a]) * y for x, y in zip(cone[a], cone[b], strict=True)]
    common = math.gcd(*ray)
    return tuple(x // common for x in ray)


def extremes(A, layers):
    """The least and the largest ratio, in floats; (inf, 0) where there are no differences.

    Of more rays than outputs some are dependent; u and -u have one ratio.
    """
    exact = [integers(W) for W in layers]
    cones = simplices(exact)
    rays = sorted({ray for cone in cones for ray in cone})
    images = [image(exact, ray) for ray in rays]
    number = {ray: j for j, ray in enumerate(rays)}
    faces = {part for cone in cones for size in range(4)
             for part in combinations(sorted(number[ray] for ray in cone if any(images[number[ray]])), size)}
    vectors = np.array([[x / math.sqrt(max(dot(v, v), 1)) for x in v] for v in images]).T
    least, most, outputs = math.inf, 0.0, len(vectors)
    for p, q in product(range(4), repeat=2):
        pairs = [(*one, *two) for one in faces if len(one) == p for two in faces if len(two) == q]
        if pairs and q <= p and 0 < p + q <= outputs:
            signed = vectors[:, np.array(pairs)].transpose(1, 0, 2) * ([1] * p + [-1] * q)
            low, high = _stationary(A, signed)
            least, most = min(least, low), max(most, high)
    return least, most


def _stationary(A, K):
    """The least and largest ratio at positive eigenvectors, of columns (b, n, p)."""
    gram = K.swapaxes(1, 2) @ K
    values, vectors = np.linalg.eigh(gram)
    free = values[:, 0] > _SINGULAR
    if not free.any():
        return math.inf, 0.0
    root = vectors[free] / np.sqrt(values[free])[:, None, :]  # K root is orthonormal
    seen = A @ (K[free] @ root)
    ratios, turned = np.linalg.eigh(seen.swapaxes(1, 2) @ seen)
    z = root @ turned
    z = z * np.sign(z.sum(axis=1, keepdims=True))
    inside = (z >= -1e-12 * np.abs(z).max(axis=1, keepdims=True)).all(axis=1)
    found = ratios[inside]
    return (math.inf, 0.0) if not found.size else (float(found.min()), float(found.max()))
