"""Convolution layers as matrices: what PyTorch's Conv2d and ConvTranspose2d do to a flattened image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wdccheck.errors import InvalidInput
from wdccheck.linalg import inputs as arrays

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["conv2d_matrix", "conv_transpose2d_matrix"]

Pair = int | tuple[int, int]


def conv2d_matrix(
    kernel: Any, input_shape: tuple[int, int, int], stride: Pair = 1, padding: Pair = 0
) -> csr_array:
    """The matrix of a convolution with zero padding, as a layer for :class:`WDC`.

    Like ``torch.nn.Conv2d`` (a correlation: the kernel is not flipped), without groups and dilation.

    Parameters
    ----------
    kernel : array_like of shape (out, in, kh, kw)
        ``module.weight`` as it is.
    input_shape : tuple of int
        (in, height, width).
    stride, padding : int or pair of int
        For height and width.

    Returns
    -------
    scipy.sparse.csr_array of shape (out * oh * ow, in * height * width)
        ``oh = (height + 2 padding - kh) // stride + 1``, ow likewise. W maps ``x.ravel()`` to ``y.ravel()``,
        channels first.

    Raises
    ------
    InvalidInput
        Shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> W = wc.conv2d_matrix(np.ones((4, 3, 3, 3)), (3, 8, 8), stride=2, padding=1)
    >>> W.shape, (W @ np.ones(3 * 64)).reshape(4, 4, 4)[0, 0]
    ((64, 192), array([12., 18., 18., 18.]))
    """
    taps, shape = _kernel(kernel), _image("input_shape", input_shape)
    if taps.shape[1] != shape[0]:
        raise InvalidInput("kernel", f"shape (out, {shape[0]}, kh, kw) for input_shape {shape}",
                           f"shape {taps.shape}")
    return _matrix(taps, shape, _pair("stride", stride, 1), _pair("padding", padding, 0))


def conv_transpose2d_matrix(
    kernel: Any, input_shape: tuple[int, int, int], stride: Pair = 1, padding: Pair = 0,
    output_padding: Pair = 0,
) -> csr_array:
    """The matrix of a transposed convolution, as a layer for :class:`WDC`.

    Like ``torch.nn.ConvTranspose2d``, without groups and dilation: the transpose of the convolution
    that maps its output back to its input.

    Parameters
    ----------
    kernel : array_like of shape (in, out, kh, kw)
        ``module.weight`` as it is.
    input_shape : tuple of int
        (in, height, width).
    stride, padding, output_padding : int or pair of int
        For height and width; output_padding < stride.

    Returns
    -------
    scipy.sparse.csr_array of shape (out * oh * ow, in * height * width)
        ``oh = (height - 1) stride - 2 padding + kh + output_padding``, ow likewise. W maps ``x.ravel()`` to
        ``y.ravel()``, channels first.

    Raises
    ------
    InvalidInput
        Shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.conv_transpose2d_matrix(np.ones((128, 32, 4, 4)), (128, 8, 8), stride=2, padding=1).shape
    (8192, 8192)
    """
    taps, shape = _kernel(kernel), _image("input_shape", input_shape)
    if taps.shape[0] != shape[0]:
        raise InvalidInput("kernel", f"shape ({shape[0]}, out, kh, kw) for input_shape {shape}",
                           f"shape {taps.shape}")
    steps, edge = _pair("stride", stride, 1), _pair("padding", padding, 0)
    extra = _pair("output_padding", output_padding, 0)
    if not (extra[0] < steps[0] and extra[1] < steps[1]):
        raise InvalidInput("output_padding", f"less than the stride {steps}", f"{extra}")
    sizes = [(n - 1) * s - 2 * p + t + e
             for n, s, p, t, e in zip(shape[1:], steps, edge, taps.shape[2:], extra, strict=True)]
    if min(sizes) < 1:
        raise InvalidInput("padding", "an output of at least one pixel", f"one of {sizes[0]} x {sizes[1]}")
    return _matrix(taps, (taps.shape[1], sizes[0], sizes[1]), steps, edge).T.tocsr()


def _matrix(
    taps: np.ndarray, shape: tuple[int, int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> csr_array:
    """Output pixel (i, j) sees input pixel (i s - p + a, j s - p + b) through tap (a, b)."""
    from scipy import sparse

    out, channels, kh, kw = taps.shape
    _, height, width = shape
    oh, ow = ((n + 2 * p - t) // s + 1 for n, p, t, s in zip(
        shape[1:], padding, taps.shape[2:], stride, strict=True))
    if min(oh, ow) < 1:
        raise InvalidInput("kernel", f"at most {height + 2 * padding[0]} x {width + 2 * padding[1]} taps for "
                           f"the padded input", f"{kh} x {kw}")
    size = (out * oh * ow, channels * height * width)
    kind = np.int32 if max(size) < 2**31 else np.int64
    above, left = (np.arange(c, dtype=kind) * n for c, n in ((out, oh * ow), (channels, height * width)))
    rows, columns, values = [], [], []
    for a in range(kh):
        i, y = _seen(oh, height, stride[0], a - padding[0])
        for b in range(kw):
            j, x = _seen(ow, width, stride[1], b - padding[1])
            target = (i[:, None] * ow + j).ravel().astype(kind)
            source = (y[:, None] * width + x).ravel().astype(kind)
            grid = (out, channels, len(target))
            rows.append(np.broadcast_to(above[:, None, None] + target, grid).ravel())
            columns.append(np.broadcast_to(left[:, None] + source, grid).ravel())
            values.append(np.broadcast_to(taps[:, :, a, b, None], grid).ravel())
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    found = sparse.csr_array(sparse.coo_array(triplets, shape=size))
    found.eliminate_zeros()
    return found


def _seen(outputs: int, inputs: int, stride: int, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs whose tap at `offset` falls on an input, and that input."""
    i = np.arange(outputs)
    at = i * stride + offset
    inside = (at >= 0) & (at < inputs)
    return i[inside], at[inside]


def _kernel(value: Any) -> np.ndarray:
    taps = arrays.real("kernel", value)
    if taps.ndim != 4 or 0 in taps.shape:
        raise InvalidInput("kernel", "shape (out, in, kh, kw), or (in, out, kh, kw) of a transposed one",
                           f"shape {taps.shape}")
    return taps


def _image(thing: str, value: Any) -> tuple[int, int, int]:
    if not (isinstance(value, tuple | list) and len(value) == 3 and all(_whole(n, 1) for n in value)):
        raise InvalidInput(thing, "(channels, height, width)", repr(value)[:60])
    return int(value[0]), int(value[1]), int(value[2])


def _pair(thing: str, value: Any, least: int) -> tuple[int, int]:
    both = (value, value) if _whole(value, least) else value
    if not (isinstance(both, tuple | list) and len(both) == 2 and all(_whole(n, least) for n in both)):
        raise InvalidInput(thing, f"an integer >= {least} or a pair of them", repr(value)[:60])
    return int(both[0]), int(both[1])


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)
