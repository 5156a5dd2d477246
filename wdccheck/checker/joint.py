"""Both parts of the joint-WDC at a stored witness, recomputed from the definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from wdccheck.checker import definitions, ranges
from wdccheck.checker.definitions import Check, Outcome, letter_of, unit
from wdccheck.checker.exact import compared, expectation, integers, lengths, products, without_witness
from wdccheck.checker.intervals import Interval
from wdccheck.checker.norms import Form

__all__ = ["forms_of", "reevaluate_joint", "stored_pair"]

Pair = tuple[np.ndarray, np.ndarray]


def stored_pair(certificate: Mapping[str, Any]) -> Pair | None:
    """B (l, n) and C (l, p) that a result carries; None if it carries none or malformed ones."""
    stored = certificate["condition"].get("weights")
    if not isinstance(stored, Mapping):
        return None
    B, C = (ranges.matrix(stored.get(name)) for name in "BC")
    return (B, C) if B is not None and C is not None and len(B) == len(C) else None


def reevaluate_joint(certificate: Mapping[str, Any]) -> Check:
    """Whether the deviation at the stored witness, and the part that attains it, are as stored.

    As for :func:`~wdccheck.checker.reevaluate`.
    """
    what, condition = "lower bound", certificate["condition"]
    pair = stored_pair(certificate)
    if pair is None:
        return Check(what, Outcome.NOT_PROVED, "the file does not carry the weights")
    if ranges.hash_of(pair) != condition["sha256"]:
        return Check(what, Outcome.REFUTED, "the sha256 of the weights is not the one recorded")
    if list(condition["shape"]) != [*pair[0].shape, pair[1].shape[1]]:
        return Check(what, Outcome.REFUTED,
                     f"the weights are not of the shape {condition['shape']!r} recorded")
    lower = float(certificate["lower"])
    if certificate["witness"] is None:
        return without_witness(what, lower)
    B, C = pair
    letters = [letter_of(certificate["witness"], x, W.shape[1])
               for x, W in zip("hxmy", (B, B, C, C), strict=True)]
    if any(value is None for value in letters):
        return Check(what, Outcome.REFUTED,
                     "the witness is not four nonzero directions of the right dimensions")
    h, x, m, y = (np.asarray(value) for value in letters)
    alpha = float(condition["alpha"])
    parts = {name: form.norm() for name, form in forms_of(pair, alpha, (h, x), (m, y)).items()}
    found = compared(what, parts["B" if parts["B"].low >= parts["C"].low else "C"], lower)
    part = certificate.get("part")
    if part not in list(parts) or parts[part].high < Fraction(lower):
        return Check(what, Outcome.REFUTED, f"part {part!r} does not attain the lower bound {lower!r}",
                     found.value)
    own = compared(what, parts[part], lower)
    return Check(what, own.outcome, own.detail, found.value)


def forms_of(pair: Pair, alpha: float, first: Pair, second: Pair) -> dict[str, Form]:
    """A - alpha kappa Q of both parts, for (h, x) and (m, y)."""
    B, C = pair
    return {"B": _part(B, C, alpha, first, second), "C": _part(C, B, alpha, second, first)}


def _part(B: np.ndarray, C: np.ndarray, alpha: float, gating: Pair, weighing: Pair) -> Form:
    """Of one part, at any scale of B, C and alpha."""
    (h, x), (m, y) = (tuple(integers(v) for v in pair) for pair in (gating, weighing))
    opened = [a > 0 and b > 0 for a, b in products(B, (h, x))]
    heights = [len(B) * max(a, Fraction(0)) * max(b, Fraction(0)) for a, b in products(C, (m, y))]
    V, weights = B[opened], [height for height, on in zip(heights, opened, strict=True) if on]
    scale, Q = lengths(m, y), expectation(h, x)
    kappa = expectation(m, y)(m, y) / scale

    def gram(u: np.ndarray) -> Interval:
        squares = (w * product * product for w, (product,) in zip(weights, products(V, (u,)), strict=True))
        return Interval.of(sum(squares, Fraction(0))) / scale

    floats = _floats(B, C, alpha, V, np.asarray(opened), gating, weighing)
    return Form(*floats, alpha, gram, lambda u: kappa * Q(u, u))


def _floats(
    B: np.ndarray, C: np.ndarray, alpha: float, V: np.ndarray, opened: np.ndarray, gating: Pair,
    weighing: Pair,
) -> tuple[np.ndarray, float, int, int]:
    """A - alpha kappa Q over a power of two, its size without cancellation, its rows, and the power."""
    e, f = (math.frexp(float(np.abs(W).max()))[1] if W.any() else -5000 for W in (B, C))
    total = max(e + f, (math.frexp(alpha)[1] + 1) // 2)  # A = 4^total A', alpha = 4^total alpha'
    m, y = (unit(v) for v in weighing)
    scaled = np.ldexp(C, -f)[opened] if C.any() else C[opened]
    weights = np.array([max(math.fsum(c * m), 0.0) * max(math.fsum(c * y), 0.0) for c in scaled]) * len(B)
    rows = np.ldexp(V, -e) if V.any() else V
    gram = np.ldexp(rows.T @ (rows * weights[:, None]), 2 * (e + f - total))
    kappa = float(m @ definitions.expectation(m, y) @ y)
    alpha = math.ldexp(alpha, -2 * total)
    heights = len(B) * np.sum(scaled * scaled, axis=1)  # at least |weights|, however much cancels in them
    size = math.ldexp(float(np.sum(rows * rows * heights[:, None])), 2 * (e + f - total)) + alpha
    difference = gram - alpha * kappa * definitions.expectation(*gating)
    return difference, size, len(B) + C.shape[1], 2 * total
