"""What is assumed of the platform's libm, against many digits; the units of a condition."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from examples.matrices import MATRICES, natural_alpha
from wdccheck import WDC
from wdccheck.linalg import rounding


def ulps(computed, exact):
    """The error of a float in units in the last place of the exact value."""
    return abs(mpmath.mpf(float(computed)) - exact) / mpmath.mpf(float(np.spacing(abs(float(computed)))))


SPECIAL = [0.0, 5e-324, 2.2e-308, 1e-300, 1e-30, 1e-16, 1e-8, 0.25, 0.5, 0.8999999, 0.9, np.pi / 6,
           0.7853981633974483, 1.0, 1.5707963267948966, 2.0, 3.0, 3.141592653589793, 3.14159265]


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("library", [np, math])  # of the plain kernels; what the compiled ones call
def test_libm_of_angles(name, library):
    rng = np.random.default_rng(0)
    x = np.concatenate([SPECIAL, rng.uniform(0, 4, 600), 10.0 ** rng.uniform(-20, 0, 200),
                        np.pi - 10.0 ** rng.uniform(-16, 0, 200), np.pi / 2 + rng.uniform(-1e-3, 1e-3, 50)])
    function = getattr(library, name)
    computed = function(x) if library is np else [function(t) for t in x]
    with mpmath.workdps(60):
        exact = [getattr(mpmath, name)(mpmath.mpf(float(t))) for t in x]
        worst = max(map(ulps, computed, exact))
    assert worst < rounding.LIBM_ULPS


def test_libm_arcsine():
    rng = np.random.default_rng(1)
    x = np.concatenate([[t for t in SPECIAL if t <= 0.9], rng.uniform(0, 0.9, 600),
                        10.0 ** rng.uniform(-20, -0.1, 300)])
    with mpmath.workdps(60):
        worst = max(ulps(y, mpmath.asin(mpmath.mpf(float(t)))) for t, y in zip(x, np.arcsin(x), strict=True))
    assert worst < rounding.LIBM_ULPS


def test_libm_arctangent():
    rng = np.random.default_rng(2)
    y = np.concatenate([rng.uniform(0, 2, 600), 10.0 ** rng.uniform(-300, 0, 300), [0.0, 2.0, 1.0, 5e-324]])
    x = np.concatenate([rng.uniform(0, 2, 600), 10.0 ** rng.uniform(-5, 0, 300), [2.0, 0.0, 1.0, 2.0]])
    with mpmath.workdps(60):
        worst = max(
            ulps(t, mpmath.atan2(mpmath.mpf(float(a)), mpmath.mpf(float(b))))
            for t, a, b in zip(np.arctan2(y, x), y, x, strict=True)
        )
    assert worst < rounding.LIBM_ULPS


def test_the_units_of_a_condition_keep_everything_near_one():
    # the constants above assume entries of magnitude at most about 1
    rng = np.random.default_rng(3)
    for factory in MATRICES.values():
        W = factory(rng, 3)
        condition = WDC(W, natural_alpha(W), layer=1)
        assert np.abs(condition.units.rows).max() <= 1 and condition.units.alpha <= 2
