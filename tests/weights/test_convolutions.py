"""Convolutions as matrices, against those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

import wdccheck as wc
from examples.refusals import refused

CASES = [  # in, out, height, width, kh, kw, stride, padding
    (1, 1, 5, 5, 3, 3, 1, 0), (3, 2, 6, 7, 3, 2, 1, 1), (2, 4, 8, 5, 4, 4, 2, 1),
    (2, 3, 7, 9, 3, 5, (2, 3), (1, 2)),
    (1, 2, 4, 4, 1, 1, 3, 0), (2, 2, 3, 3, 5, 5, 1, 2), (1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 2, 2, 1, 1, 1, 3),
]
cases = pytest.mark.parametrize(("c", "out", "h", "w", "kh", "kw", "stride", "padding"), CASES)


def both(value):
    return value if isinstance(value, tuple) else (value, value)


def integers(rng, *shape):
    return rng.integers(-4, 5, shape).astype(float)


def correlated(x, kernel, stride, padding):
    """Conv2d by scipy.signal: full correlation of the padded image, every so many pixels."""
    (p, q), (a, b) = both(padding), both(stride)
    padded = np.pad(x, ((0, 0), (p, p), (q, q)))
    full = [sum(signal.correlate2d(one, tap, mode="valid") for one, tap in zip(padded, taps, strict=True))
            for taps in kernel]
    return np.stack(full)[:, ::a, ::b]


def spread(x, kernel, stride, padding, extra):
    """ConvTranspose2d by scipy.signal: full convolution of the image with zeros between its pixels."""
    (p, q), (a, b), (e, f) = both(padding), both(stride), both(extra)
    c, h, w = x.shape
    wide = np.zeros((c, (h - 1) * a + 1, (w - 1) * b + 1))
    wide[:, ::a, ::b] = x
    full = np.stack([sum(signal.convolve2d(wide[i], kernel[i, o], mode="full") for i in range(c))
                     for o in range(kernel.shape[1])])
    full = np.pad(full, ((0, 0), (0, e), (0, f)))
    return full[:, p: full.shape[1] - p, q: full.shape[2] - q]


@cases
def test_a_convolution_is_that_of_scipy(c, out, h, w, kh, kw, stride, padding):
    rng = np.random.default_rng(0)
    kernel, x = integers(rng, out, c, kh, kw), integers(rng, c, h, w)
    expected = correlated(x, kernel, stride, padding)
    W = wc.conv2d_matrix(kernel, (c, h, w), stride, padding)
    assert np.array_equal((W @ x.ravel()).reshape(expected.shape), expected)
    assert W.has_canonical_format and (W.data != 0).all()


@cases
@pytest.mark.parametrize("extra", [0, 1])
def test_a_transposed_convolution_is_that_of_scipy(c, out, h, w, kh, kw, stride, padding, extra):
    rng = np.random.default_rng(1)
    kernel, x = integers(rng, c, out, kh, kw), integers(rng, c, h, w)
    steps = both(stride)
    fits = all((n - 1) * s - 2 * p + t + extra > 0
               for n, s, p, t in zip((h, w), steps, both(padding), (kh, kw), strict=True))
    if extra >= min(steps) or not fits:
        return
    expected = spread(x, kernel, stride, padding, extra)
    W = wc.conv_transpose2d_matrix(kernel, (c, h, w), stride, padding, extra)
    assert np.array_equal((W @ x.ravel()).reshape(expected.shape), expected)
    back = wc.conv2d_matrix(kernel, expected.shape, stride, padding)  # its (in, out) are (out, in) there
    assert np.array_equal(back.T.toarray(), W.toarray())


def test_tensors_that_need_gradients_are_detached():
    class Parameter:
        def detach(self):
            return np.ones((1, 1, 2, 2), dtype=np.float32)

    assert wc.conv2d_matrix(Parameter(), (1, 2, 2)).toarray().tolist() == [[1.0] * 4]


@pytest.mark.parametrize(("call", "fragments"), [
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3)), (3, 8, 8)), ["kernel: shape (out, in, kh, kw)"]),
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3, 3)), (2, 8, 8)), ["(out, 2, kh, kw)", "(2, 3, 3, 3)"]),
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3, 3)), (3, 2, 8)), ["kernel: at most 2 x 8 taps", "3 x 3"]),
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3, 3)), 8), ["input_shape: (channels, height, width)", "8"]),
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3, 3)), (3, 8, 8), stride=0), ["stride: an integer >= 1"]),
    (lambda: wc.conv2d_matrix(np.ones((2, 3, 3, 3)), (3, 8, 8), padding=-1), ["padding: an integer >= 0"]),
    (lambda: wc.conv2d_matrix(np.full((2, 3, 3, 3), np.nan), (3, 8, 8)), ["kernel: finite numbers"]),
    (lambda: wc.conv_transpose2d_matrix(np.ones((3, 2, 3, 3)), (2, 8, 8)), ["(2, out, kh, kw)"]),
    (lambda: wc.conv_transpose2d_matrix(np.ones((3, 2, 3, 3)), (3, 1, 1), padding=2), ["at least one pixel"]),
    (lambda: wc.conv_transpose2d_matrix(np.ones((3, 2, 3, 3)), (3, 4, 4), output_padding=1),
     ["output_padding: less than the stride"]),
])
def test_what_does_not_fit_is_refused(call, fragments):
    refused(call, *fragments)


def test_a_convolution_is_a_layer():
    kernel = np.random.default_rng(0).standard_normal((1, 2, 2, 2))
    result = wc.bracket(wc.WDC(wc.conv_transpose2d_matrix(kernel, (1, 2, 2))), wc.Spectral())
    assert 0 < result.lower <= result.upper
