"""How far alpha Q may be from its value at the centers of two boxes: Fact 2 to first order (Fact 22)."""

from __future__ import annotations

import numpy as np

from wdccheck._kernels.reference import in_order
from wdccheck.linalg import rounding

__all__ = ["ACROSS", "ALONG", "SHARP", "first_order"]

ACROSS, ALONG = 1.4, 0.806  # y and z: sqrt(1 + 6x - 3x^2) <= y + z x for x in [0, 1]
SHARP = 0.25  # of the plain slack: where more remains beyond the first order, nobody looks at it


def first_order(
    alpha: float, center: np.ndarray, radii: np.ndarray, theta: float, slack: float
) -> tuple[np.ndarray, float] | None:
    """A matrix M, packed, and a number c: on the boxes alpha Q leaves that at the centers by at most M + c I.

    That is in both directions (Fact 22). None where c is not below the part `SHARP` of the slack. Unit
    vectors r and s move along great circles to any point of the boxes, at speeds up to the radii a and b, in
    unit time. Let e be the unit tangent at r towards s, and P project onto the complement of r and s. For a
    tangent v at r, 2 pi dQ/dr [v] = (v.e) P + e v^T + v e^T: second moments of a Gaussian g where g.r = 0,
    g.s > 0. At a unit tangent u with x = (u.e)^2 this form is v.((1 - x) e + 2 (u.e) u), a vector of squared
    length 1 + 6x - 3x^2. So for |v| <= a it lies between -a G and a G, G = y (I - rr^T) + z ee^T; for s the
    same.

    On the way r turns by at most a per time, and e by a max(1, |cot|) + b / sin, at angles between
    theta - a - b and theta + a + b; rr^T changes by the sine of what r turned, ee^T likewise. Integrated:
    M = (a G_r + b G_s) / 2 pi at the centers, c = ((y + z max(1, |cot|)) (a^2 + b^2) + 2 z a b / sin) / 4 pi,
    both times alpha.

    M is written in the units along r + s and r - s. These err by 2 (k + 8) u over |r +- s|; as a + b is
    less than theta and pi - theta, it is at most pi/2 times |r +- s|. So M errs by less than four, Q by one,
    and what enters c by less than one of `expectation_error`; as alpha is at most 2, no entry of M exceeds 2.
    """
    error = rounding.expectation_error(center.shape[1])
    a, b = radii
    total = a + b
    low, high = theta - total - error, theta + total + error
    if not (low > 0 and high < np.pi):
        return None
    cot = max(1.0, 1 / np.tan(low), -1 / np.tan(high))
    rest = (ACROSS + ALONG * cot) * (a * a + b * b) + 2 * ALONG * a * b / min(np.sin(low), np.sin(high))
    rest = alpha * (rest / (4 * np.pi) + 8 * error)
    if not rest < SHARP * slack:
        return None
    r, s = center / np.sqrt(in_order(center * center))[:, None]
    p, m = r + s, r - s
    p, m = p / np.sqrt(in_order(p * p)), m / np.sqrt(in_order(m * m))
    square = (1 + np.cos(theta)) / 2
    i, j = np.tril_indices(len(p))
    change = (total * (ALONG * (1 - square) - ACROSS * square) * p[i] * p[j]
              + total * (ALONG * square - ACROSS * (1 - square)) * m[i] * m[j]
              + (b - a) * (ACROSS + ALONG) * np.sin(theta) / 2 * (p[i] * m[j] + m[i] * p[j]))
    change[i == j] += total * ACROSS
    return change * (alpha / (2 * np.pi)), float(rest)
