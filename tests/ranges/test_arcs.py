"""The range along great circles: a piece for every gate pattern."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from examples.networks import network
from wdccheck.ranges import arcs


@pytest.mark.parametrize("reach", [np.pi, 0.7])
def test_arcs_hold_the_network_on_a_circle(reach):
    rng = np.random.default_rng(5)
    layers = network(rng, (3, 7, 6))
    base, tangent = rng.standard_normal((2, 2, 2, 3))
    found = arcs.linear_arcs(base, tangent, reach)
    for W in layers:
        found = found.through(W)
    net = wc.ReLUNetwork(layers)
    for owner, start, stop, p, q in zip(found.owner, found.start, found.stop, found.p, found.q, strict=True):
        for t in np.linspace(start, stop, 5):
            first, delta = np.cos(t) * base[owner] + np.sin(t) * tangent[owner]
            here = np.cos(t) * p + np.sin(t) * q
            if reach < t < 2 * np.pi - reach:
                assert not here.any()
            elif min(abs(t - reach), abs(t - 2 * np.pi + reach)) > 1e-9:
                np.testing.assert_allclose(here, [net(first), net(first) - net(first - delta)], atol=1e-12)
    for owner in range(2):
        mine = found.owner == owner
        np.testing.assert_allclose(found.start[mine][1:], found.stop[mine][:-1], atol=1e-11)
        assert found.start[mine][0] == 0 and found.stop[mine][-1] == 2 * np.pi
