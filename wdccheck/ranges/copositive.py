"""Whether u^T H u <= t ||u||^2 for all differences u of a range: copositivity on pairs of cones (Fact 25)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from wdccheck.errors import OutOfTime
from wdccheck.ranges import differences
from wdccheck.ranges.exact_pairs import ExactPairs, Images, Violation
from wdccheck.ranges.float_pairs import Gathered, Part, Problem, Task, prove_blocks
from wdccheck.ranges.image_rays import ImageRays

__all__ = ["Images", "Proved", "Refuted", "Undecided", "codes_of", "prove"]

_REFUTATIONS = 64  # found by floats, after which no more are looked for
_PARALLEL = 1 - 1e-12  # cosine of images that are taken for one ray in the codes of a witness
_CHUNK = 2**14  # rays whose images are compared with those in one go
_LATE = "not all pairs of cones were looked into in time"

Map = Callable[[Callable[[Task], Part], Sequence[Task]], Iterable[Part]]


@dataclass(frozen=True, eq=False)
class Proved:
    """u^T H u <= t ||u||^2 for all differences.

    Attributes
    ----------
    nodes, pairs, exact : int
        Matrices looked into; pairs of cones that were not proved in groups; matrices decided in integers.
    tapes : tuple of ndarray of uint8
        What was done for each pair of blocks (:mod:`wdccheck._kernels.ray_blocks`), if it was wanted.
    """

    nodes: int
    pairs: int
    exact: int
    tapes: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, eq=False)
class Refuted:
    """Differences u with u^T H u > t ||u||^2, proved; those that exceed t most come first.

    Attributes
    ----------
    u : ndarray of shape (B, n)
        Units; t is exceeded by the exact difference that each is the rounding of.
    ratio : ndarray of shape (B,)
        u^T H u in floats.
    rays : ndarray of int, shape (B, 6)
        The rays of the pair of cones; -1 where there are fewer.
    coefficients : ndarray of shape (B, 6)
        u is a multiple of ``coefficients @ vectors[rays]``: positive ones make G(x1), the others G(x2).
    nodes : int
    """

    u: np.ndarray
    ratio: np.ndarray
    rays: np.ndarray
    coefficients: np.ndarray
    nodes: int


@dataclass(frozen=True, eq=False)
class Undecided:
    """The work allowed was not enough.

    Attributes
    ----------
    pairs : ndarray of int, shape (B, 2)
        Pairs of simplices that are neither proved nor refuted; empty if whole blocks are.
    nodes : int
    """

    pairs: np.ndarray
    nodes: int


def prove(
    images: Images, H: np.ndarray, t: float, deadline: float = math.inf, map: Map = map, *,
    nodes: float = math.inf, most_exact: int = 32768, taped: bool = False,
) -> Proved | Refuted | Undecided:
    """Prove u^T H u <= t ||u||^2 for all differences u of points in the cones, or refute it.

    Parameters
    ----------
    images : Images
        Every cone of a face-to-face fan of the range.
    H : ndarray of shape (n, n)
        Symmetric, taken as it is stored.
    t : float
    deadline : float
        Of ``time.monotonic()``.
    map : callable
        Applies a function to items, in order; a partial's first argument is the same for all.
    nodes : float
        Matrices to look into; a task begun before they are used up is finished.
    most_exact : int
        Matrices that are decided in integers, at most.
    taped : bool
        Whether to note what the proof did.

    Raises
    ------
    InvalidInput
        H is not symmetric or not finite.
    OutOfTime
        The deadline has passed.

    Examples
    --------
    >>> from wdccheck.ranges.fans import Fan
    >>> from wdccheck.ranges.image_rays import ImageRays
    >>> images = ImageRays.of(Fan.of([np.eye(2)], 2))
    >>> prove(images, np.diag([1.0, 2.0]), 2.5).pairs
    5
    >>> prove(images, np.diag([1.0, 2.0]), 1.5).u.tolist()
    [[0.0, 1.0]]
    """
    problem, alone = Problem.of(images, H, t)
    gathered = Gathered(images, problem, alone)
    tasks, done = [] if alone else problem.tasks(), 0
    for part in map(partial(prove_blocks, problem, deadline, taped), tasks):
        gathered.add(part)
        done += 1
        if part.late or len(gathered.violations) >= _REFUTATIONS or gathered.nodes >= nodes:
            break
    gathered.whole &= done == len(tasks)
    if gathered.violations:
        return _refuted(gathered.violations, H, gathered.nodes)
    if time.monotonic() > deadline:
        raise OutOfTime(_LATE)
    if not gathered.whole or len(gathered.open) > most_exact:
        pairs = {matrix.pair for matrix in gathered.open if gathered.whole}
        return Undecided(np.array(sorted(pairs), dtype=int).reshape(-1, 2), gathered.nodes)
    violations = ExactPairs(images, H, t).violations(gathered.open, deadline)
    if violations:
        return _refuted(violations, H, gathered.nodes)
    return Proved(gathered.nodes, gathered.pairs, len(gathered.open), tuple(gathered.tapes))


def codes_of(images: ImageRays, found: Refuted) -> tuple[np.ndarray, np.ndarray]:
    """Codes x1 and x2 (B, k) of the first differences that refute, 64 at most: u is along G(x1) - G(x2).

    Each code lies in a cone of the fan that has rays with these images; where floats find none, it is made of
    other codes with the same images, and evaluated it is some difference.

    Examples
    --------
    >>> from wdccheck.ranges.fans import Fan
    >>> from wdccheck.ranges.image_rays import ImageRays
    >>> images = ImageRays.of(Fan.of([np.eye(2)], 2))
    >>> x1, x2 = codes_of(images, prove(images, np.diag([1.0, 2.0]), 1.5))
    >>> x1.tolist(), x2.tolist()
    ([[0.0, 1.0]], [[0.0, 0.0]])
    """
    chosen, coefficients = found.rays[:_REFUTATIONS], found.coefficients[:_REFUTATIONS]
    fan, wanted = images.fan, np.unique(chosen[chosen >= 0])
    at = differences.image(fan.layers, fan.rays)
    sizes = np.linalg.norm(at, axis=1)
    sizes = np.where(sizes > 0, sizes, 1.0)[:, None]
    codes, ray_of = fan.rays / sizes, np.full(len(at), -1)
    for start in range(0, len(at), _CHUNK):
        part = slice(start, start + _CHUNK)
        near = at[part] @ images.vectors[wanted].T / sizes[part]
        ray_of[part] = np.where(near.max(axis=1) > _PARALLEL, wanted[near.argmax(axis=1)], -1)
    corner_of = ray_of[fan.simplices]
    x1, x2 = np.zeros((2, len(chosen), codes.shape[1]))
    for row, (rays, met) in enumerate(zip(chosen, coefficients, strict=True)):
        for x, sign in ((x1, 1), (x2, -1)):
            some = np.flatnonzero((rays >= 0) & (sign * met > 0))
            corners = _in_one_cone(corner_of, fan.simplices, rays[some])
            corners = images.vertices[rays[some]] if corners is None else corners
            x[row] = (sign * met[some]) @ codes[corners]
    return x1, x2


def _in_one_cone(corner_of: np.ndarray, simplices: np.ndarray, rays: np.ndarray) -> np.ndarray | None:
    """Corners of one simplex whose images are along these rays; None where there is none."""
    has = corner_of[:, :, None] == rays
    whole = np.flatnonzero(has.any(axis=1).all(axis=1))
    return None if not len(whole) else simplices[whole[0], has[whole[0]].argmax(axis=0)]


def _refuted(violations: Sequence[Violation], H: np.ndarray, nodes: int) -> Refuted:
    """Largest ratio first."""
    u = np.array([violation.u for violation in violations])
    ratio = np.einsum("bi,ij,bj->b", u, H, u)
    rays, coefficients = np.full((len(u), 6), -1), np.zeros((len(u), 6))
    for row, violation in enumerate(violations):
        rays[row, : len(violation.rays)] = violation.rays
        coefficients[row, : len(violation.rays)] = violation.coefficients
    order = np.argsort(-ratio, kind="stable")
    return Refuted(u[order], ratio[order], rays[order], coefficients[order], nodes)
