"""Brute force for two latent dimensions, in fractions: the range of a network is a fan of sectors.

Shares no code with the package. Values are approached from below, by points of the range.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.optimize import nnls

ZERO, ONE = Fraction(0), Fraction(1)


def exact(W):
    return [[Fraction(float(x)) for x in row] for row in W]


def apply(W, x):
    return [sum((a * b for a, b in zip(row, x, strict=True)), ZERO) for row in W]


def image(layers, x):
    for W in layers:
        x = [max(a, ZERO) for a in apply(W, x)]
    return x


def pattern(layers, x):
    """The gates of all units, in one tuple."""
    found = []
    for W in layers:
        inputs = apply(W, x)
        found += [a > 0 for a in inputs]
        x = [max(a, ZERO) for a in inputs]
    return tuple(found)


def fan(layers):
    """Rays of R^2, in order, between which all gates stay: lists of fractions."""
    rays = [(ONE, ZERO), (ZERO, ONE), (-ONE, ZERO), (ZERO, -ONE)]
    for depth, W in enumerate(layers):
        finer = []
        for a, b in zip(rays, rays[1:] + rays[:1], strict=True):
            ends = zip(*(apply(W, image(layers[:depth], x)) for x in (a, b)), strict=True)
            cuts = sorted({p / (p - q) for p, q in ends if p * q < 0})
            finer += [a, *(between(a, b, t) for t in cuts)]
        rays = finer
    return rays


def between(a, b, t):
    return tuple(x * (1 - t) + y * t for x, y in zip(a, b, strict=True))


def direction(x):
    """A float unit vector; 0 stays 0."""
    largest = max(map(abs, x), default=ZERO)
    if not largest:
        return np.zeros(len(x))
    found = np.array([float(a / largest) for a in x])
    return found / np.linalg.norm(found)


def secant_cones(layers):
    """Generators (n, 4) of the range differences of any two sectors."""
    ends = np.array([direction(image(layers, x)) for x in fan(layers)])
    following = np.roll(ends, -1, axis=0)
    return [np.stack([ends[i], following[i], -ends[j], -following[j]], axis=1)
            for i in range(len(ends)) for j in range(i, len(ends))]


def differences(cones, rng, n):
    """Unit vectors of the cones, some on their faces."""
    found = np.concatenate([(rng.random((n, 4)) ** 3 * (rng.random((n, 4)) < 0.7)) @ F.T for F in cones])
    lengths = np.linalg.norm(found, axis=1)
    return found[lengths > 1e-9] / lengths[lengths > 1e-9, None]


def nearest(z, cones):
    """The largest |z.v| over unit v of the cones, and v."""
    best, where = 0.0, z
    for F in cones:
        for sign in (1, -1):
            v = F @ nnls(F, sign * z)[0]  # the projection onto the cone
            length = np.linalg.norm(v)
            if length > 1e-9 and abs(z @ v) / length > best:
                best, where = abs(z @ v) / length, v / length
    return best, where


def supremum(D, cones, rng, climbs=3):
    """About sup |u^T D v|, from below."""
    U = differences(cones, rng, 10)
    if not len(U):
        return 0.0
    U = U[rng.permutation(len(U))[:400]]
    values = np.abs(U @ D @ U.T)
    best = float(values.max())
    some = [cones[i] for i in rng.permutation(len(cones))[:40]]
    for place in np.argsort(-values.ravel())[: 8 * climbs: 8]:
        u = U[place // len(U)]
        for _ in range(4):
            value, u = nearest(D @ u, some)
            best = max(best, value)
    return best


def expected(r, s):
    b, d = r + s, r - s
    long, short = np.linalg.norm(b), np.linalg.norm(d)
    theta = 2 * np.arctan2(short, long)
    q = (np.pi - theta) * np.eye(len(r))
    if long > 1e-14 and short > 1e-14:
        q += np.sin(theta) * (np.outer(b, b) / long**2 - np.outer(d, d) / short**2)
    return q / (2 * np.pi)


def gated(layers, W, rng):
    """Unit images and gates: of every wall, and of points inside and near the ends of every sector."""
    rays, found = fan([*layers, W]), []
    for a, b in zip(rays, rays[1:] + rays[:1], strict=True):
        inside = Fraction(int(1000 * rng.random()) + 1, 1002)
        shares = [ZERO, Fraction(1, 10**9), 1 - Fraction(1, 10**9), inside]
        for t in shares:
            r = image(layers, between(a, b, t))
            if any(r):
                found.append((direction(r), np.array([x > 0 for x in apply(W, r)])))
    return found


def r2wdc(layers, W, alpha, rng, climbs=2):
    """About the R2WDC of W behind the layers, from below."""
    exactly = [exact(V) for V in layers]
    cones, codes = secant_cones(exactly), gated(exactly, exact(W), rng)
    U = differences(cones, rng, 8)
    if not len(U) or not codes:
        return 0.0
    U, codes = U[rng.permutation(len(U))[:150]], [codes[i] for i in rng.permutation(len(codes))[:40]]
    matrices = [(W * (a & b)[:, None]).T @ W - alpha * expected(r, s)
                for i, (r, a) in enumerate(codes) for s, b in codes[i:]]
    values = [np.abs(U @ D @ U.T).max() for D in matrices]
    best = float(max(values))
    for i in np.argsort(values)[-climbs:]:
        best = max(best, supremum(matrices[i], cones, rng, 1))
    return best
