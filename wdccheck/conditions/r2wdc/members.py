"""One majorant of one deviation matrix, chosen and proved over the range before the layer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from wdccheck.protocol.proof import Map
from wdccheck.ranges.chosen_majorants import Choice
from wdccheck.ranges.copositive import Proved, Refuted, prove
from wdccheck.ranges.image_rays import ImageRays

__all__ = ["Member", "Source", "made"]

_ROUNDS = 2  # of climbs, before refutations make a member better
_SHARE = 0.1  # of what a member leaves below t goes to its own proof
_CUTS = 60  # refutations after which a member is given up


@dataclass(frozen=True, eq=False)
class Source:
    """What members are made of: the range before the layer.

    Attributes
    ----------
    layers : tuple of ndarray
    images : ImageRays
        Their cones.
    some : ndarray of shape (B, n)
        Unit differences.
    """

    layers: tuple[np.ndarray, ...]
    images: ImageRays
    some: np.ndarray


@dataclass(frozen=True, eq=False)
class Member:
    """A majorant of one D, or why there is none.

    Attributes
    ----------
    matrix : ndarray of shape (n, n) or None
    proved : float
        u^T H u is at most that for all unit differences.
    dual : float
        No majorant of this D has less; computed.
    cuts : ndarray of shape (B, n)
        Differences on which it is nearly as large.
    nodes : int
    """

    matrix: np.ndarray | None
    proved: float
    dual: float
    cuts: np.ndarray
    nodes: int


def made(
    source: Source, hot: np.ndarray, t: float, map: Map, deadline: float, D: np.ndarray
) -> Member:
    """A majorant of +-D with u^T H u <= proved < t for all unit differences u, if one is found.

    It starts from the differences `hot` (B, n). What refutes u^T H u <= proved joins them.
    """
    codes = source.images.fan.centers
    choice = Choice.first(source.layers, D, codes, source.some)
    if len(hot):
        choice = choice.improved(hot, deadline)
    choice = choice.climbed(source.layers, codes, deadline, _ROUNDS)
    nodes = 0
    for _ in range(_CUTS):
        least, H = choice.best()
        least, H = math.ldexp(least, choice.exponent), np.ldexp(H, choice.exponent)
        dual = math.ldexp(choice.dual, choice.exponent)
        if dual >= t or time.monotonic() > deadline:
            break
        proved = min(least + _SHARE * (t - least), t) if least < t else t
        found = prove(source.images, (H + H.T) / 2, proved, deadline, map)
        nodes += found.nodes
        if isinstance(found, Proved):
            return Member((H + H.T) / 2, proved, dual, choice.pool.atoms, nodes)
        if not isinstance(found, Refuted):
            break
        choice = choice.improved(found.u, deadline)
    return Member(None, math.inf, math.ldexp(choice.dual, choice.exponent), choice.pool.atoms, nodes)
