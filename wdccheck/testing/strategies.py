"""hypothesis strategies for weights, networks and directions, in general position and far from it.

``wdccheck.testing`` offers them; this file needs hypothesis.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from wdccheck.errors import InvalidInput
from wdccheck.weights.network import ReLUNetwork

__all__ = ["directions", "networks", "weights"]

_INTEGERS = st.integers(-2, 2).map(float)
_REALS = st.floats(-1.0, 1.0, allow_subnormal=False, width=32)


@st.composite
def weights(draw: st.DrawFn, n: int | None = None, k: int | None = None, *, max_n: int = 8, max_k: int = 3,
            exponent: int = 40) -> np.ndarray:
    """Float64 matrices of shape (n, k), now and then with ties, duplicate, opposite or zero rows.

    Parameters
    ----------
    n, k : int, optional
        Sizes; drawn up to `max_n`, `max_k` where not given, with n >= k unless n is given.
    max_n, max_k : int
        Largest sizes drawn.
    exponent : int
        The whole matrix, or single rows of it, are scaled by powers of two up to 2**exponent and
        down to 2**-exponent; 0 leaves all entries within [-2, 2].

    Returns
    -------
    SearchStrategy of ndarray

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> import wdccheck as wc
    >>> @settings(database=None, max_examples=5, deadline=None)
    ... @given(wc.testing.weights(k=2))
    ... def a_cap_is_a_cap(W):
    ...     result = wc.bracket(wc.WDC(W, layer=1), wc.Spectral())
    ...     assert result.lower <= result.upper
    >>> a_cap_is_a_cap()
    """
    k = draw(st.integers(1, max_k)) if k is None else _size("k", k)
    n = draw(st.integers(k, max(k, max_n))) if n is None else _size("n", n)
    entries = draw(st.sampled_from([_INTEGERS, _REALS]))
    W = np.array(draw(st.lists(entries, min_size=n * k, max_size=n * k))).reshape(n, k)
    row = st.integers(0, n - 1)
    for i, j, factor in draw(st.lists(st.tuples(row, row, st.sampled_from([1.0, -1.0, 0.0, -2.0, 0.5])),
                                      max_size=n)):
        W[i] = factor * W[j]
    for i, power in draw(st.lists(st.tuples(row, st.integers(-exponent, 0)), max_size=2)):
        W[i] = np.ldexp(W[i], power)
    return np.ldexp(W, draw(st.sampled_from([0, exponent, -exponent])))


@st.composite
def networks(draw: st.DrawFn, dims: tuple[int, ...] | None = None, *, max_depth: int = 3, max_width: int = 6,
             max_k: int = 3, exponent: int = 40) -> ReLUNetwork:
    """ReLU networks whose layers are :func:`weights`, dead and contractive ones among them.

    Parameters
    ----------
    dims : tuple of int, optional
        n_0, ..., n_d; drawn where not given.
    max_depth, max_width, max_k : int
        Largest d, n_1, ..., n_d and n_0 drawn.
    exponent : int
        As of :func:`weights`, for every layer.

    Returns
    -------
    SearchStrategy of ReLUNetwork

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> import numpy as np, wdccheck as wc
    >>> @settings(database=None, max_examples=5, deadline=None)
    ... @given(wc.testing.networks())
    ... def homogeneous(net):
    ...     x = np.ones(net.dims[0])
    ...     assert np.array_equal(net(2 * x), 2 * net(x))
    >>> homogeneous()
    """
    if dims is None:
        width = st.integers(1, max_width)
        dims = (draw(st.integers(1, max_k)), *draw(st.lists(width, min_size=1, max_size=max_depth)))
    elif not isinstance(dims, tuple) or len(dims) < 2:
        raise InvalidInput("dims", "a tuple (n_0, ..., n_d) of at least two sizes", repr(dims)[:60])
    return ReLUNetwork(tuple(draw(weights(n, k, exponent=exponent)) for k, n in pairwise(dims)))


@st.composite
def directions(draw: st.DrawFn, k: int | None = None, W: Any = None, *, exponent: int = 40) -> np.ndarray:
    """Nonzero float64 vectors of shape (k,), not unit: axes, ties, and points exactly on walls of W.

    Parameters
    ----------
    k : int, optional
        Dimension; needless beside W.
    W : array_like of shape (n, k), optional
        Its rows, their opposites and directions exactly orthogonal to a row are drawn too.
    exponent : int
        Scales up to 2**exponent and down to 2**-exponent.

    Returns
    -------
    SearchStrategy of ndarray

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> import numpy as np, wdccheck as wc
    >>> W, r = np.eye(3), wc.testing.directions(3)
    >>> @settings(database=None, max_examples=5, deadline=None)
    ... @given(r, r)
    ... def symmetric(r, s):
    ...     one, two = (wc.WDC(W).deviation({"r": a, "s": b}) for a, b in ((r, s), (s, r)))
    ...     assert abs(one - two) < 1e-12
    >>> symmetric()
    """
    if W is not None:
        W = np.asarray(W, dtype=np.float64)
    if (W is None) == (k is None) and (W is None or W.shape[1] != k):
        raise InvalidInput("k", "the dimension, or the number of columns of W", repr(k))
    k = _size("k", k if W is None else W.shape[1])
    entries = draw(st.sampled_from([_INTEGERS, _REALS]))
    x = np.array(draw(st.lists(entries, min_size=k, max_size=k)))
    if W is not None and draw(st.booleans()):
        row = W[draw(st.integers(0, len(W) - 1))]
        i, j = draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))
        wall = np.zeros(k)
        wall[i], wall[j] = row[j], -row[i]  # row . wall = 0 without rounding
        x = draw(st.sampled_from([row, -row, wall if i != j else row]))
    if not x.any():
        x = np.eye(k)[draw(st.integers(0, k - 1))]
    return np.ldexp(x, draw(st.sampled_from([0, exponent, -exponent])))


def _size(thing: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InvalidInput(thing, "an integer >= 1", repr(value)[:60])
    return int(value)
