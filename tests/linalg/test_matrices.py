"""Sparse layers and operators: converted, refused, the same results as dense, saved results."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import wdccheck as wc
from examples.checks import outcomes
from examples.matrices import sparse_table
from examples.refusals import refused
from wdccheck.conditions.gated_pairs import mixed_pairs
from wdccheck.linalg import cost, hashes, matrices
from wdccheck.linalg.rounding import gate_error, open_gates


@pytest.fixture
def kept(monkeypatch):
    """Sparse layers of more than 40 columns stay sparse, however small."""
    monkeypatch.setattr(matrices, "_SMALL", 0)


def pairs(rng, count, k):
    r, s = rng.standard_normal((2, count, k))
    return {"r": r, "s": np.where(np.arange(count)[:, None] % 2, s, r + 1e-3 * s)}


# -- conversion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_every_format_is_the_same_matrix(kept, kind):
    table = sparse_table(20, 50)
    for given in (sparse.coo_array(table).asformat(kind), sparse.coo_matrix(table).asformat(kind)):
        W = matrices.layer("W", given)
        assert matrices.is_sparse(W) and np.array_equal(W.toarray(), table)
        assert hashes.sha256(W) == hashes.sha256(matrices.layer("W", sparse.csr_array(table)))


def test_small_and_full_ones_become_dense():
    table = sparse_table(20, 50)
    thin = sparse.csr_array(table)
    for given in (thin, aslinearoperator(table), aslinearoperator(thin)):
        W = matrices.layer("W", given)
        assert isinstance(W, np.ndarray) and np.array_equal(W, table)
    assert isinstance(matrices.layer("W", sparse.csr_array(np.ones((1100, 1000)))), np.ndarray)
    assert isinstance(matrices.layer("W", sparse.csr_array((40_000, 40))), np.ndarray)
    assert matrices.is_sparse(matrices.layer("W", sparse.csr_array((40_000, 41))))


def test_duplicates_zeros_order_and_integers(kept):
    rows, columns = np.array([0, 2, 0, 0, 1, 2]), np.array([49, 3, 1, 49, 7, 3])
    data = np.array([100, 5, 0, 100, -1, -5], dtype=np.int8)  # 100 + 100 is no int8
    W = matrices.layer("W", sparse.coo_array((data, (rows, columns)), shape=(4, 50)))
    assert W.data.tolist() == [200.0, -1.0] and W.indices.tolist() == [49, 7]
    assert W.indptr.tolist() == [0, 1, 2, 2, 2] and W.dtype == np.float64
    unsorted = sparse.csr_array((np.array([1.0, 2.0]), np.array([5, 1]), np.array([0, 2])), shape=(1, 50))
    W = matrices.layer("W", unsorted)
    assert W.indices.tolist() == [1, 5] and W.data.tolist() == [2.0, 1.0]
    assert unsorted.indices.tolist() == [5, 1]


def test_copies_are_read_only_also_after_pickling(kept):
    given = sparse.csr_array(sparse_table(60, 50))
    condition = wc.WDC(given)
    before = condition.describe()["sha256"]
    given.data[:] = 0
    assert hashes.sha256(condition.W) == before
    for W in (condition.W, pickle.loads(pickle.dumps(condition)).W):
        for array in (W.data, W.indices, W.indptr):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


@pytest.mark.parametrize(("W", "fragment"), [
    (sparse.csr_array((0, 50)), "at least one entry"),
    (sparse.coo_array(np.ones(5)), "shape (5,)"),
    (sparse.csr_array(np.full((2, 50), np.nan)), "finite numbers"),
    (sparse.csr_array(np.full((2, 50), np.inf)), "finite numbers"),
    (sparse.csr_array(np.ones((2, 50), dtype=complex)), "real numbers"),
    (sparse.csr_array(np.ones((2, 50), dtype=bool)), "real numbers"),
    (sparse.coo_array((np.full(2, 1e308), ([0, 0], [1, 1])), shape=(2, 50)), "finite numbers"),
    (aslinearoperator(np.full((2, 50), np.nan)), "finite numbers"),
    (aslinearoperator(np.ones((2, 50), dtype=complex)), "real numbers"),
    (LinearOperator((2**15, 2**14), matvec=lambda x: np.zeros(2**15)), "at most 2**28 entries"),
])
def test_unusable_ones_are_refused_in_one_line(kept, W, fragment):
    refused(lambda: wc.WDC(W), "W: ", fragment)


def test_an_operator_of_too_many_entries_is_refused(kept, monkeypatch):
    monkeypatch.setattr(matrices, "_STORED", 100)
    refused(lambda: wc.WDC(aslinearoperator(np.ones((60, 50)))), "at most 2**26 nonzero entries")


def test_an_operator_is_tabulated_in_blocks(kept, monkeypatch):
    monkeypatch.setattr(matrices, "_BLOCK", 400)
    table = sparse_table(60, 50)
    assert np.array_equal(matrices.layer("W", aslinearoperator(table)).toarray(), table)


def test_elsewhere_sparse_layers_are_made_dense_up_to_a_size(monkeypatch):
    W1, W2 = sparse.csr_array(sparse_table(30, 3, density=0.9)), sparse.csr_array(sparse_table(50, 30))
    net = wc.ReLUNetwork([W1, W2])
    assert net.sha256 == wc.ReLUNetwork([W1.toarray(), W2.toarray()]).sha256
    assert wc.JointWDC(W1, W1).B.shape == (30, 3)
    assert wc.RRIC(sparse.eye_array(50), net).deviation is not None
    monkeypatch.setattr(matrices, "_DENSE", 1000)
    refused(lambda: wc.ReLUNetwork([W1, W2]), "layer 2: at most 2**27 entries", "(50, 30)")


# -- the same results as dense -------------------------------------------------------------------


def both(table, alpha=1.0):
    dense, thin = wc.WDC(table, alpha, layer=1), wc.WDC(sparse.csr_array(table), alpha, layer=1)
    assert matrices.is_sparse(thin.W) and not matrices.is_sparse(dense.W)
    return dense, thin


@pytest.mark.parametrize("shape", [(80, 50), (30, 50), (1, 41)])
def test_sparse_and_dense_agree(kept, shape):
    dense, thin = both(sparse_table(*shape), 0.7)
    rng = np.random.default_rng(1)
    points = pairs(rng, 6, shape[1])
    assert np.allclose(dense.deviation(points), thin.deviation(points), rtol=1e-12)
    one, other = dense.search.freeze(points), thin.search.freeze(points)
    assert np.allclose(one.value, other.value, rtol=1e-9, atol=1e-9) and (one.sign == other.sign).all()
    tangent = rng.standard_normal((6, shape[1]))
    tangent -= np.sum(tangent * points["r"], axis=1, keepdims=True) * points["r"] / np.sum(
        points["r"] ** 2, axis=1, keepdims=True)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    assert np.allclose(dense.search.circle(points, ("r",), tangent, one).value,
                       thin.search.circle(points, ("r",), tangent, one).value, rtol=1e-9)
    for cap, same in zip(dense.theorems.caps(), thin.theorems.caps(), strict=True):
        assert abs(cap.value - same.value) < 1e-9 * cap.value
    for start, same in zip(dense.theorems.starts(), thin.theorems.starts(), strict=True):
        assert abs(dense.lower_bound(start.point) - thin.lower_bound(start.point)) < 1e-12
        assert abs(dense.lower_bound(start.point) - thin.lower_bound(same.point)) < 1e-6
    for x, value in dense.search.free_step(points, one).items():
        assert np.allclose(value, thin.search.free_step(points, one)[x])
    one, other = (mixed_pairs(layer.units.rows, np.random.default_rng(2), 9) for layer in (dense, thin))
    assert all(np.allclose(one[x], other[x], atol=1e-6) for x in one)
    climbed = thin.search.seeds(np.random.default_rng(2), 33)
    assert all(np.isfinite(x).all() for x in climbed.values())


def test_gates_have_exact_signs(kept):
    table = np.zeros((3, 50))
    table[0, :3] = [1.0, 2.0**-60, -1.0]
    table[1, :2] = [1.0, -1.0]
    W, r = matrices.layer("W", sparse.csr_array(table)), np.ones(50)
    assert open_gates(W, r).tolist() == open_gates(table, r).tolist() == [True, False, False]
    assert np.array_equal(gate_error(W), gate_error(table))


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("shape", [(80, 50), (30, 50)])
def test_the_bracket_of_a_sparse_layer(kept, shape, tmp_path):
    thin = wc.WDC(sparse.csr_array(sparse_table(*shape)), layer=1)
    assert thin.proof is None
    result = wc.bracket(thin, wc.Spectral(), wc.Ascent(starts=8))
    assert 0 < result.lower <= thin.deviation(result.witness) <= result.lower * (1 + 1e-9)
    assert result.lower <= result.upper
    assert result.lower <= wc.WDC(thin.W.toarray(), layer=1).deviation(result.witness)
    path = tmp_path / "thin.json"
    result.save(path)
    assert outcomes(wc.verify(path, rerun=False)) == ["proved", "recorded"]
    wc.bracket(thin, wc.Spectral()).save(path)
    assert outcomes(wc.verify(path)) == ["proved", "proved"]


@pytest.mark.parametrize("table", [np.zeros((60, 50)), np.eye(50), np.vstack([np.eye(50), -np.eye(50)]),
                                   np.repeat(np.eye(50), 2, axis=0), np.eye(3, 50)])
def test_degenerate_sparse_layers(kept, table):
    dense, thin = both(table)
    one, other = (wc.bracket(c, wc.Spectral(), wc.MonteCarlo(samples=16)) for c in (dense, thin))
    assert abs(one.upper - other.upper) < 1e-9
    assert other.lower <= other.upper and abs(one.lower - other.lower) < 1e-6


def test_certify_of_sparse_layers():
    first, second = sparse_table(8, 2, density=0.9), sparse_table(12, 8)
    net = wc.ReLUNetwork([sparse.csr_array(first), sparse.csr_array(second)])
    assert len(wc.certify(net, alpha=1.0, time_limit=2).rows) == 5


# -- saved results -------------------------------------------------------------------------------


@pytest.fixture
def saved(kept, tmp_path):
    path = tmp_path / "thin.json"
    table = sparse_table(60, 50)
    wc.bracket(wc.WDC(sparse.csr_array(table)), wc.Spectral()).save(path)
    return path, table


def changed(path, change):
    data = json.loads(path.read_text())
    change(data["condition"])
    path.write_text(json.dumps(data))
    return wc.verify(path, rerun=False)[0]


def swapped(condition):
    weights = condition["weights"]
    assert len(weights["data"]) == len(weights["indices"])
    weights["data"], weights["indices"] = weights["indices"], weights["data"]


@pytest.mark.parametrize(("change", "outcome"), [
    (lambda c: c["weights"].update(data=c["weights"]["data"][:-12] + "AAAAAAAA8D8="), "refuted"),
    (lambda c: c["weights"].update(shape=[60, 51]), "refused"),
    (lambda c: c["weights"].update(shape=[61, 50]), "refused"),
    (lambda c: c["weights"].update(indptr="AAAA"), "not proved"),
    (lambda c: c["weights"].pop("indices"), "refused"),
    (swapped, "not proved"),
    (lambda c: c.pop("weights"), "not proved"),
])
def test_a_forged_layer_is_not_believed(saved, change, outcome):
    try:
        found = changed(saved[0], change).outcome
    except wc.InvalidInput:
        found = "refused"
    assert found == outcome


def test_weights_are_given_in_either_form(saved, monkeypatch):
    path, table = saved
    stripped = changed(path, lambda c: c.pop("weights"))
    assert stripped.outcome == "not proved" and "does not carry the weights" in stripped.detail
    assert outcomes(wc.verify(path, weights=table)) == ["proved", "proved"]
    for given in (sparse.csr_array(table), [sparse.csc_array(table)]):
        assert wc.verify(path, weights=given, rerun=False)[0].outcome == "proved"
    assert wc.verify(path, weights=2 * table)[0].outcome == "refuted"
    monkeypatch.setattr(matrices, "_SMALL", 2**20)
    wc.bracket(wc.WDC(table), wc.Spectral()).save(path)
    assert wc.verify(path, weights=sparse.csr_array(table), rerun=False)[0].outcome == "proved"


def test_large_sparse_layers_travel_without_their_entries(kept):
    assert "weights" not in wc.WDC(sparse.csr_array(np.ones((1400, 50)))).describe()  # made dense: too full
    assert "weights" not in wc.WDC(sparse.random_array((3000, 100), density=0.3, rng=0)).describe()


@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_array])
def test_wide_layers_promise_the_same(kept, monkeypatch, storage):
    condition = wc.WDC(storage(sparse_table(450, 300, density=0.1)))
    points = [start.point for start in condition.theorems.starts()][:12]
    seeds = mixed_pairs(condition.units.rows, np.random.default_rng(0), 8)
    points += [{x: p[i] for x, p in seeds.items()} for i in range(8)]
    for point in points:
        lower, value = condition.lower_bound(point), float(condition.deviation(point))
        assert lower <= value <= lower * (1 + 1e-9)
    monkeypatch.setattr(cost, "FORMED", 50)
    assert abs(float(condition.deviation(points[-1])) - value) <= 1e-9 * value
