"""Depth first through regions: what a task of the branch and bound does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from wdccheck.engines.proving.relax import proved_below
from wdccheck.protocol.condition import Condition, proof_of, search_of
from wdccheck.protocol.proof import BoxProof, Regions
from wdccheck.protocol.search import batch_size

__all__ = ["Explored", "attempt", "cornered", "explore", "proved_finer"]

_BATCH = 2048  # regions bounded in one go, fewer where one of them takes much memory
_EVERY = 8  # batches between two looks for a point above t
_TRIED = 8  # regions looked at then
_SAMPLED = 7  # points of each, besides its center
_CORNERED = (255, 4.0)  # where nothing else can be done: around, as lines that meet there bound all cells


@dataclass(frozen=True, eq=False)
class Explored:
    """What one task found."""

    visited: int
    left: list[Regions]
    stuck: bool
    value: float = 0.0
    witness: Mapping[str, np.ndarray] | None = None


def explore(
    condition: Condition, t: float, budget: int, deadline: float, regions: Regions
) -> Explored:
    """Depth first from `regions` until nothing is left, or `budget` or the deadline is used up."""
    stack, visited, batches = [regions], 0, 0
    size = min(_BATCH, batch_size(proof_of(condition)))
    while stack and visited < budget and time.monotonic() < deadline:
        batch = _pop(stack, size)
        visited += len(batch)
        failed = batch.take(~_proved(condition, batch, t))
        if not len(failed):
            continue
        if ended := cornered(condition, failed, t, visited, batches % _EVERY == 0):
            return ended
        batches += 1
        stack.append(failed.split())
    return Explored(visited, stack, False)


def cornered(condition: Condition, failed: Regions, t: float, visited: int, look: bool) -> Explored | None:
    """The end of a task: a point of `failed` above t, or a region that cannot be split; else None.

    Points are evaluated if `look` says so, and always where a region cannot be split.
    """
    stuck = ~failed.splittable()
    if look or stuck.any():
        tried, how = (failed.take(stuck), _CORNERED) if stuck.any() else (failed, (_SAMPLED, 1.0))
        value, witness = attempt(condition, tried, t, visited, *how)
        if value > t:
            return Explored(visited, [], False, value, witness)
    return Explored(visited, [], True) if stuck.any() else None


def _pop(stack: list[Regions], size: int) -> Regions:
    """The last regions of the stack, about one batch of them."""
    parts = [stack.pop()]
    while stack and len(parts[-1]) + sum(len(p) for p in parts[:-1]) < size // 2:
        parts.append(stack.pop())
    batch = parts[0].join(parts)
    if len(batch) > size:
        stack.append(batch.take(slice(size, None)))
        batch = batch.take(slice(size))
    return batch


def _proved(condition: Condition, regions: Regions, t: float) -> np.ndarray:
    """Boolean (B,): deviation <= t on the region, by its forms or by finer ones."""
    proved, proof = np.ones(len(regions), dtype=bool), cast(BoxProof, proof_of(condition))
    for form in proof.forms(regions):
        proved &= proved_below(form, t)
    left = np.flatnonzero(~proved)
    if len(left):
        proved[left] = proved_finer(condition, regions.take(left), t)
    return proved


def proved_finer(condition: Condition, regions: Regions, t: float) -> np.ndarray:
    """Boolean (B,): regions that the condition's finer forms prove."""
    proved, proof = np.zeros(len(regions), dtype=bool), cast(BoxProof, proof_of(condition))
    for owners, forms in proof.finer(regions):
        below = np.ones(len(owners), dtype=bool)
        for form in forms:
            below &= proved_below(form, t)
        whole = np.zeros(len(regions), dtype=bool)
        whole[owners] = True  # if every one of its entries is proved
        whole[owners[~below]] = False
        proved |= whole
    return proved


def attempt(
    condition: Condition, regions: Regions, t: float, visited: int, points: int = _SAMPLED, reach: float = 1.0
) -> tuple[float, Mapping[str, np.ndarray] | None]:
    """The best of a few points of the regions, if it exceeds t as a proved lower bound.

    Points may be taken `reach` times as far from the center: any direction is a witness.
    """
    few = regions.take(slice(0, None, max(1, len(regions) // _TRIED)))
    sampled = few.sample(np.random.default_rng(visited), points)
    tried = {}
    for letter, center in few.centers().items():
        around = center[:, None] + reach * (sampled[letter] - center[:, None])
        tried[letter] = np.concatenate([center[:, None], around], axis=1).reshape(-1, center.shape[1])
    values = search_of(condition, "freeze").freeze(tried).value
    best = int(np.argmax(values))
    if not values[best] > t:
        return 0.0, None
    witness = {letter: value[best] for letter, value in tried.items()}
    return condition.lower_bound(witness), witness
