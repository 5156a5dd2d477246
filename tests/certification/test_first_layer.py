"""The R2WDC of layer 1 is its WDC (Fact 12)."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.certification.first_layer import first_layer
from wdccheck.reports.row import Row


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("W", [np.eye(2), np.zeros((3, 2)), np.ones((1, 1)), [[1.0, 2.0], [-3.0, -6.0]]])
def test_the_first_layer_at_any_scale(W, scale):
    net = wc.ReLUNetwork([np.asarray(W) * scale])
    known = wc.bracket(wc.WDC(net.layers[0], scale**2, layer=1), wc.Spectral())
    row = first_layer(Row(known), wc.R2WDC(net, 1))
    assert row.bracket.lower == pytest.approx(known.lower, rel=1e-9)
    assert row.bracket.lower <= known.upper == row.bracket.upper
