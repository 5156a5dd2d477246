"""The proof on all pairs of cones in floats, in tasks: what they need, what is gathered of them (Fact 25)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from wdccheck import _kernels
from wdccheck._kernels import Block, Outcome
from wdccheck.errors import InvalidInput
from wdccheck.linalg import rounding
from wdccheck.ranges.exact_pairs import NODES, Images, Matrix, Violation
from wdccheck.ranges.ray_groups import blocks_of

__all__ = ["Gathered", "Part", "Problem", "Task", "prove_blocks"]

_ROOM = 8192  # open matrices between two blocks
_USUAL = 0.99  # of all rays have an error up to the one that pads are made for
_TOGETHER = 16  # pairs of blocks of a task

Task = tuple[int, int, int]
"""A block, and the first and last of those that it is paired with."""


@dataclass(frozen=True, eq=False)
class Part:
    """What came of a task; `late` if there was no time for all of it."""

    task: Task
    outcomes: tuple[Outcome, ...]
    late: bool


@dataclass(frozen=True, eq=False)
class Problem:
    """Is Q = tI - H positive on the differences of rays of cones?

    Attributes
    ----------
    vectors : ndarray of shape (R, n)
        v, the rays scaled to v^T Q v = 1.
    lengths : ndarray of shape (R,)
        The factors by which they were scaled.
    scale : ndarray of shape (R,)
        d, see :class:`~wdccheck._kernels.ray_blocks.Block`.
    form : ndarray of shape (n, n)
        Q, up to a power of two.
    pad : float
    parts : list of (ndarray of int, Block)
        The numbers of the simplices of each block.
    """

    vectors: np.ndarray
    lengths: np.ndarray
    scale: np.ndarray
    form: np.ndarray
    pad: float
    parts: list[tuple[np.ndarray, Block]]

    @staticmethod
    def of(images: Images, H: np.ndarray, t: float) -> tuple[Problem, list[Violation]]:
        """The problem, and the rays that alone violate t.

        *Errors.* Let G bound the lengths of the stored rays g, e_i their errors, q = ||Q||_F >= ||Q||_2, so
        that |Q|, entry by entry, has norm at most q, too. For rays scaled by d_i > 0, divided by d_i d_j, an
        entry v_i^T Q v_j errs by at most gamma(2n) q G^2 (two products in any order) + 2.1 u q G^2 (v is
        rounded) + u q G^2 (the diagonal of Q is) + q (G e_i + G e_j + e_i e_j) (rays). With any e <= 1 <= G
        and f_i = max(1, e_i / e) the last term is at most q G^2 (2 e + e^2) f_i f_j. The exact entries are at
        most z = q G^2 (1 + e)^2 f_i f_j; the search of a matrix loses less than 600 u z (Fact 25). Together
        less than q G^2 (gamma(2n) + 604 u (1 + e)^2 + 2 e + e^2) f_i f_j; 1.01 for q and G themselves. 2^-600
        is more than what is subnormal may lose.
        """
        if not (np.isfinite(H).all() and np.array_equal(H, H.T) and math.isfinite(t)):
            raise InvalidInput("H and t", "a symmetric matrix and a number, finite", f"{H!r}, {t!r}"[:200])
        exponent = -int(np.frexp(max(abs(t), float(np.abs(H).max(initial=0.0))))[1])
        form = math.ldexp(t, exponent) * np.eye(len(H)) - np.ldexp(H, exponent)
        q, vectors = float(np.linalg.norm(form)), images.vectors
        length = float(np.sqrt(np.sum(vectors**2, axis=1).max(initial=1.0)))
        e = max(float(np.quantile(images.error, _USUAL)) if len(vectors) else 0.0, rounding.UNIT)
        lost = rounding.gamma(2 * len(H) + 8) + 640 * rounding.UNIT * (1 + e) ** 2 + 2 * e + e * e
        pad = 1.01 * q * length**2 * (lost if e <= 1 else math.inf) + 2.0**-600
        wrong = np.maximum(images.error / e, 1.0)
        square = np.einsum("ri,ri->r", vectors @ form, vectors)
        alone = [Violation((ray,), (1.0,), vectors[ray] / np.linalg.norm(vectors[ray]))
                 for ray in np.flatnonzero(square < -2 * pad * wrong**2).tolist()]
        lengths = 1 / np.sqrt(np.maximum(square, pad * wrong**2))
        vectors, scale = vectors * lengths[:, None], lengths * wrong
        parts = blocks_of(vectors, vectors @ form, scale, pad, images.simplices)
        return Problem(vectors, lengths, scale, form, pad, parts), alone

    def tasks(self) -> list[Task]:
        """Together all pairs of blocks, each with itself, too; shuffled, so that the first violations are not
        all of one place.
        """
        count = len(self.parts)
        tasks = [(a, b, min(b + _TOGETHER, count)) for a in range(count) for b in range(a, count, _TOGETHER)]
        return [tasks[i] for i in np.random.default_rng(0).permutation(len(tasks))]


def prove_blocks(problem: Problem, deadline: float, taped: bool, task: Task) -> Part:
    """Prove what can be proved of one block with some others."""
    a, first, last = task
    one = problem.parts[a][1]
    moved = problem.vectors[one.rays] @ problem.form
    outcomes = []
    for b in range(first, last):
        if time.monotonic() > deadline:
            break
        two = problem.parts[b][1]
        cross = moved @ problem.vectors[two.rays].T
        outcomes.append(_kernels.prove_pairs(one, two, cross, problem.pad, NODES, _ROOM, deadline, taped))
    return Part(task, tuple(outcomes), time.monotonic() > deadline)


@dataclass(eq=False)
class Gathered:
    """What is known after some tasks.

    Attributes
    ----------
    violations : list of Violation
    open : list of Matrix
        Those that are left to integers.
    whole : bool
        Whether all else is proved.
    nodes, pairs : int
    tapes : list of ndarray
    """

    images: Images
    problem: Problem
    violations: list[Violation]
    open: list[Matrix] = field(default_factory=list)
    whole: bool = True
    nodes: int = 0
    pairs: int = 0
    tapes: list[np.ndarray] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """What came of one more task."""
        a, first, _ = part.task
        for b, outcome in enumerate(part.outcomes, start=first):
            self.nodes += outcome.nodes
            self.pairs += outcome.pairs
            self.whole &= outcome.whole
            self.tapes += [outcome.tape] if len(outcome.tape) else []
            for (s, t, mask), x in zip(outcome.open.tolist(), outcome.found, strict=True):
                numbers = self.problem.parts[a][0][s], self.problem.parts[b][0][t]
                matrix = _matrix(self.images.simplices, int(numbers[0]), int(numbers[1]), mask)
                found = self._violation(matrix, x[: len(matrix.rays)])
                if found is None:
                    self.open.append(matrix)
                else:
                    self.violations.append(found)
        self.whole &= not part.late

    def _violation(self, matrix: Matrix, x: np.ndarray) -> Violation | None:
        """The difference with coefficients x, if it is sure that it violates t.

        The form at u = sum +- x_j v_j errs by less than the pad times (sum d_j x_j)^2: so it does at the v_j
        themselves, and what the sums of u lose is of the same kind.
        """
        rays, signs = list(matrix.rays), np.array(matrix.signs)
        u = (signs * x) @ self.problem.vectors[rays]
        if not u @ self.problem.form @ u < -2 * self.problem.pad * (self.problem.scale[rays] @ x) ** 2:
            return None
        stored = signs * x * self.problem.lengths[rays]
        return Violation(matrix.rays, tuple((stored / np.abs(stored).max()).tolist()), u / np.linalg.norm(u))


def _matrix(simplices: np.ndarray, s: int, t: int, mask: int) -> Matrix:
    """The rays of two simplices, shared ones once, and their signs: bits of `mask` for the shared ones."""
    one, two = ([int(ray) for ray in simplices[x] if ray >= 0] for x in (s, t))
    shared = [ray for ray in one if ray in two]
    signs = [(-1 if mask >> shared.index(ray) & 1 else 1) if ray in shared else 1 for ray in one]
    rest = [ray for ray in two if ray not in shared]
    return Matrix((s, t), tuple(one + rest), tuple(signs + [-1] * len(rest)))
