"""Negative controls of the forms of the joint-WDC: what each term of them is there for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wdccheck.conditions.weighted import WeightedPair
from wdccheck.conditions.weighted_forms import weighted_forms
from wdccheck.regions import Boxes
from wdccheck.upper.relax import proved_below

TINY = 2.0**-30


def box(center, half):
    return np.array(center)[:, None], np.array(half)[:, None]


def part(C, m, y, alpha=1.0):
    """Eq. 6 with B a column of ones, its only directions h = x = 1, and boxes of m and y."""
    pair = WeightedPair(np.ones((len(C), 1)), np.array(C), ("h", "x"), ("m", "y"), alpha)
    one = box([1.0], [0.0])
    boxes = Boxes(tuple("hxmy"), *zip(one, one, box(*m), box(*y), strict=True))
    return pair, list(weighted_forms(pair, boxes, 1.0))


def deviation(pair, m, y):
    one = np.ones((1, 1))
    return float(pair.deviation({"h": one, "x": one, "m": np.array([m]), "y": np.array([y])})[0])


def claimed(forms, t):
    return all(proved_below(form, t)[0] for form in forms)


# every corner of the box of m opens some row, its center opens none: A = 0 there
OPEN_AT_CORNERS = [[0.0, 1.0, 0.0], [0.0, -1.0, 2.0], [0.0, -3.0, 1.0]]
AROUND, BESIDE = ([1.0, 0.0, 0.0], [0.0, 2.0**-6, 2.0**-6]), ([0.5, 0.28125, 1.0], [TINY, TINY, 0.0])


@pytest.mark.parametrize("boxes", [(AROUND, BESIDE), (BESIDE, AROUND)], ids=["of m", "of y"])
def test_rows_that_weigh_nothing_inside_the_box_are_not_sure(boxes):
    pair, forms = part(OPEN_AT_CORNERS, *boxes)
    there = deviation(pair, boxes[0][0], boxes[1][0])
    assert not claimed(forms, there * (1 - 1e-9))
    assert claimed(forms, there * 1.2)
    forged = [replace(form, low=0.9 * form.high) for form in forms]  # what the corners weigh
    assert claimed(forged, there * (1 - 1e-9))


@pytest.mark.parametrize("half", [2.0**-3, 2.0**-5])
def test_corners_may_not_mix_what_they_compare_with(half):
    """One corner passes by its own expectation, the other by that of the nearest angle; m lies between.

    Only the spread of kappa over the corners, added to floor and ceiling, refuses it.
    """
    far, near = np.array([1.0, 0.0]), np.array([1.0, 2 * half])
    lies = 0
    for size in np.linspace(0.15, 0.3, 7):
        pair, forms = part([[1e-6 * size, size]], ([1.0, half], [0.0, half]), (near, [0.0, TINY]))
        kappas = np.array([float(form.mean[0, 0]) for form in forms])
        spread = kappas.max() - kappas.min()  # Q = 1/2
        forged = [replace(form, floor=form.floor + spread, ceiling=form.ceiling - spread) for form in forms]
        for share in np.linspace(0.02, 0.3, 8):
            t = deviation(pair, share * far + (1 - share) * near, near) * (1 - 1e-9)
            assert not claimed(forms, t)
            lies += claimed(forged, t)
    assert lies
