"""Whole subtrees of boxes proved by the compiled kernel from the plain data of a gated sum."""

from __future__ import annotations

import time
from typing import cast

import numpy as np

from wdccheck import _kernels
from wdccheck.engines.proving.depth_first import Explored, cornered, proved_finer
from wdccheck.geometry.boxes import MAX_DEPTH, Boxes
from wdccheck.protocol.condition import Condition, proof_of
from wdccheck.protocol.proof import BoxProof, Regions

__all__ = ["provable", "prove_subtrees"]

_CHUNK = 2**15  # nodes at most between two looks at the clock and for a point above t
_ENTRIES = 2**29  # of matrices added up meanwhile: about half a second,
_CACHED = 2**19  # where all of them together are no more than that; eight times as long beyond
_ROOM = 2048  # boxes that the kernel hands back before they are looked at
_FEW = 16  # of them between two looks at the clock


def provable(proof: BoxProof, roots: Regions) -> bool:
    """Whether the kernels here prove subtrees of these regions."""
    gated = proof.compiled
    return (_kernels.prove is not None and gated is not None and isinstance(roots, Boxes)
            and gated.letters == roots.letters and len(roots.letters) == 2
            and 2 <= gated.rows.shape[1] <= _kernels.MOST and len(gated.rows) > 0)


def prove_subtrees(
    condition: Condition, t: float, budget: int, deadline: float, regions: Boxes
) -> Explored:
    """What `explore` does, by the compiled kernel; boxes that it finds hard are proved by finer forms."""
    gated = cast(BoxProof, proof_of(condition)).compiled
    assert _kernels.prove is not None and gated is not None
    problem = _kernels.Problem(gated.rows, gated.positive, gated.negative, gated.alpha, gated.pad,
                               t / gated.scale, MAX_DEPTH)
    size = problem.outer[0].size
    chunk = max(1, min(_CHUNK, (_ENTRIES if size <= _CACHED else _ENTRIES // 8) // size))
    visited = 0
    while len(regions) and visited < budget and time.monotonic() < deadline:
        center, half = (np.concatenate(x).T for x in (regions.center, regions.half))
        progress = _kernels.prove(problem, center, half, min(chunk, budget - visited), _ROOM)
        visited += progress.visited
        left, hard = (_boxes(regions.letters, *found) for found in (progress.left, progress.hard))
        hard = _unproved(condition, hard, t, deadline)
        if time.monotonic() >= deadline:
            regions = left.join([hard, left])
            break
        for failed, look in ((hard, True), (left.take(left.splittable()), True)):
            if len(failed) and (ended := cornered(condition, failed, t, visited, look)):
                return ended
        regions = left.join([hard.split(), left]) if len(hard) else left
    return Explored(visited, [regions] if len(regions) else [], False)


def _unproved(condition: Condition, hard: Boxes, t: float, deadline: float) -> Boxes:
    """The boxes that no finer forms prove; after the deadline, all the others, too."""
    proved = np.zeros(len(hard), dtype=bool)
    for i in range(0, len(hard), _FEW):
        if time.monotonic() >= deadline:
            break
        proved[i:i + _FEW] = proved_finer(condition, hard.take(slice(i, i + _FEW)), t)
    return hard.take(~proved)


def _boxes(letters: tuple[str, ...], center: np.ndarray, half: np.ndarray) -> Boxes:
    return Boxes(letters, tuple(np.split(center.T, 2)), tuple(np.split(half.T, 2)))
