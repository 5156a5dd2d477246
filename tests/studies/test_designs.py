"""What a sweep computes: distributions of weights, designs, seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from examples.designs import DESIGN
from wdccheck.studies import ensembles
from wdccheck.studies.designs import Cell, product

# -- distributions -----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("distribution", sorted(ensembles.DISTRIBUTIONS))
def test_alpha_one_is_the_natural_constant(distribution, k):
    W = ensembles.draw(distribution, 100_000, k, np.random.default_rng(0))
    assert np.allclose(W.T @ W, np.eye(k), atol=0.02)


def test_what_the_distributions_say_of_themselves():
    rng, n, k = np.random.default_rng(1), 5000, 3
    lengths = {name: np.linalg.norm(ensembles.draw(name, n, k, rng), axis=1) / np.sqrt(k / n)
               for name in ensembles.DISTRIBUTIONS}
    assert np.allclose(lengths["sphere"], 1.0)
    assert np.allclose(lengths["rademacher"], 1.0)
    assert lengths["truncated"].max() < 3.01
    assert abs((lengths["sparse"] == 0).mean() - (1 - ensembles.DENSITY) ** k) < 0.03
    Q = ensembles.draw("orthogonal", 6, k, rng)
    assert np.allclose(Q.T @ Q, np.eye(k), atol=1e-14)


def test_rows_of_truncated_weights_are_cut_and_scaled_up():
    W = ensembles.draw("truncated", 50_000, 1, np.random.default_rng(0))
    share = 0.970709  # of the second moment of N(0, 1) within [-3, 3]
    assert (W == 0).mean() == pytest.approx(0.0027, abs=8e-4)
    assert np.abs(W).max() * np.sqrt(50_000) == pytest.approx(3 / np.sqrt(share), rel=1e-2)


# -- designs and seeds -------------------------------------------------------------------------


def test_a_design_is_a_product_without_what_does_not_apply():
    cells = product(["wdc", "rric", "joint-wdc"], **{
        **DESIGN, "m": [3, 4], "l": [5], "alpha": [1.0, 2.0], "repeat": 2})
    counts = [sum(cell.condition == kind for cell in cells) for kind in ("wdc", "rric", "joint-wdc")]
    assert counts == [2 * 2 * 2, 2 * 2 * 2, 2 * 2]  # n alpha r; n m r; alpha r
    assert len({cell.name for cell in cells}) == len(cells)
    assert all(cell.alpha is None for cell in cells if cell.condition == "rric")
    assert all(cell.n is None for cell in cells if cell.condition == "joint-wdc")


def test_the_expansion_is_n_over_k():
    cells = product("wdc", **{**DESIGN, "n": None, "k": [2, 3], "expansion": [2, 2.5]})
    assert [cell.n for cell in cells] == [4, 5, 6, 8]


def test_widths():
    cell = product("wdc", **{**DESIGN, "k": 2, "n": 54, "depth": 3})[0]
    assert cell.widths() == (2, 6, 18, 54)
    assert replace(cell, hidden=9).widths() == (2, 9, 9, 54)
    assert replace(cell, depth=1).widths() == (2, 54)


def test_seeds_depend_on_the_weights_alone():
    cell = Cell("wdc", "gaussian", 2, 8, 2, None, None, None, 1.0, 0)
    same = [replace(cell, condition="r2wdc"), replace(cell, alpha=2.0), replace(cell, condition="rric", m=3)]
    other = [replace(cell, **{name: value}) for name, value in (
        ("k", 3), ("n", 9), ("depth", 3), ("hidden", 5), ("repetition", 1), ("distribution", "sphere"))]
    assert {x.seed(0) for x in same} == {cell.seed(0)}
    assert len({x.seed(0) for x in other} | {cell.seed(0), cell.seed(1)}) == len(other) + 2
    assert 0 <= cell.seed(0) < 2**63


def test_conditions_of_one_network():
    cell = Cell("wdc", "gaussian", 2, 8, 2, None, None, None, 1.0, 0)
    whole = cell.build(5)
    restricted = replace(cell, condition="r2wdc").build(5)
    measured = [replace(cell, condition="rric", m=m).build(5) for m in (3, 4)]
    assert np.array_equal(whole.W, restricted.net.layers[1])
    assert all(np.array_equal(whole.W, x.net.layers[1]) for x in measured)
    assert [x.A.shape for x in measured] == [(3, 8), (4, 8)]
