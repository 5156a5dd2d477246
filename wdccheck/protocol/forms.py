"""What a condition says about a region: plain data, batched over the regions.

A relaxation looks only at these; it never learns which condition they came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Form", "Gated", "RangeForm", "Sandwich", "constant_form"]


@dataclass(frozen=True, eq=False)
class Sandwich:
    """The deviation is ``||A - E||_2`` for symmetric A and E caught between matrices.

    A condition that gives several forms of a region claims the two bounds below for the largest of
    them only; a condition that gives one claims, for every point of region b::

        low[b] - pad[b] I <= A <= high[b] + pad[b] I
        ||E - mean[b]||_2 <= slack[b]
        floor[b] I <= E <= ceiling[b] I

    in the order of symmetric matrices, rounding included, so that (Fact 10)

        lambda_max(A - E) <= min(lambda_max(high - mean) + slack, lambda_max(high) - floor) + pad
        lambda_max(E - A) <= min(lambda_max(mean - low) + slack, ceiling - lambda_min(low)) + pad

    Attributes
    ----------
    low, high, mean : ndarray of shape (k(k+1)/2, B)
        Lower triangles, row by row, batch axis last.
    slack, floor, ceiling, pad : ndarray of shape (B,)
    scale : float
        A power of two: the deviation is scale times that norm.
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    slack: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    pad: np.ndarray
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.slack)


@dataclass(frozen=True, eq=False)
class RangeForm:
    """A pencil: ``(deviation / scale)**power <= sup_z z^T F z / z^T G z``, F and G >= 0 near those given.

    For every region b: ``||F - form[b]||_2 <= form_pad[b]``, ``||G - gram[b]||_2 <= gram_pad[b]``, and
    every point of the region with a positive deviation has a z in R^p with ``z^T G z > 0`` and
    ``(deviation / scale)**power z^T G z <= z^T F z``. So ``t**power G - F >= 0`` proves deviation <=
    scale * t (Fact 13). A condition that gives several forms of a region claims this for the largest
    of their bounds only.

    Attributes
    ----------
    gram, form : ndarray of shape (B, p, p), symmetric
    gram_pad, form_pad : ndarray of shape (B,)
    scale : float
        A power of two.
    power : int
        1 or 2.
    cone, cone_error : ndarray of shape (B, c, p)
        That z also has ``C z >= 0`` for some C within `cone_error` of `cone`, entry by entry. So
        ``t**power G - F - C^T N C >= 0`` with N >= 0 entrywise is proof enough.
    """

    gram: np.ndarray
    form: np.ndarray
    gram_pad: np.ndarray
    form_pad: np.ndarray
    scale: float = 1.0
    power: int = 1
    cone: np.ndarray | None = None
    cone_error: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.gram)

    def take(self, index: np.ndarray) -> RangeForm:
        """The forms of `index`."""
        return RangeForm(self.gram[index], self.form[index], self.gram_pad[index], self.form_pad[index],
                         self.scale, self.power, None if self.cone is None else self.cone[index],
                         None if self.cone_error is None else self.cone_error[index])


Form = Sandwich | RangeForm


def constant_form(count: int, bound: float, scale: float = 1.0) -> RangeForm:
    """The form of `count` regions of which only deviation <= scale * bound is known."""
    one, zero = np.ones((count, 1, 1)), np.zeros(count)
    return RangeForm(one, bound * one, zero, zero, scale)


@dataclass(frozen=True, eq=False)
class Gated:
    """A gated sum as data, so that an engine can prove a subtree without calling back.

    ``A(points) = sum_l c_l d_l d_l^T`` where c_l is ``positive[l]`` if every gate letter x has
    ``d_l . x > 0``, ``negative[l]`` if every one has ``d_l . x < 0``, and 0 otherwise; the
    deviation is ``scale * ||A - alpha Q||_2``. An A summed in any order errs by less than `pad`.

    Attributes
    ----------
    rows : ndarray of shape (m, k)
        One direction d_l per line.
    positive, negative : ndarray of shape (m,)
    letters : tuple of str
    alpha, scale, pad : float
    """

    rows: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    letters: tuple[str, ...]
    alpha: float
    scale: float
    pad: float
