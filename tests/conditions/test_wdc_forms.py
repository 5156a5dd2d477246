"""The forms of the WDC on regions: what they claim against what is sampled there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.matrices import MATRICES, SEEDS, layer, natural_alpha, top_scale
from wdccheck import WDC, _kernels
from wdccheck.conditions.wdc.proof import Apart
from wdccheck.engines.proving.relax import proved_below
from wdccheck.geometry import expectation

KINDS = st.sampled_from(sorted(MATRICES))


def eigenvalues(packed):
    k = int((math.isqrt(8 * len(packed) + 1) - 1) // 2)
    return np.linalg.eigvalsh(_kernels.symmetric(packed, k))


def claimed(form):
    """The bound of a Sandwich on each region, by eigenvalues."""
    above = np.minimum(eigenvalues(form.high - form.mean)[:, -1] + form.slack,
                       eigenvalues(form.high)[:, -1] - form.floor)
    below = np.minimum(eigenvalues(form.mean - form.low)[:, -1] + form.slack,
                       form.ceiling - eigenvalues(form.low)[:, 0])
    return form.scale * (np.maximum(above, below) + form.pad)


def some_regions(condition, rng, count=40, most=16):
    regions = condition.proof.boxes()
    for _ in range(int(rng.integers(0, most))):
        regions = regions.split()
        regions = regions.take(rng.permutation(len(regions))[:count])
    return regions


def single(form, b):
    """One region of a form."""
    letters = ("low", "high", "mean", "slack", "floor", "ceiling", "pad")
    return type(form)(*(getattr(form, x)[..., b : b + 1] for x in letters), scale=form.scale)


@given(SEEDS, KINDS, st.integers(1, 3), st.sampled_from([0.1, 1.0, 10.0]))
@settings(max_examples=60)
def test_forms_dominate_the_deviation(seed, kind, k, factor):
    condition, rng = layer(seed, kind, k, factor)
    regions = some_regions(condition, rng)
    points = regions.sample(rng, 25)
    values = condition.deviation(points).max(axis=1)
    (form,) = condition.proof.forms(regions)
    assert len(form) == len(regions)
    bound = claimed(form)
    assert (values <= bound * (1 + 1e-12)).all()
    for b in range(0, len(regions), 19):
        one = single(form, b)
        assert not proved_below(one, values[b] * (1 - 1e-9)).any()
        assert not proved_below(one, bound[b] - 1e-12 * top_scale(condition)).any()
        assert proved_below(one, bound[b] + 1e-9 * top_scale(condition)).all()
        low, high = 0.0, 2 * bound[b] + condition.alpha
        for _ in range(25):
            t = (low + high) / 2
            low, high = (low, t) if proved_below(one, t)[0] else (t, high)
        assert high >= values[b]


@given(SEEDS, KINDS, st.integers(1, 3), st.sampled_from([0.1, 1.0, 10.0]))
@settings(max_examples=40)
def test_every_inequality_of_a_sandwich(seed, kind, k, factor):
    condition, rng = layer(seed, kind, k, factor)
    regions = some_regions(condition, rng)
    if isinstance(regions, Apart):
        return
    (form,) = condition.proof.forms(regions)
    points = regions.sample(rng, 8)
    tolerance = 1e-14 * len(condition.W)
    eye = np.eye(k)
    low, high, mean = (_kernels.symmetric(x, k) for x in (form.low, form.high, form.mean))
    for i in range(8):
        r, s = points["r"][:, i], points["s"][:, i]
        A = expectation.gated_gram(condition.units.rows, r, s)
        E = condition.units.alpha * expectation.expected_gram(r, s)
        pad = form.pad[:, None, None] * eye
        for smaller, larger in ((low - pad, A), (A, high + pad)):
            assert np.linalg.eigvalsh(larger - smaller)[:, 0].min() >= -tolerance
        assert (np.linalg.norm(E - mean, 2, axis=(1, 2)) <= form.slack + tolerance).all()
        values = np.linalg.eigvalsh(E)
        assert (values[:, 0] >= form.floor - tolerance).all()
        assert (values[:, -1] <= form.ceiling + tolerance).all()
    assert form.scale == 2.0 ** round(math.log2(form.scale))
    assert (np.abs(form.mean) <= 2).all() and (form.slack <= 2).all() and (form.ceiling <= 2).all()


@given(SEEDS, st.sampled_from(["integer", "negated", "duplicated", "zero rows", "trained-like"]))
@settings(max_examples=40)
def test_refined_forms_dominate_too(seed, kind):
    condition, rng = layer(seed, kind, 3)
    if kind != "integer":
        base = condition.W[:2]  # a pencil: four lines through one flat
        condition = WDC(np.vstack([condition.W, base[:1] + base[1:], base[:1] - base[1:]]), condition.alpha)
    # regions about pairs on a flat of rows, where lines crowd
    regions = condition.proof.boxes()
    starts = list(condition.theorems.starts())
    focus = starts[int(rng.integers(len(starts)))].point
    for _ in range(int(rng.integers(10, 30))):
        regions = regions.split()
        kept = regions.contains({x: np.tile(v, (len(regions), 1)) for x, v in focus.items()})
        regions = regions.take(np.flatnonzero(kept)[:20]) if kept.any() else regions.take(slice(0, 20))
    points = regions.sample(rng, 25)
    values = condition.deviation(points).max(axis=1)
    plain = claimed(condition.proof.forms(regions)[0])
    for owners, (form,) in condition.proof.finer(regions):
        bound = np.full(len(regions), -np.inf)
        np.maximum.at(bound, owners, claimed(form))
        touched = np.unique(owners)
        assert (values[touched] <= bound[touched] * (1 + 1e-12)).all()
        assert (bound[touched] <= plain[touched] * (1 + 1e-9)).all()


def test_refine_gains_where_lines_crowd():
    # x, y and -(x + y) all vanish on the z axis: plainly all three might be open there
    W = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 0.0, 0.25]])
    condition = WDC(W)
    regions = condition.proof.boxes()
    focus = {"r": np.array([1e-6, 2e-6, 1.0]), "s": np.array([3e-6, 1e-6, 1.0])}
    for _ in range(24):
        regions = regions.split()
        regions = regions.take(regions.contains({x: np.tile(v, (len(regions), 1)) for x, v in focus.items()}))
    plain = claimed(condition.proof.forms(regions)[0])
    refined = np.full(len(regions), -np.inf)
    for owners, (form,) in condition.proof.finer(regions):
        np.maximum.at(refined, owners, claimed(form))
    assert len(regions) and (refined < 0.95 * plain).any() and (refined > 0).all()


@given(SEEDS, st.integers(2, 4), st.integers(1, 3), st.integers(0, 6))
def test_rows_that_do_not_span_are_dominated_as_a_whole(seed, k, rank, splits):
    rng = np.random.default_rng(seed)
    W = rng.integers(-3, 4, (k + 2, min(rank, k - 1))) @ rng.integers(-3, 4, (min(rank, k - 1), k)) / 4.0
    condition = WDC(W, natural_alpha(W) * 10.0 ** rng.uniform(-1, 1))
    regions = condition.proof.boxes()
    for _ in range(splits):
        regions = regions.split()
    bound = max(claimed(form).max() for form in condition.proof.forms(regions))
    points = condition.search.seeds(rng, 60)
    assert condition.deviation(points).max() <= bound * (1 + 1e-12)
    if isinstance(regions, Apart):
        assert condition.deviation(regions.centers()).max() <= bound * (1 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(MATRICES))
def test_forms_dominate_at_length(kind):
    for seed in range(60):
        for k in (2, 3, 4):
            condition, rng = layer(seed, kind, k, 10.0 ** np.random.default_rng(seed).uniform(-1, 1))
            regions = some_regions(condition, rng, 200, 30)
            values = condition.deviation(regions.sample(rng, 40)).max(axis=1)
            assert (values <= claimed(condition.proof.forms(regions)[0]) * (1 + 1e-12)).all()
