"""Multipliers N >= 0 of cone constraints by projected gradients: any N is valid, good ones bound well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wdccheck.engines.proving.relax import proved_bound
from wdccheck.linalg import rounding
from wdccheck.protocol.forms import RangeForm

__all__ = ["Tighten", "tightened", "whitened", "with_multipliers"]

_STEPS = 25
_LEVELS = (0.6, 0.75, 0.85)  # of the bound reached: what the rounds try for
_LARGEST = 1e100  # of a multiplier: nothing overflows


Tighten = Callable[[RangeForm], np.ndarray]
"""Bounds (B,) of forms by their cone constraints, at most those of ``proved_bound``."""


def tightened(form: RangeForm) -> np.ndarray:
    """Bounds (B,) as of ``proved_bound``, by N found here.

    t^power G - F - C^T N C >= 0 is sought for a t below the bound reached, by an accelerated gradient
    method on the squared norm of its negative part; t then follows from N.
    """
    bound = proved_bound(form)
    if form.cone is None or not form.cone.shape[1]:
        return bound
    few = np.flatnonzero(np.isfinite(bound) & (bound > 0) & form.cone.any(axis=(1, 2)))
    if not len(few):
        return bound
    part = form.take(few)
    frame = whitened(part)
    if frame is None:
        return bound
    inside, cone, length = frame
    N, best = np.zeros((len(few), cone.shape[1], cone.shape[1])), bound[few]
    for lower in _LEVELS:
        level = (lower * best / form.scale) ** form.power
        tried = _descended(inside, cone, level, N)
        found = proved_bound(with_multipliers(part, tried / (length[:, :, None] * length[:, None])))
        better = found < best
        N, best = np.where(better[:, None, None], tried, N), np.where(better, found, best)
    bound[few] = best
    return bound


def with_multipliers(form: RangeForm, N: np.ndarray) -> RangeForm:
    """The form with C^T N C added, N symmetric and >= 0: (B, c, c).

    For an exact C within E of `cone`, C^T N C differs by ||N|| ||E|| (2 ||cone|| + ||E||), all Frobenius,
    and the computed products of c terms by gamma(2 c + 8) ||N|| ||cone||^2 besides.
    """
    assert form.cone is not None and form.cone_error is not None
    N = np.clip(np.where(np.isfinite(N), N, 0.0), 0.0, _LARGEST)
    N = np.maximum(N, N.swapaxes(1, 2))
    size, length, wrong = (np.sqrt(np.sum(x * x, axis=(1, 2))) for x in (N, form.cone, form.cone_error))
    pad = size * (wrong * (2 * length + wrong) + rounding.gamma(4 * N.shape[1] + 32) * length**2) * (1 + 1e-9)
    added = form.cone.swapaxes(1, 2) @ N @ form.cone
    size = np.abs(form.form).max(axis=(1, 2)) + np.abs(added).max(axis=(1, 2))
    pad = pad + 2 * form.form.shape[1] * rounding.UNIT * size
    return replace(form, form=form.form + added, form_pad=form.form_pad + pad)


def whitened(form: RangeForm) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """F and the unit rows of C in coordinates in which G is I; and the lengths of these rows, as columns."""
    assert form.cone is not None
    p = form.gram.shape[1]
    ridge = np.trace(form.gram, axis1=1, axis2=2)[:, None, None] * 1e-13 * np.eye(p)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(form.gram + ridge))
    except np.linalg.LinAlgError:
        return None
    cone = form.cone @ inverse.swapaxes(1, 2)
    length = np.linalg.norm(cone, axis=2)
    length = np.where(length > 0, length, 1.0)
    return inverse @ form.form @ inverse.swapaxes(1, 2), cone / length[:, :, None], length


def _descended(inside: np.ndarray, cone: np.ndarray, level: np.ndarray, N: np.ndarray) -> np.ndarray:
    """N after some steps toward level I - inside - cone^T N cone >= 0."""
    across = cone.swapaxes(1, 2)
    lipschitz = np.linalg.eigvalsh(across @ cone)[:, -1] ** 2
    identity, ahead, momentum = np.eye(inside.shape[1]), N, 1.0
    for _ in range(_STEPS):
        values, vectors = np.linalg.eigh(inside + across @ ahead @ cone - level[:, None, None] * identity)
        above = (vectors * np.maximum(values, 0.0)[:, None]) @ vectors.swapaxes(1, 2)
        new = np.maximum(ahead - cone @ above @ across / lipschitz[:, None, None], 0.0)
        following = (1 + np.sqrt(1 + 4 * momentum * momentum)) / 2
        ahead, N, momentum = new + (momentum - 1) / following * (new - N), new, following
    return N
