"""Points h, x, m, y where the deviation of the joint-WDC is large by theorem, and random ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

import numpy as np

from wdccheck.conditions.condition import Start
from wdccheck.conditions.starts import antipodal_pair, mixed_pairs, theorem_pairs
from wdccheck.geometry import unit

__all__ = ["joint_points", "joint_seeds"]

_SMALL = 16  # dimensions together up to which every pair of starts is tried
_FEW = 4  # the first starts: along singular vectors, or for k = 1 all pairs


def joint_points(B: np.ndarray, C: np.ndarray) -> Iterator[Start]:
    """The starts of the WDC of B with aligned m, y, and of that of C with aligned h, x.

    Besides, over one row i: h, x antipodal and m = y along c_i, where A is at least l |b_i|^2 |c_i|^2
    while Q is near 0, as in Fact 7; and the mirrored one. If n = p = 1 these are all sixteen points.
    """
    first = _SMALL if B.shape[1] + C.shape[1] <= _SMALL else 1
    few = _FEW if first > 1 or min(B.shape[1], C.shape[1]) == 1 else 1
    strong = np.argsort(-np.sum(B * B, axis=1) * np.sum(C * C, axis=1), kind="stable")[:3]
    for i in strong:
        for gating, weighing, pair in (("hx", "my", (B, C)), ("my", "hx", (C, B))):
            apart = antipodal_pair(pair[0], np.array([i])) if pair[0][i].any() else None
            if apart is not None and pair[1][i].any():
                yield Start({gating[0]: apart["r"], gating[1]: apart["s"],
                             weighing[0]: unit(pair[1][i]), weighing[1]: unit(pair[1][i])},
                            "Fact 7, weighted: antipodal on the wall of a row, aligned with its partner")
    seen_b, seen_c = list(theorem_pairs(B)), list(theorem_pairs(C))
    for one, other in (*product(seen_b, islice(seen_c, few)), *product(islice(seen_b, few), seen_c[few:])):
        yield Start({"h": one.point["r"], "x": one.point["s"], "m": other.point["r"], "y": other.point["s"]},
                    f"{one.reason}; {other.reason}")


def joint_seeds(B: np.ndarray, C: np.ndarray, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """n points: one pair of letters as the WDC's seeds, the other too, or aligned, in random order."""
    one, other = mixed_pairs(B, rng, n), mixed_pairs(C, rng, n)
    shuffled = rng.permutation(n)
    points = {"h": one["r"], "x": one["s"], "m": other["r"][shuffled], "y": other["s"][shuffled]}
    kind = rng.random((n, 1))
    points["y"] = np.where(kind < 0.4, points["m"], points["y"])
    points["x"] = np.where(kind > 0.8, points["h"], points["x"])
    return points
