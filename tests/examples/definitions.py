"""The definitions written out: in floats, in fractions, and in many digits.

The functions named ``plain_*`` follow section 1 of docs/theory.md letter by letter. Nothing here shares code
with the package.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np

TWO_PI = 2 * np.pi


def plain_q(r, s):
    """Q_{r,s} of [HV] Def. 2 with M given by its action on an orthonormal basis of span(r, s)."""
    r, s = np.asarray(r, float), np.asarray(s, float)
    k = len(r)
    if not (r.any() and s.any()):
        return np.zeros((k, k))
    r, s = r / np.linalg.norm(r), s / np.linalg.norm(s)
    across = s - (r @ s) * r
    sine = np.linalg.norm(across)
    theta = np.arctan2(sine, r @ s)
    e = across / sine if sine > 1e-15 else np.zeros(k)
    # M r = s and M s = r: in the basis (r, e) it is the reflection ((cos, sin), (sin, -cos))
    M = np.cos(theta) * (np.outer(r, r) - np.outer(e, e)) + np.sin(theta) * (np.outer(r, e) + np.outer(e, r))
    return ((np.pi - theta) * np.eye(k) + np.sin(theta) * M) / (2 * np.pi)


def plain_a(W, r, s):
    """A_{r,s}, row by row."""
    A = np.zeros((W.shape[1], W.shape[1]))
    for w in W:
        if w @ r > 0 and w @ s > 0:
            A += np.outer(w, w)
    return A


def plain_deviation(W, alpha, r, s):
    """||A_{r,s} - alpha Q_{r,s}||_2."""
    return float(np.linalg.norm(plain_a(W, r, s) - alpha * plain_q(r, s), 2))


def top(matrix):
    """The largest eigenvalue."""
    return float(np.linalg.eigvalsh(matrix)[-1])


def fractions(array):
    """Nested lists of the exact rational values."""
    return [fractions(x) for x in array] if np.ndim(array) else Fraction(float(array))


def exact_dot(x, y):
    """The inner product of two lists of Fractions."""
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def exactly_semidefinite(matrix):
    """Whether a symmetric list of lists of Fractions is positive semidefinite: L D L^T, exactly."""
    m = [list(row) for row in matrix]
    for j in range(len(m)):
        if m[j][j] < 0 or (m[j][j] == 0 and any(m[j][i] for i in range(j, len(m)))):
            return False
        if m[j][j] == 0:
            continue
        for i in range(j + 1, len(m)):
            factor = m[i][j] / m[j][j]
            for c in range(j + 1, len(m)):
                m[i][c] -= factor * m[j][c]
    return True


def exact_q(r, s):
    """Q_{r,s} of the stored floats, as an mpmath matrix; call it inside ``mpmath.workdps``."""
    r, s = ([mpmath.mpf(float(x)) for x in v] for v in (r, s))
    k = len(r)
    r_norm, s_norm = (mpmath.sqrt(mpmath.fsum(x * x for x in v)) for v in (r, s))
    r, s = [x / r_norm for x in r], [x / s_norm for x in s]
    b, d = [x + y for x, y in zip(r, s, strict=True)], [x - y for x, y in zip(r, s, strict=True)]
    bb, dd = mpmath.fsum(x * x for x in b), mpmath.fsum(x * x for x in d)
    theta = 2 * mpmath.atan2(mpmath.sqrt(dd), mpmath.sqrt(bb))
    sine = mpmath.sin(theta)
    q = mpmath.matrix(k, k)
    for i in range(k):
        for j in range(k):
            m = (b[i] * b[j] / bb if bb else 0) - (d[i] * d[j] / dd if dd else 0)
            q[i, j] = ((mpmath.pi - theta) * (i == j) + sine * m) / (2 * mpmath.pi)
    return q


def exact_deviation(W, alpha, r, s):
    """The deviation of the stored floats with gates by exact sign, as an mpf; as :func:`exact_q`."""
    k = W.shape[1]
    r_exact, s_exact = fractions(r), fractions(s)
    A = [[Fraction(0)] * k for _ in range(k)]
    for w in fractions(W):
        if exact_dot(w, r_exact) > 0 and exact_dot(w, s_exact) > 0:
            A = [[A[i][j] + w[i] * w[j] for j in range(k)] for i in range(k)]
    q = exact_q(r, s)
    difference = mpmath.matrix(k, k)
    for i in range(k):
        for j in range(k):
            entry = mpmath.mpf(A[i][j].numerator) / A[i][j].denominator
            difference[i, j] = entry - mpmath.mpf(float(alpha)) * q[i, j]
    values = mpmath.eigsy(difference, eigvals_only=True)
    return max(abs(x) for x in values)


def plane_deviation(p, z, alpha, phi_r, phi_s):
    """Fact 18: the deviation of A = (p, z) at directions of the angles phi_r, phi_s."""
    theta = np.abs((phi_r - phi_s + np.pi) % (2 * np.pi) - np.pi)
    scale = alpha / (2 * np.pi)
    swap = np.exp(1j * (phi_r + phi_s))
    return np.abs(p - scale * (np.pi - theta)) + np.abs(z - scale * np.sin(theta) * swap)


def plane_epsilon(W, alpha=1.0):
    """epsilon of W (n, 2), by Fact 18: the maximum over the edges of all pairs of arcs.

    The gates are those of the arcs' midpoints; each edge is searched on a grid, then zoomed in on.
    """
    W = W[W.any(axis=1)]
    if not len(W):
        return alpha / 2
    walls = np.arctan2(W[:, 1], W[:, 0]) % np.pi
    walls = np.sort(walls)
    walls = walls[np.diff(walls, prepend=walls[-1] - np.pi) > 1e-13]  # one per line
    ends = np.concatenate([walls, walls + np.pi, walls[:1] + 2 * np.pi]) - np.pi / 2
    low, high, m = ends[:-1], ends[1:], len(walls)
    middle = (low + high) / 2
    gates = np.stack([np.cos(middle), np.sin(middle)], axis=1) @ W.T > 0
    segments, grams = [], []
    for i in range(2 * m):
        for j in range(i, 2 * m):
            on = W[gates[i] & gates[j]]
            A = on.T @ on
            corners = [(x, y) for x in (low[i], high[i]) for y in (low[j], high[j])]
            a, b, c, d = corners
            edges = [(a, b), (c, d), (a, c), (b, d)]
            if j in (i, i + m):
                edges.append((a, d))  # theta = 0, theta = pi
            segments += edges
            grams += [(np.trace(A) / 2, (A[0, 0] - A[1, 1]) / 2 + 1j * A[0, 1])] * len(edges)
    (start, stop), (p, z) = np.moveaxis(np.array(segments), 1, 0), np.array(grams).T[:, :, None]
    t_low, t_high, best = np.zeros(len(p)), np.ones(len(p)), 0.0
    for _ in range(5):
        t = np.linspace(t_low, t_high, 65, axis=1)
        phi = start[:, None, :] + t[:, :, None] * (stop - start)[:, None, :]
        value = plane_deviation(p.real, z, alpha, phi[..., 0], phi[..., 1])
        best = max(best, float(value.max()))
        center = np.take_along_axis(t, np.argmax(value, axis=1)[:, None], axis=1)[:, 0]
        width = (t_high - t_low) / 64
        t_low, t_high = np.maximum(center - width, 0.0), np.minimum(center + width, 1.0)
    return best


def unit(x):
    return x / np.linalg.norm(x)


def directions(rng, k, count):
    return [unit(rng.standard_normal(k)) for _ in range(count)]


def plain_angle(r, s):
    r, s = unit(r), unit(s)
    return 2 * np.arctan2(np.linalg.norm(r - s), np.linalg.norm(r + s))
