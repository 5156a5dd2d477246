"""Small layers behind small networks, with rows that are closed on faces, for libraries of majorants."""

from __future__ import annotations

import numpy as np

import wdccheck as wc

NETS = {
    "ties": ([[1, 0], [-1, 1], [0, -1], [1, 1]], [[1, -1, 0, 1], [0, 1, -1, -1], [1, 1, 1, 0]]),
    "face": ([[1, 0], [-1, 0], [0, 1]], [[1, 1, 0], [0, 0, 1], [1, -1, 1]]),
    "three": ([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0, 0], [1, -1, 1, -1], [0, 0, 1, -2]]),
}


def of(name, alpha=1.0):
    """The R2WDC of the last layer."""
    return wc.R2WDC(wc.ReLUNetwork([np.array(W, dtype=float) for W in NETS[name]]), 2, alpha)
