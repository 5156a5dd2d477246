"""Is the deviation proved to stay below t on a region? Asked of forms, answered with rounding."""

from __future__ import annotations

import numpy as np

from wdccheck import _kernels
from wdccheck.linalg import rounding
from wdccheck.protocol.forms import Form, RangeForm, Sandwich

__all__ = ["proved_below", "proved_bound"]


def proved_below(form: Form, t: float) -> np.ndarray:
    """Boolean (B,): True only where the form proves deviation <= t."""
    if isinstance(form, RangeForm):
        return _on_range(form, np.full(len(form), t))
    return _between(form, t)


def proved_bound(form: RangeForm) -> np.ndarray:
    """A t for each region, (B,), at which the form proves deviation <= t; inf where none was found.

    The largest quotient is computed in floats, and raised until it is proved.
    """
    p, bound = form.gram.shape[1], np.full(len(form), np.inf)
    ridge = np.trace(form.gram, axis1=1, axis2=2)[:, None, None] * 1e-14 * np.eye(p)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(form.gram + ridge))
        quotients = np.linalg.eigvalsh(inverse @ form.form @ inverse.swapaxes(1, 2))
    except np.linalg.LinAlgError:  # no quotients, or some beyond the range of floats
        return bound
    values = np.maximum(quotients[:, -1], 0.0)
    size = values * np.abs(form.gram).max(axis=(1, 2)) + np.abs(form.form).max(axis=(1, 2))
    pad = values * form.gram_pad + form.form_pad + 64 * p * p * rounding.UNIT * (size + 2.0**-900)
    margin = 2 * pad * np.sum(inverse * inverse, axis=(1, 2)) + 1e-10 * values  # pad over the least of G
    left = np.arange(len(form))
    for factor in (1, 30, 1000):
        t = (values[left] + factor * margin[left]) ** (1 / form.power) * form.scale * (1 + 1e-12)
        good = _on_range(form.take(left), t)
        bound[left[good]], left = t[good], left[~good]
        if not len(left):
            break
    return bound


def _on_range(form: RangeForm, t: np.ndarray) -> np.ndarray:
    """t^power G - F >= 0 for the exact G and F.

    The matrix t gram - form has entries that err by u (2 t |gram| + |form|), p times that in norm; the
    pads, themselves rounded, are exceeded by p + 4 more such units. A square of t is rounded down. The
    diagonal handed to Cholesky is lowered by its loss, and by what lowering it rounds.
    """
    t = t / form.scale if form.power == 1 else (t / form.scale) ** 2 * (1 - 4 * rounding.UNIT)
    p = form.gram.shape[1]
    size = t * np.abs(form.gram).max(axis=(1, 2)) + np.abs(form.form).max(axis=(1, 2))
    pad = (t * form.gram_pad + form.form_pad + 4 * (p + 4) * rounding.UNIT * size) * (1 + 1e-9)
    matrix = t[:, None, None] * form.gram - form.form
    loss = rounding.cholesky_loss(p, np.trace(matrix, axis1=1, axis2=2) + p * pad)
    lowered = matrix - (pad + loss + 8 * p * rounding.UNIT * (size + pad + loss))[:, None, None] * np.eye(p)
    proved = np.isfinite(lowered).all(axis=(1, 2))
    proved[proved] = _factorized(lowered[proved])
    return proved


def _factorized(matrices: np.ndarray) -> np.ndarray:
    """Boolean (B,): whose Cholesky factorization runs to its end."""
    try:
        return np.asarray(np.isfinite(np.linalg.cholesky(matrices)).all(axis=(1, 2)))
    except np.linalg.LinAlgError:  # of at least one; numpy does not say of which
        if len(matrices) == 1:
            return np.zeros(1, dtype=bool)
        half = len(matrices) // 2
        return np.concatenate([_factorized(matrices[:half]), _factorized(matrices[half:])])


def _between(form: Sandwich, t: float) -> np.ndarray:
    """Fact 10.

    Upper side: (t - pad - slack) I - (high - mean) >= 0, or (t - pad + floor) I - high >= 0.
    Lower side: (t - pad - slack) I - (mean - low) >= 0, or (t - pad - ceiling) I + low >= 0.
    Each is a Cholesky factorization that runs to its end; NaN fails.
    """
    t = t / form.scale  # a power of two: exact, or beyond every bound
    by_mean, by_range = t - form.pad - form.slack, t - form.pad
    below = _kernels.semidefinite(by_mean, form.mean - form.high, t)
    rest = np.flatnonzero(~below)
    if len(rest):
        below[rest] = _kernels.semidefinite((by_range + form.floor)[rest], -form.high[:, rest], t)
    rest = np.flatnonzero(below)
    if len(rest):
        above = _kernels.semidefinite(by_mean[rest], (form.low - form.mean)[:, rest], t)
        last = rest[~above]
        if len(last):
            above[~above] = _kernels.semidefinite((by_range - form.ceiling)[last], form.low[:, last], t)
        below[rest] = above
    return below
