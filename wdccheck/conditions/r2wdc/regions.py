"""Pairs of groups, cones or parts of cones that hold (r, s), as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Regions"]


@dataclass(frozen=True, eq=False)
class Regions:
    """Pairs of groups or parts of cones.

    Attributes
    ----------
    nodes : ndarray of int, shape (B, 2)
        Nodes of the tree.
    weights : ndarray of shape (B, 2, k, k)
        What a part is of its cone; the identity for all of it.
    depth : ndarray of int, shape (B, 2)
        Cuts of the cones.
    hint : ndarray of int, shape (B,)
        The member to try first.
    bound : ndarray of shape (B,)
        What is proved: the deviation is at most that.
    """

    nodes: np.ndarray
    weights: np.ndarray
    depth: np.ndarray
    hint: np.ndarray
    bound: np.ndarray

    @staticmethod
    def root(k: int) -> Regions:
        """Everything."""
        return Regions(np.zeros((1, 2), dtype=int), np.broadcast_to(np.eye(k), (1, 2, k, k)).copy(),
                       np.zeros((1, 2), dtype=int), np.zeros(1, dtype=int), np.full(1, np.inf))

    def __len__(self) -> int:
        return len(self.nodes)

    def take(self, index: np.ndarray | slice) -> Regions:
        """The regions of `index`."""
        return Regions(*(getattr(self, name)[index] for name in _FIELDS))

    @staticmethod
    def join(parts: Sequence[Regions]) -> Regions:
        """All regions of `parts`, at least one."""
        return Regions(*(np.concatenate([getattr(p, name) for p in parts]) for name in _FIELDS))


_FIELDS = ("nodes", "weights", "depth", "hint", "bound")
