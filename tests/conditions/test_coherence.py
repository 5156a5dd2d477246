"""The coherence: definition, witnesses, caps, both sides of brackets, saved results, bad input."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import mpmath
import numpy as np
import pytest

import wdccheck as wc
from examples.checks import denied, outcomes
from examples.coherence import ISOMETRIES, exact, fourier, instance, orthonormal, plain, random_points
from wdccheck import checker, kinds
from wdccheck.checker import reevaluate
from wdccheck.conditions.built import build
from wdccheck.conditions.coherence.proof import Proof
from wdccheck.geometry import spheres
from wdccheck.linalg import hashes
from wdccheck.linalg.isometries import Isometry
from wdccheck.protocol.condition import Condition
from wdccheck.reports.meaning import meaning
from wdccheck.reports.row import Row
from wdccheck.reports.witness import scene
from wdccheck.studies.designs import product
from wdccheck.weights.files import read_matrix, read_network

every_kind = pytest.mark.parametrize("kind", ISOMETRIES)


# -- the definition ------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("dims", [(2, 6, 8), (1, 4), (3, 5, 4, 6)])
def test_the_definition(dims, kind):
    rng, net, U = instance(0, dims, kind)
    condition, points = wc.Coherence(U, net), random_points(rng, dims[0])
    assert isinstance(condition, Condition)
    found = condition.deviation(points)
    expected = [plain(U, net, {x: p[b] for x, p in points.items()}) for b in range(len(found))]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert condition.deviation({**points, "x2": np.zeros(dims[0])}).shape == found.shape
    assert condition.deviation({x: p[0] for x, p in points.items()}).shape == ()
    grid = condition.deviation({"x1": points["x1"][:3, None], "x2": points["x2"][None, :5]})
    assert grid.shape == (3, 5) and grid[1, 1] == found[1]


def test_without_the_imaginary_part_it_is_another_number(monkeypatch):
    rng, net, U = instance(0, kind="fourier")
    points = random_points(rng, 2)
    expected = [plain(U, net, {x: p[b] for x, p in points.items()}) for b in range(40)]
    monkeypatch.setattr(Isometry, "products", lambda self, x: (x @ self.parts[0].T)[None])
    assert np.abs(wc.Coherence(U, net).deviation(points) - expected).max() > 1e-3


@every_kind
@pytest.mark.parametrize("seed", range(3))
def test_lower_bounds_stay_below_the_exact_value(seed, kind):
    rng, net, U = instance(seed, (2, 4, 5), kind)
    condition, points = wc.Coherence(U, net), random_points(rng, 2, 12)
    points["x2"][4:8] = points["x1"][4:8] + 10.0 ** rng.uniform(-15, -5, (4, 1)) * points["x2"][4:8]
    with mpmath.workdps(60):
        for b in range(12):
            point = {x: p[b] for x, p in points.items()}
            low, true = condition.lower_bound(point), exact(U, net, point)
            assert low <= true and low <= float(condition.deviation(point))
            assert low >= true * (1 - mpmath.mpf(10) ** -9) - mpmath.mpf(10) ** -11
            assert abs(float(condition.deviation(point)) - true) < 1e-12


@every_kind
def test_the_error_of_the_entries_is_taken_off(kind):
    """At the worst vector within the errors; 0.49 of the errors are not enough."""
    rng = np.random.default_rng(1)
    U = Isometry(ISOMETRIES[kind](rng, 6))
    x, error, caught = rng.standard_normal(6), 1e-3 * rng.random(6), 0
    least, too_high = U.least_moduli(x, error), U.least_moduli(x, 0.49 * error)
    for j in range(U.shape[0]):
        a, b = U.parts[0, j], U.parts[-1, j] * (len(U.parts) - 1)
        worst = [x + signs * np.sign(part) * error for part in (a, b) for signs in (1.0, -1.0)]
        lowest = min(np.hypot(a @ w, b @ w) for w in worst)
        assert least[j] <= lowest
        caught += too_high[j] > lowest
    assert len(U.parts) == 2 or caught


def test_equal_images_contribute_nothing():
    _, net, U = instance(1)
    condition, x, zero = wc.Coherence(U, net), np.ones(2), np.zeros(2)
    for point in ({"x1": x, "x2": x}, {"x1": zero, "x2": zero}):
        assert condition.deviation(point) == 0.0 == condition.lower_bound(point)


def test_it_depends_on_directions_and_is_symmetric():
    rng, net, U = instance(2, kind="fourier")
    condition, points = wc.Coherence(U, net), random_points(rng, 2)
    found = condition.deviation(points)
    for scale in (1e-90, 3.0, 1e90):
        np.testing.assert_allclose(condition.deviation({x: scale * p for x, p in points.items()}), found,
                                   rtol=1e-12)
    exchanged = {"x1": points["x2"], "x2": points["x1"]}
    np.testing.assert_allclose(condition.deviation(exchanged), found, rtol=1e-12)
    turned = wc.Coherence(np.exp(0.7j) * U[::-1], net)
    np.testing.assert_allclose(turned.deviation(points), found, rtol=1e-12)


# -- the search ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rows", "fourier", "identity"])
def test_the_best_point_of_a_circle(kind):
    rng, net, U = instance(4, kind=kind)
    search, block = wc.Coherence(U, net).search, ("x1", "x2")
    points = search.seeds(rng, 12)
    frozen = search.freeze(points)
    np.testing.assert_allclose(np.einsum("bn,bn->b", frozen.u, frozen.v), frozen.value, atol=1e-12)
    base = spheres.join(points, block)
    tangent = spheres.unit_tangent(base, rng.standard_normal(base.shape))
    found = search.circle(points, block, tangent, frozen)
    whole = search.secants.whole_circle(base, tangent, frozen.v)
    assert (found.value <= whole.value + 1e-9).all() and (whole.value >= frozen.value - 1e-9).all()
    for best in (found, whole):
        there = search.freeze(spheres.split_block(block, spheres.step(base, tangent, best.angle)))
        assert (there.value >= best.value - 1e-7).all()  # another row may see more
        np.testing.assert_allclose(np.einsum("bn,bn->b", there.u, frozen.v), best.value, atol=1e-7)


def test_steps_pay_and_tangents_have_the_right_shape():
    rng, net, U = instance(5, kind="rows of fourier")
    condition = wc.Coherence(U, net)
    points = condition.search.seeds(rng, 64)
    frozen = condition.search.freeze(points)
    np.testing.assert_allclose(condition.deviation(points), frozen.value, atol=1e-9)
    assert condition.search.seeds(rng, 64, points) is points
    moved = condition.search.freeze(condition.search.free_step(points, frozen))
    assert np.mean(moved.value >= frozen.value - 1e-9) > 0.9
    for tangent in condition.search.tangents(points, ("x1", "x2"), frozen, rng):
        assert tangent.shape == (64, 4)


# -- both sides ------------------------------------------------------------------------------------


@every_kind
def test_two_rays_are_exact(kind):
    """k = 1: u = a g+ - b g-, a, b >= 0, on a fine grid."""
    _, net, U = instance(3, (1, 5, 6), kind)
    plus, minus = (g / np.linalg.norm(g) for g in net([[1.0], [-1.0]]))
    t = np.linspace(0, np.pi / 2, 4001)
    u = np.cos(t)[:, None] * plus - np.sin(t)[:, None] * minus
    best = (np.abs(u @ U.T) / np.linalg.norm(u, axis=1, keepdims=True)).max()
    result = wc.bracket(wc.Coherence(U, net), wc.Spectral())
    assert best * (1 - 1e-12) <= result.upper <= best * (1 + 1e-6)
    assert result.upper * (1 - 1e-11) <= result.lower <= result.upper


@every_kind
def test_a_plane_of_codes_against_a_grid(kind):
    """k = 2: pairs of codes on a grid stay below the upper bound, and are found by the search."""
    _, net, U = instance(6, (2, 4, 5), kind)
    engines = (wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(nodes=400))
    result = wc.bracket(wc.Coherence(U, net), *engines)
    t = np.linspace(0, 2 * np.pi, 181)
    x = net(np.stack([np.cos(t), np.sin(t)], axis=1))
    best = 0.0
    for c in (0.0, *np.geomspace(0.01, 1, 13)):
        u = x[:, None] - c * x[None]
        length = np.linalg.norm(u, axis=2)
        value = np.divide(np.abs(u @ U.T).max(axis=2), length, out=np.zeros_like(length), where=length > 1e-9)
        best = max(best, float(value.max()))
    assert best <= result.upper * (1 + 1e-9)
    assert best * (1 - 1e-3) <= result.lower <= result.upper


@every_kind
@pytest.mark.parametrize("dims", [(2, 5, 6), (3, 4, 4), (4, 6, 7)])
def test_no_sample_exceeds_an_upper_bound(dims, kind):
    rng, net, U = instance(7, dims, kind)
    condition = wc.Coherence(U, net)
    result = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(512), wc.BranchAndBound(nodes=150))
    assert 0 < result.lower <= result.upper <= 1 + 1e-12
    for _ in range(4):
        assert condition.deviation(condition.search.seeds(rng, 256)).max() <= result.upper * (1 + 1e-12)


@pytest.mark.usefixtures("short_climbs")
def test_a_halved_form_is_caught(monkeypatch):
    """The proof rests on M^T H_j M: half of it contradicts the search."""
    _, net, U = instance(8, (2, 4, 5), "fourier")
    seen = Proof._seen

    def halved(self, span):
        form = seen(self, span)
        return replace(form, form=form.form / 2)

    monkeypatch.setattr(Proof, "_seen", halved)
    with pytest.raises(wc.UnsoundBound):
        wc.bracket(wc.Coherence(U, net), wc.Ascent(starts=64), wc.SDP(nodes=400))


@pytest.mark.usefixtures("short_climbs")
def test_the_cones_give_more_than_the_cap():
    _, net, U = instance(9, (2, 6, 8))
    cap = wc.bracket(wc.Coherence(U, net), wc.Spectral())
    proved = wc.bracket(wc.Coherence(U, net), wc.Ascent(starts=64), wc.BranchAndBound(rtol=0.005))
    assert proved.upper < 0.985 * cap.upper and "BranchAndBound" in proved.upper_by
    assert proved.upper < 1.006 * proved.lower


@pytest.mark.usefixtures("short_climbs")
def test_beyond_three_latent_dimensions_there_is_a_cap():
    _, net, U = instance(10, (5, 8, 9), "fourier")
    condition = wc.Coherence(U, net)
    result = wc.bracket(condition, time_limit=1)
    assert condition.proof is None and result.upper_by.startswith("Fact 23")
    assert result.stopped["upper"].reason.value == "cap_only"


@pytest.mark.usefixtures("short_climbs")
@pytest.mark.parametrize("n", [4, 5])
def test_known_values(n):
    """On a range that holds all differences: 1 for U = I and for one row, 1 of the constant row of Fourier's,
    sqrt(1/2) of a row whose two parts are orthogonal and of one length."""
    net = wc.ReLUNetwork([np.eye(n)])
    for U, value in ((np.eye(n), 1.0), (fourier(n), 1.0), (fourier(n)[:1], 1.0),
                     (fourier(n)[1:2], np.sqrt(0.5)), (orthonormal(np.random.default_rng(0), 1, n), 1.0)):
        result = wc.bracket(wc.Coherence(U, net), wc.Spectral(), wc.Ascent(starts=64))
        assert value * (1 - 1e-5) <= result.lower <= value * (1 + 1e-12)
        assert value * (1 - 1e-12) <= result.upper <= value * (1 + 1e-12)


def test_it_is_at_least_what_an_isometry_spreads():
    """U^H U = I: |U u| = |u|, so one of m entries has a share 1/sqrt(m) at least."""
    _, net, U = instance(11, kind="columns")
    assert wc.bracket(wc.Coherence(U, net), wc.Spectral()).lower >= 1 / np.sqrt(len(U)) - 1e-12


@pytest.mark.usefixtures("short_climbs")
def test_workers_change_nothing_and_pickles_are_the_same():
    _, net, U = instance(12, (2, 4, 5), "fourier")
    condition = wc.Coherence(U, net)
    engines = (wc.Spectral(), wc.MonteCarlo(4096), wc.Ascent(starts=64), wc.BranchAndBound(nodes=300))
    one, two = (wc.bracket(condition, *engines, workers=workers) for workers in (1, 2))
    assert (one.lower, one.upper) == (two.lower, two.upper)
    assert all(np.array_equal(one.witness[x], two.witness[x]) for x in one.witness)
    again = pickle.loads(pickle.dumps(condition))
    assert again.describe() == condition.describe() and again.lower_bound(one.witness) == one.lower


# -- saved results ---------------------------------------------------------------------------------


@every_kind
def test_a_saved_result_is_verified(tmp_path, kind):
    _, net, U = instance(13, (2, 4, 5), kind)
    path = tmp_path / "one.json"
    engines = (wc.Spectral(), wc.MonteCarlo(512), wc.BranchAndBound(nodes=200))
    wc.bracket(wc.Coherence(U, net), *engines).save(path)
    assert outcomes(wc.verify(path)) == ["proved", "proved"]
    known = wc.load(path)
    assert known.condition["alpha"] is None and known.condition["shape"] == list(U.shape)
    assert ("imaginary" in known.condition["measurements"]) == np.iscomplexobj(U)
    np.testing.assert_array_equal(checker.stored_measurements(known.condition["measurements"]), U)
    row = Row(known)
    assert "orthonormal measurements" in meaning(row) and "0 is perfect" not in meaning(row)
    assert len(scene(row, {}).pairs) == 1 and scene(row, {}).spectrum is None


FORGED = {
    "lower": lambda data: data.update(lower=data["lower"] * 1.001, upper=9.0),
    "witness": lambda data: data["witness"]["x1"].update(hex=[(1.0).hex(), (2.0).hex()]),
    "letter": lambda data: data["witness"].pop("x2"),
    "no witness": lambda data: data.update(witness=None),
    "shape": lambda data: data["condition"].update(shape=[5, 4]),
    "layer": lambda data: data["condition"].update(layer=1),
    "imaginary": lambda data: data["condition"]["measurements"].update(
        imaginary=data["condition"]["measurements"]["data"]),
    "real": lambda data: data["condition"]["measurements"].pop("imaginary"),
    "no isometry": lambda data: data["condition"].update(
        measurements=hashes.encode(np.ones((5, 5))), sha256=hashes.hash_arrays(
            [np.ones((5, 5)), *(checker.stored_matrix(W) for W in data["condition"]["network"])])),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_result_is_refuted(tmp_path, forged):
    _, net, U = instance(14, (2, 4, 5), "fourier")
    path = tmp_path / "one.json"
    wc.bracket(wc.Coherence(U, net), wc.Spectral(), wc.MonteCarlo(512)).save(path)
    data = json.loads(path.read_text())
    assert reevaluate(data).outcome == "proved"
    FORGED[forged](data)
    assert reevaluate(data).outcome == "refuted"
    path.write_text(json.dumps(data))
    assert denied(path, rerun=False)


def test_large_ones_are_given_to_verify(tmp_path):
    rng = np.random.default_rng(0)
    net = wc.ReLUNetwork([rng.standard_normal((256, 2))])
    U, path = fourier(256), tmp_path / "one.json"
    known = wc.bracket(wc.Coherence(U, net), wc.Spectral())
    assert "measurements" not in known.condition
    known.save(path)
    assert outcomes(wc.verify(path)) == ["not proved", "not proved"]
    assert outcomes(wc.verify(path, weights=net, measurements=U)) == ["proved", "proved"]
    assert outcomes(wc.verify(path, weights=net, measurements=U.real)) == ["not proved", "not proved"]


def test_the_hash_tells_real_from_complex():
    a, b = np.eye(2), np.ones((2, 2))
    assert len({hashes.hash_arrays(x) for x in ([a + 1j * b], [a, b], [a], [a + 0j], [b + 1j * a])}) == 5


# -- input -----------------------------------------------------------------------------------------


NET = wc.ReLUNetwork([np.ones((4, 2))])


@pytest.mark.parametrize("U, fragments", [
    (fourier(8)[:4], ["U: 4 columns", "found shape (4, 8); did you mean U.conj().T?"]),
    (np.eye(5), ["U: 4 columns, one for each output of the network required, found shape (5, 5)"]),
    (np.eye(4)[:, :3], ["4 columns", "found shape (4, 3); did you mean U.T?"]),
    (fourier(4)[:3].T, ["4 columns", "did you mean U.conj().T?"]),
    (2 * np.eye(4), ["orthonormal rows or columns", "did you mean U / 2?"]),
    (np.fft.fft(np.eye(4)), ["U U^H - I", "did you mean U / 2?"]),
    (3 * np.eye(4), ["an entry of magnitude 3"]),
    (np.ones((3, 4)) / 2, ["orthonormal", "U U^T - I"]),
    (np.ones((5, 4)) / 2, ["U^T U - I"]),
    (np.full((4, 4), np.nan), ["U: finite numbers"]),
    (np.full((4, 4), 1j * np.inf), ["U: finite numbers"]),
    (np.full((4, 4), 1e308 * (1 + 1j)), ["an entry of magnitude 1e+308"]),
    (np.zeros((0, 4)), ["a matrix of shape"]), (np.ones(4), ["a matrix of shape"]),
    (1.0, ["a matrix of shape"]),
    ("eye", ["U: an array of real numbers"]), (None, ["U: an array of real numbers"]),
    (np.eye(4, dtype=bool), ["dtype bool"]), ([[1.0], [1.0, 2.0]], ["U: an array"]),
])
def test_bad_measurements_are_refused_in_one_line(U, fragments):
    with pytest.raises(wc.InvalidInput) as caught:
        wc.Coherence(U, NET)
    message = str(caught.value)
    assert "\n" not in message and all(fragment in message for fragment in fragments), message


def test_other_bad_input():
    with pytest.raises(wc.InvalidInput, match="net: a ReLUNetwork required, found list"):
        wc.Coherence(np.eye(2), [np.eye(2)])
    condition = wc.Coherence(np.eye(4), NET)
    for bad in (np.ones(3), np.array([np.nan, 0.0]), "x"):
        with pytest.raises(wc.InvalidInput, match="x2"):
            condition.deviation({"x1": np.ones(2), "x2": bad})


@pytest.mark.parametrize("dtype", [np.complex64, np.float32, np.complex128, np.int64, np.clongdouble])
def test_numbers_are_converted_exactly(dtype):
    kept = (np.eye(4) if dtype is np.int64 else fourier(4) if np.dtype(dtype).kind == "c" else
            orthonormal(np.random.default_rng(0), 3, 4)).astype(dtype)
    condition = wc.Coherence(kept, NET)
    assert condition.U.source.dtype == (np.complex128 if np.dtype(dtype).kind == "c" else np.float64)
    assert (condition.U.source == kept).all()
    with pytest.raises(ValueError, match="read-only"):
        condition.U.source[0, 0] = 2


def test_a_complex_matrix_is_for_the_coherence_only(tmp_path):
    np.save(tmp_path / "U.npy", fourier(4))
    np.savez(tmp_path / "U.npz", U=fourier(4).astype(np.complex64))
    assert read_matrix(tmp_path / "U.npy", complex_too=True).dtype == np.complex128
    assert read_matrix(tmp_path / "U.npz", complex_too=True).dtype == np.complex128
    for read in (read_matrix, read_network):
        with pytest.raises(wc.InvalidInput, match=r"U.npy: an array of real numbers .* dtype complex128"):
            read(tmp_path / "U.npy")
    with pytest.raises(wc.InvalidInput, match="real numbers"):
        build("RRIC", [np.ones((4, 2))], measurements=fourier(4))
    assert isinstance(build("coherence", [np.ones((4, 2))], measurements=fourier(4)), wc.Coherence)


def test_sweeps_draw_it_orthonormal():
    cells = product(["rric", "coherence"], distribution="gaussian", k=2, n=6, expansion=None, depth=2,
                    hidden=None, m=[3, 9], l=None, alpha=None, repeat=1)
    drawn = [cell.build(5) for cell in cells if cell.condition == "coherence"]
    assert [c.U.shape for c in drawn] == [(3, 6), (9, 6)]  # refused, were they not orthonormal
    study = wc.sweep("coherence", k=1, n=4, m=[2, 4], budget=100)
    assert all(0 < row["lower"] <= row["upper"] <= 1 + 1e-12 for row in study.rows)
    assert wc.plots.draw(study).get_xlabel() == "measurements m"


def test_the_table_of_kinds():
    kind = kinds.named("coherence")
    assert kinds.with_slug("coherence") is kind and kind.measured and kind.over_range and not kind.scaled
    assert kind.orthonormal and kind.sizes == 2 and kind.ratio == "eps"
