"""Whether one of several majorants covers each region (Fact 28)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpotrf

from wdccheck.conditions.r2wdc.cover import Cover, Forms
from wdccheck.conditions.r2wdc.regions import Regions
from wdccheck.linalg import rounding

__all__ = ["Examined", "Members", "examine", "wants"]

_TRIES = 2  # members that a region is held against, after the one that covered its parent
_CLOSE = 0.25  # of the slack: where no member leaves so much at the center, another one is wanted
_LEARNED = 2  # directions noted of a batch, in which a member failed
_TINY = 2.0**-500  # more than the squares that underflow take of a norm


@dataclass(frozen=True, eq=False)
class Members:
    """Majorants H with u^T H u <= t ||u||^2 proved for all differences; the first is H = 0, t = 0.

    Attributes
    ----------
    matrices : ndarray of shape (M, n, n)
    proved : ndarray of shape (M,)
        t of each.
    tests : ndarray of shape (q, n)
        Unit directions z: what does not cover a region there is not tried.
    """

    matrices: np.ndarray
    proved: np.ndarray
    tests: np.ndarray

    def __len__(self) -> int:
        return len(self.proved)

    @cached_property
    def squares(self) -> np.ndarray:
        """z z^T, flat: (n * n, q)."""
        return np.asarray((self.tests[:, :, None] * self.tests[:, None]).reshape(len(self.tests), -1).T)

    @cached_property
    def seen(self) -> np.ndarray:
        """z^T H z - t of each: (M, q)."""
        n = self.matrices.shape[1]
        return np.asarray(self.matrices.reshape(-1, n * n) @ self.squares - self.proved[:, None])

    @cached_property
    def sizes(self) -> np.ndarray:
        """At least ||H||_F: (M,)."""
        return np.asarray(np.sqrt(np.sum(self.matrices**2, axis=(1, 2))) * (1 + 1e-9))


@dataclass(frozen=True, eq=False)
class Examined:
    """What came of some regions.

    Attributes
    ----------
    done : Regions
        Proved.
    left : Regions
        Parts of those that are not.
    wanting : Regions
        Those for which no member will do, however small their parts.
    room, slack : ndarray of shape (W,)
        What a member leaves at their centers, and what would have to be left.
    forms : ndarray of shape (W, n, n)
        A - alpha Q at their centers.
    tests : ndarray of shape (q, n)
        Directions in which a member failed that the tests let pass.
    count : int
        Regions looked at.
    late : bool
    """

    done: Regions
    left: Regions
    wanting: Regions
    room: np.ndarray
    slack: np.ndarray
    forms: np.ndarray
    tests: np.ndarray
    count: int
    late: bool = False


def examine(
    cover: Cover, members: Members, levels: tuple[float, ...], deadline: float, regions: Regions
) -> Examined:
    """Prove deviation <= the first of `levels`, in ascending order, that a member proves.

    H covers a region at t if H + (t - proved) I - gap - slack I >= +-middle: then |u^T D v| <= t for all
    units u and v of the range and all D of the region, as u^T H u <= proved. Where the forms at pairs of
    corners say more, if H + (t - proved) I - bend I >= +- each of them. H is held as it is stored, the
    matrices that are factorized err by the pad of the forms and by a few roundings of an entry.
    """
    n = cover.rows.shape[1]
    if time.monotonic() > deadline:
        nothing = regions.take(slice(0))
        return Examined(nothing, regions, nothing, np.zeros(0), np.zeros(0), np.zeros((0, n, n)),
                        np.zeros((0, n)), 0, late=True)
    forms = cover.forms(regions)
    spare = _spare(forms, members)
    bound, hint, failed = _proved(cover, regions, forms, members, spare, levels)
    proved = np.isfinite(bound)
    hint[~proved] = spare[~proved].argmax(axis=1)
    room = np.full(len(regions), np.inf)
    asked = np.flatnonzero(~proved & ~forms.loose)
    room[asked] = _room(forms.middle[asked], members, hint[asked], levels[-1])
    least = np.minimum(forms.slack, forms.bend)
    wanting = room < _CLOSE * least
    regions = replace(regions, hint=hint, bound=np.minimum(regions.bound, bound))
    rest = np.flatnonzero(~proved & ~wanting)
    halves, stuck = cover.split(regions.take(rest), forms.reach[rest])
    wanting[rest[stuck]] = True
    at = np.flatnonzero(wanting)
    return Examined(regions.take(proved), halves, regions.take(at), room[at], least[at],
                    forms.middle[at], np.array(failed).reshape(-1, n), len(regions))


def _spare(forms: Forms, members: Members) -> np.ndarray:
    """What each member leaves (B, M) at t = 0 in the test direction where that is least, before the slack."""
    n = forms.middle.shape[1]
    lost = np.abs(forms.middle.reshape(-1, n * n) @ members.squares)
    lost += forms.gap.reshape(-1, n * n) @ members.squares
    return np.stack([(seen - lost).min(axis=1) for seen in members.seen], axis=1)


def _proved(
    cover: Cover, regions: Regions, forms: Forms, members: Members, spare: np.ndarray,
    levels: tuple[float, ...],
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The least level (B,) that is proved, inf for none; the members that did; directions that failed.

    The member of the hint is tried first, then those that leave most.
    """
    rows, hint = np.arange(len(regions)), regions.hint.copy()
    bound, failed = np.full(len(regions), np.inf), list[np.ndarray]()
    for t in levels:
        able = spare + (t - np.minimum(forms.slack, forms.bend))[:, None] >= 0
        rank = np.where(able, spare, -np.inf)
        rank[rows, hint] = np.where(able[rows, hint], np.inf, -np.inf)
        order = np.argsort(-rank, axis=1, kind="stable")
        for attempt in order.T[:_TRIES]:
            left = np.flatnonzero(np.isinf(bound) & able[rows, attempt])
            flat = forms.bend[left] < forms.slack[left]
            good = np.zeros(len(left), dtype=bool)
            good[~flat], one = _covered(forms, members, left[~flat], attempt[left[~flat]], t)
            good[flat], other = _covered_at_corners(
                cover, regions, forms, members, left[flat], attempt[left[flat]], t)
            bound[left[good]], hint[left[good]] = t, attempt[left[good]]
            failed += one + other
    return bound, hint, failed


