"""Multipliers of cone constraints: any N gives a valid bound, good ones a sharp one."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from wdccheck.engines.proving.multipliers import tightened, whitened, with_multipliers
from wdccheck.engines.proving.relax import proved_below, proved_bound
from wdccheck.engines.sdp import SDP
from wdccheck.protocol.forms import RangeForm, constant_form


def on_the_orthant(matrix):
    """max z^T F z over unit z >= 0: a positive top eigenvector on one of the faces."""
    best, n = 0.0, len(matrix)
    for size in range(1, n + 1):
        for face in map(list, combinations(range(n), size)):
            values, vectors = np.linalg.eigh(matrix[np.ix_(face, face)])
            for value, vector in zip(values, vectors.T, strict=True):
                if (vector >= -1e-12).all() or (vector <= 1e-12).all():
                    best = max(best, value)
    return best


def form_of(matrices, cone=None, pad=0.0, **rest):
    matrices = np.asarray(matrices, dtype=float)
    b, p = matrices.shape[:2]
    cone = np.broadcast_to(np.eye(p), (b, p, p)).copy() if cone is None else cone
    gram, pads = np.broadcast_to(np.eye(p), matrices.shape).copy(), np.full(b, pad)
    return RangeForm(gram, matrices, pads, pads, cone=cone, cone_error=np.zeros(cone.shape), **rest)


def random_symmetric(seed, count, p):
    matrices = np.random.default_rng(seed).standard_normal((count, p, p))
    return matrices + matrices.swapaxes(1, 2)


def quotients(form):
    """The largest z^T F z / z^T G z."""
    return np.array([np.linalg.eigvals(np.linalg.solve(g, f)).real.max()
                     for g, f in zip(form.gram, form.form, strict=True)])


TWO = {  # max z^T F z over z >= 0, |z| = 1
    "opposed": ([[1.0, -3.0], [-3.0, 1.0]], 1.0),
    "unequal": ([[2.0, -1.0], [-1.0, 0.5]], 2.0),
    "together": ([[1.0, 3.0], [3.0, 1.0]], 4.0),
    "on an axis": ([[5.0, 0.0], [0.0, -7.0]], 5.0),
}


@pytest.mark.parametrize(("matrix", "exact"), TWO.values(), ids=TWO)
def test_two_constraints(matrix, exact):
    assert on_the_orthant(np.array(matrix)) == pytest.approx(exact)
    form = form_of([matrix])
    plain, sharp = proved_bound(form)[0], tightened(form)[0]
    assert exact <= sharp <= min(plain, 1.4 * exact)
    assert exact <= SDP()._tightened(form)[0] <= 1.0001 * exact


def test_four_constraints():
    """Up to four, P + N is all of the copositive matrices: the relaxation is exact."""
    matrices = random_symmetric(4, 12, 4)
    form, exact = form_of(matrices), np.array([on_the_orthant(m) for m in matrices])
    plain, sharp, solved = proved_bound(form), tightened(form), SDP()._tightened(form)
    assert (exact <= solved).all()
    assert (solved <= sharp * (1 + 1e-6)).all()
    assert (sharp <= plain).all()
    assert (solved <= np.maximum(exact * 1.001, 1e-6)).all()
    assert (sharp[exact > 0.5] <= 1.2 * exact[exact > 0.5]).all()
    assert (sharp < 0.95 * plain).sum() >= 4


def test_the_gram_matrix_may_be_any():
    rng = np.random.default_rng(5)
    root = rng.standard_normal((6, 3, 3)) + 3 * np.eye(3)
    matrices = random_symmetric(6, 6, 3)
    rows = rng.standard_normal((6, 2, 3))
    form = replace(form_of(matrices, rows), gram=root @ root.swapaxes(1, 2))
    z = rng.standard_normal((6, 20_000, 3))
    value = np.einsum("bsi,bij,bsj->bs", z, form.form, z) / np.einsum("bsi,bij,bsj->bs", z, form.gram, z)
    inside = (np.einsum("bci,bsi->bsc", rows, z) >= 0).all(axis=2)
    seen = np.where(inside, value, 0.0).max(axis=1)
    for bound in (tightened(form), SDP()._tightened(form)):
        assert (seen <= bound).all()
        assert (bound <= proved_bound(form)).all()
    assert (seen < 0.99 * proved_bound(form)).any()


GARBAGE = {
    "zero": np.zeros((4, 4)),
    "ones": np.ones((4, 4)),
    "negative": -np.ones((4, 4)),
    "not symmetric": np.arange(16.0).reshape(4, 4),
    "nan": np.full((4, 4), np.nan),
    "inf": np.full((4, 4), np.inf),
    "some nan": np.where(np.eye(4) > 0, np.nan, 1.0),
    "huge": np.full((4, 4), 1e200),
    "beyond": np.full((4, 4), 1.7e308),
    "tiny": np.full((4, 4), 1e-320),
}


@pytest.mark.parametrize("N", GARBAGE.values(), ids=GARBAGE)
def test_garbage_gives_a_valid_bound(N):
    matrices = random_symmetric(7, 5, 4)
    form = form_of(matrices)
    exact = np.array([on_the_orthant(m) for m in matrices])
    bound = proved_bound(with_multipliers(form, np.broadcast_to(N, (5, 4, 4))))
    assert (exact <= bound).all()


@pytest.mark.parametrize("seed", range(4))
def test_any_multipliers_are_valid(seed):
    rng = np.random.default_rng(seed)
    matrices = random_symmetric(seed, 8, 4)
    form, exact = form_of(matrices), np.array([on_the_orthant(m) for m in matrices])
    for scale in (0.1, 1.0, 100.0):
        N = rng.exponential(scale, (8, 4, 4))
        assert (exact <= proved_bound(with_multipliers(form, N))).all()


def test_the_error_of_the_constraints_counts():
    form = form_of([[[1.0, -3.0], [-3.0, 1.0]]])
    N = np.array([[[0.0, 3.0], [3.0, 0.0]]])
    sure = proved_bound(with_multipliers(form, N))[0]
    assert sure == pytest.approx(1.0, abs=1e-6)
    # rows known up to 0.1 may be (1, 0.1), (0.1, 1): z = (1, -0.1) is allowed
    vague = replace(form, cone_error=np.full((1, 2, 2), 0.1))
    z = np.array([1.0, -0.1])
    worst = z @ form.form[0] @ z / (z @ z)
    assert proved_bound(with_multipliers(vague, N))[0] >= worst
    assert tightened(vague)[0] >= worst > 1.5


def test_pads_count():
    form = form_of([[[1.0, -3.0], [-3.0, 1.0]]], pad=0.01)
    assert tightened(form)[0] >= (1.0 + 0.01) / (1 - 0.01)


def test_without_constraints_the_bound_is_the_plain_one():
    matrices = random_symmetric(1, 3, 3)
    plain = proved_bound(form_of(matrices))
    for cone in (np.zeros((3, 0, 3)), np.zeros((3, 2, 3))):
        np.testing.assert_array_equal(tightened(form_of(matrices, cone)), plain)
        np.testing.assert_array_equal(SDP()._tightened(form_of(matrices, cone)), plain)
    np.testing.assert_array_equal(tightened(constant_form(2, 3.0)), proved_bound(constant_form(2, 3.0)))


def test_squares_and_scales():
    matrix = [[1.0, -3.0], [-3.0, 1.0]]
    assert 2.0 <= tightened(form_of([matrix], scale=2.0))[0] <= 2.8
    assert 1.0 <= tightened(form_of([matrix], power=2))[0] <= 1.4
    assert proved_bound(form_of([matrix], power=2, scale=4.0))[0] == pytest.approx(8.0)


def test_whitened_coordinates():
    rng = np.random.default_rng(2)
    root = rng.standard_normal((3, 3, 3)) + 3 * np.eye(3)
    form = replace(form_of(random_symmetric(2, 3, 3)), gram=root @ root.swapaxes(1, 2))
    inside, cone, length = whitened(form)
    np.testing.assert_allclose(np.linalg.norm(cone, axis=2), 1.0)
    values = quotients(form)
    np.testing.assert_allclose(np.linalg.eigvalsh(inside)[:, -1], values)
    assert (length > 0).all()
    assert whitened(replace(form, gram=-form.gram)) is None


@pytest.mark.parametrize("change", [
    {"gram": np.full((1, 2, 2), np.nan)}, {"form": np.full((1, 2, 2), np.nan)},
    {"form": np.full((1, 2, 2), np.inf)}, {"gram": np.zeros((1, 2, 2))}, {"gram": -np.eye(2)[None]},
    {"form_pad": np.array([np.nan])}, {"form_pad": np.array([np.inf])}, {"gram_pad": np.array([2.0])},
], ids=str)
def test_a_form_that_says_nothing_has_no_bound(change):
    form = replace(form_of([[[1.0, 0.0], [0.0, 1.0]]]), **change)
    with np.errstate(all="ignore"):
        assert proved_bound(form)[0] == np.inf
        assert tightened(form)[0] == np.inf
        assert not proved_below(form, 1e6)[0]


def test_a_bound_is_proved_and_hardly_more_than_the_quotient():
    rng = np.random.default_rng(3)
    root = rng.standard_normal((9, 5, 5)) + 2 * np.eye(5)
    form = replace(form_of(random_symmetric(3, 9, 5)), gram=root @ root.swapaxes(1, 2))
    values = quotients(form)
    bound = proved_bound(form)
    assert (values <= bound).all()
    assert (bound <= values * (1 + 1e-6) + 1e-9).all()
    for b in range(9):
        assert proved_below(form.take(np.array([b])), bound[b])[0]
        assert not proved_below(form.take(np.array([b])), values[b] * (1 - 1e-9))[0]
