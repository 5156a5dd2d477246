"""The hypothesis strategies: what they draw is usable everywhere, and what they promise does occur."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import wdccheck as wc
from examples.definitions import exact_dot, fractions
from wdccheck.testing import directions, networks, weights

seldom = settings(database=None, max_examples=2000, derandomize=True, deadline=None,
                  phases=[Phase.generate])


@given(weights())
def test_weights_are_weights(W):
    assert W.dtype == np.float64 and W.ndim == 2 and np.isfinite(W).all()
    assert W.shape[0] >= W.shape[1]
    result = wc.bracket(wc.WDC(W), wc.Spectral())
    assert result.lower <= result.upper


@given(networks(), st.data())
def test_networks_suit_every_condition_of_a_network(net, data):
    for condition in (wc.R2WDC(net, net.depth), wc.RRIC(np.eye(net.dims[-1]), net)):
        letters = {x for block in condition.spheres for x in block}
        point = {x: data.draw(directions(net.dims[0])) for x in sorted(letters)}
        assert 0 <= condition.lower_bound(point) <= condition.deviation(point) < np.inf


@settings(max_examples=8)
@given(weights(k=2), st.data())
def test_weights_suit_the_joint_wdc(B, data):
    C = data.draw(weights(n=len(B)))
    result = wc.bracket(wc.JointWDC(B, C), wc.Spectral())
    assert result.lower <= result.upper


@given(weights(n=3, k=2), networks((2, 5, 3)))
def test_sizes_are_kept(W, net):
    assert W.shape == (3, 2) and net.dims == (2, 5, 3)


@given(st.data())
def test_directions_are_never_zero(data):
    W = data.draw(weights())
    for x in (data.draw(directions(W=W)), data.draw(directions(W.shape[1], W))):
        assert x.shape == (W.shape[1],) and x.any() and np.isfinite(x).all()


def nonzero_rows(W):
    return [row for row in W if row.any()]


@pytest.mark.parametrize("occurs", [
    lambda W: not W[0].any() and W.any(),
    lambda W: any(np.array_equal(a, b) for i, a in enumerate(nonzero_rows(W)) for b in nonzero_rows(W)[:i]),
    lambda W: any(np.array_equal(a, -b) for a in nonzero_rows(W) for b in nonzero_rows(W)),
    lambda W: W.any() and np.array_equal(W, np.round(W)) and np.abs(W).max() < 3,
    lambda W: np.abs(W).max() > 2.0**39,
    lambda W: 0 < np.abs(W).max() < 2.0**-39,
    lambda W: W.shape == (8, 3) and np.linalg.matrix_rank(W) == 3,
], ids=["zero", "duplicate", "opposite", "integer", "huge", "tiny", "full"])
def test_what_is_promised_occurs(occurs):
    find(weights(), occurs, settings=seldom)


def test_directions_meet_rows_their_opposites_and_walls_exactly():
    W = np.array([[0.1, 0.7, 0.3]])
    for occurs in (lambda x: np.array_equal(x, W[0]), lambda x: np.array_equal(x, -W[0]),
                   lambda x: np.count_nonzero(x) == 2 and exact_dot(*fractions([W[0], x])) == 0):
        find(directions(W=W), occurs, settings=seldom)


@pytest.mark.parametrize(("make", "thing"), [
    (lambda: weights(k=0), "k"), (lambda: weights(n="3"), "n"), (lambda: networks((3,)), "dims"),
    (lambda: networks([2, 3]), "dims"), (lambda: directions(), "k"), (lambda: directions(2, np.eye(3)), "k"),
])
def test_senseless_arguments_are_refused(make, thing):
    with pytest.raises(wc.InvalidInput) as caught:
        find(make(), lambda x: True, settings=seldom)
    assert caught.value.thing == thing


def test_hypothesis_is_loaded_only_where_it_is_used():
    code = ("import sys, wdccheck as wc; wc.testing.assert_holds; assert 'hypothesis' not in sys.modules; "
            "wc.testing.weights; assert 'hypothesis' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="strategy"):
        _ = wc.testing.strategy