def _room(middle: np.ndarray, members: Members, which: np.ndarray, t: float) -> np.ndarray:
    """The least eigenvalue (B,) of H + (t - proved) I -+ middle for a member of each, in floats."""
    H, raised = members.matrices[which], t - members.proved[which]
    least = [np.linalg.eigvalsh(H + sign * middle)[:, 0] for sign in (1, -1)]
    return np.asarray(np.minimum(*least) + raised)


def wants(found: Examined, members: Members, t: float) -> Examined:
    """Those that still want a member, with what the last one leaves at their centers if that is more."""
    last = np.full(len(found.forms), len(members) - 1)
    room = np.maximum(found.room, _room(found.forms, members, last, t))
    left = np.flatnonzero(room < _CLOSE * found.slack)
    return replace(found, room=room[left], slack=found.slack[left], forms=found.forms[left])


def _covered(
    forms: Forms, members: Members, which: np.ndarray, tried: np.ndarray, t: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Boolean: which regions are covered at t by the members that are tried; directions that fail."""
    raised = t - members.proved[tried] - forms.slack[which]
    return _dominated(members.matrices[tried] - forms.gap[which], raised, forms.middle[which][:, None],
                      members.sizes[tried] + members.proved[tried] + t + _norms(forms.gap[which]), forms.pad)


def _covered_at_corners(
    cover: Cover, regions: Regions, forms: Forms, members: Members, which: np.ndarray, tried: np.ndarray,
    t: float,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same of parts of cones, by the forms at their corners."""
    at, known = cover.at_corners(regions.take(which))
    raised = t - members.proved[tried] - forms.bend[which]
    size = members.sizes[tried] + members.proved[tried] + t
    good, failed = _dominated(members.matrices[tried], raised, at, size, forms.pad)
    return good & known, failed


def _norms(matrices: np.ndarray) -> np.ndarray:
    """Frobenius norms, up to rounding."""
    return np.asarray(np.sqrt(np.sum(matrices**2, axis=(-2, -1))))


def _dominated(
    base: np.ndarray, raised: np.ndarray, forms: np.ndarray, size: np.ndarray, pad: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Boolean (B,): base + raised I >= +-D, proved, for all D of `forms` (B, c, n, n) up to `pad`.

    `size` (B,) bounds the norms of what `base` is the sum of. An entry is a sum of five terms of size at
    most `big`: it errs by less than 8 u big, the matrix by n times that in norm, and lowering the diagonal
    by what is subtracted once more. A factorization reads one triangle. A square or a product of two entries
    of rows loses 2^-1075 where it underflows: a norm n 2^-537, less than _TINY, and a sum of m rows
    m n 2^-1075, less than what u takes of it.
    """
    n = base.shape[1]
    good, failed = np.ones(len(base), dtype=bool), list[np.ndarray]()
    big = _TINY + size + np.abs(raised) + _norms(forms).max(axis=1, initial=0.0)
    lost = (pad + 32 * n * rounding.UNIT * big) * (1 + 1e-6) + rounding.cholesky_loss(n, n * big)
    diagonal = np.arange(n)
    base = base.copy()
    base[:, diagonal, diagonal] += (raised - lost)[:, None]
    for number in range(len(base)):
        for matrix in (sign * D for D in forms[number] for sign in (1, -1)):
            _, info = dpotrf((base[number] + matrix).T, lower=0, clean=0, overwrite_a=1)
            if info:
                good[number] = False
                if len(failed) < _LEARNED:
                    failed.append(np.linalg.eigh(base[number] + (matrix + matrix.T) / 2)[1][:, 0])
                break
    return good & np.isfinite(big), failed
