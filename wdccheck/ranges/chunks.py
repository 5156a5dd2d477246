"""How many boxes an enumeration of cones looks at in one go, which bounds its memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["chunk_of"]

_CHUNK = 8192  # boxes, of small networks
_ENTRIES = 2**20  # of one temporary array: the inputs of all units over the boxes


def chunk_of(layers: Sequence[np.ndarray], k: int) -> int:
    """So many boxes that the inputs of all units as functions of R^k, formed for each, take some MiB."""
    return max(1, min(_CHUNK, _ENTRIES // (k * max(1, sum(map(len, layers))))))
