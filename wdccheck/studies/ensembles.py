"""Distributions of weights, each scaled so that alpha = 1 is its natural constant: E[W^T W] = I."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import gammainc

from wdccheck.errors import InvalidInput
from wdccheck.linalg.inputs import drawn_size

__all__ = ["DENSITY", "DISTRIBUTIONS", "draw"]

DENSITY = 0.3
"""Share of the entries of `sparse` weights that are not zero."""
_CUT = 3.0  # `truncated`: rows longer than this times their typical length sqrt(k/n) are set to 0


def draw(distribution: str, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """W of shape (n, k) with E[W^T W] = I.

    Parameters
    ----------
    distribution : str
        ``gaussian``: entries N(0, 1/n). ``sphere``: rows uniform on the sphere of radius sqrt(k/n).
        ``rademacher``: entries +-1/sqrt(n). ``truncated``: Gaussian rows z, 0 where
        |z| > 3 sqrt(k/n) ([HJ] Thm. 2), over the square root of the share of E|z|^2 that is left.
        ``sparse``: a share ``DENSITY`` of the entries N(0, 1/(n DENSITY)), the others 0.
        ``orthogonal``: orthonormal columns, uniformly distributed; n >= k.

    Raises
    ------
    InvalidInput
        No such distribution, or orthogonal columns with n < k.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.studies.ensembles import draw
    >>> W = draw("orthogonal", 5, 2, np.random.default_rng(0))
    >>> bool(np.allclose(W.T @ W, np.eye(2)))
    True
    """
    if distribution not in DISTRIBUTIONS:
        raise InvalidInput("distribution", f"one of {', '.join(DISTRIBUTIONS)}", repr(distribution)[:60])
    drawn_size("weights", n, k, "ask for fewer rows or columns")
    return DISTRIBUTIONS[distribution](rng, n, k)


def _gaussian(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.standard_normal((n, k)) / math.sqrt(n)


def _sphere(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    W = rng.standard_normal((n, k))
    return W * math.sqrt(k / n) / np.linalg.norm(W, axis=1, keepdims=True)


def _rademacher(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], (n, k)) / math.sqrt(n)


def _truncated(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    W = _gaussian(rng, n, k)
    W[np.linalg.norm(W, axis=1) > _CUT * math.sqrt(k / n)] = 0.0
    # E[chi^2_k; chi^2_k <= c] = k P(chi^2_{k+2} <= c)
    return W / math.sqrt(gammainc(k / 2 + 1, _CUT**2 * k / 2))


def _sparse(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return _gaussian(rng, n, k) * (rng.random((n, k)) < DENSITY) / math.sqrt(DENSITY)


def _orthogonal(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    if n < k:
        raise InvalidInput("orthogonal weights", f"at least {k} rows for {k} columns", f"{n} rows")
    Q, R = np.linalg.qr(rng.standard_normal((n, k)))
    return Q * np.sign(np.diag(R))  # without the signs it would not be uniform


DISTRIBUTIONS: Mapping[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "gaussian": _gaussian, "sphere": _sphere, "rademacher": _rademacher, "truncated": _truncated,
    "sparse": _sparse, "orthogonal": _orthogonal,
}
"""Names to functions of a generator, n and k."""
