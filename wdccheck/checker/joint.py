"""Both parts of the joint-WDC at a stored witness, recomputed from the definitions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wdccheck.checker.definitions import (
    RELATIVE,
    SLACK,
    Check,
    expectation,
    letter_of,
    open_rows,
    scaled_up,
    unit,
)

__all__ = ["reevaluate_joint", "stored_pair"]


def stored_pair(certificate: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """B (l, n) and C (l, p) that a result carries; None if it carries none or malformed ones."""
    try:
        found = []
        for name in "BC":
            stored = certificate["condition"]["weights"][name]
            n, k = (int(size) for size in stored["shape"])
            data = base64.b64decode(stored["data"], validate=True)
            found.append(np.frombuffer(data, dtype="<f8").reshape(n, k).astype(np.float64))
        sound = len(found[0]) == len(found[1]) > 0 and all(W.size and np.isfinite(W).all() for W in found)
        return (found[0], found[1]) if sound else None
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, binascii.Error):
        return None


def reevaluate_joint(certificate: Mapping[str, Any]) -> Check:
    """Whether the deviation at the stored witness, and the part that attains it, are as stored.

    As for :func:`~wdccheck.checker.reevaluate`; the slack is ``1e-12 (trace(A) + alpha)``.
    """
    what, condition = "lower bound", certificate["condition"]
    pair = stored_pair(certificate)
    if pair is None:
        return Check(what, None, "the file does not carry the weights")
    digest = hashlib.sha256()
    for W in pair:
        digest.update(("(" + ", ".join(str(n) for n in W.shape) + ")").encode("ascii"))
        digest.update(W.astype("<f8").tobytes(order="C"))
    if digest.hexdigest() != condition["sha256"]:
        return Check(what, False, "the sha256 of the weights is not the one recorded")
    if condition["shape"] != [*pair[0].shape, pair[1].shape[1]]:
        return Check(what, False, f"the weights are not of the shape {condition['shape']!r} recorded")
    lower = float(certificate["lower"])
    if certificate["witness"] is None:
        return Check(what, lower == 0, "no witness" + ("" if lower == 0 else ", yet lower > 0"), None)
    B, C = pair
    letters = [letter_of(certificate["witness"], x, W.shape[1])
               for x, W in zip("hxmy", (B, B, C, C), strict=True)]
    if any(value is None for value in letters):
        return Check(what, False, "the witness is not four nonzero directions of the right dimensions")
    h, x, m, y = (np.asarray(value) for value in letters)
    alpha = float(condition["alpha"])
    parts = {"B": _part(B, C, alpha, (h, x), (m, y)), "C": _part(C, B, alpha, (m, y), (h, x))}
    value, slack = max(v for v, _ in parts.values()), SLACK * max(s for _, s in parts.values())
    passed = lower - slack <= value <= lower * (1 + RELATIVE) + slack
    part = certificate.get("part")
    if part not in list(parts) or parts[part][0] < lower - slack:
        return Check(what, False, f"part {part!r} does not attain the lower bound {lower!r}", value)
    return Check(what, bool(passed), f"deviation at the witness {value!r}, recorded {lower!r}", value)


def _part(
    B: np.ndarray, C: np.ndarray, alpha: float, gating: tuple[np.ndarray, np.ndarray],
    weighing: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """||A - alpha kappa Q||, and trace(A) + alpha, at any scale of B, C and alpha."""
    e, f = (math.frexp(float(np.abs(W).max()))[1] if W.any() else -5000 for W in (B, C))
    total = max(e + f, (math.frexp(alpha)[1] + 1) // 2)  # A = 4^total A', alpha = 4^total alpha'
    m, y = (unit(v) for v in weighing)
    weights = np.array([max(math.fsum(c * m), 0.0) * max(math.fsum(c * y), 0.0)
                        for c in (np.ldexp(C, -f) if C.any() else C)]) * len(B)
    gates = np.array(open_rows(B, gating[0])) & np.array(open_rows(B, gating[1]))
    V = (np.ldexp(B, -e) if B.any() else B)[gates]
    A = np.ldexp(V.T @ (V * weights[gates, None]), 2 * (e + f - total))
    alpha = math.ldexp(alpha, -2 * total)
    kappa = float(m @ expectation(m, y) @ y)
    value = float(np.linalg.norm(A - alpha * kappa * expectation(*gating), 2))
    return scaled_up(value, 2 * total), scaled_up(float(np.trace(A)) + alpha, 2 * total)
