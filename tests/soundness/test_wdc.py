"""Attacks: weights, points and faults chosen to make a bound lie. A wrong "holds" is the worst bug."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import sparse

import wdccheck as wc
from examples.definitions import exact_deviation, exact_dot, fractions, plane_epsilon
from examples.matrices import KNOWN_VALUES, MATRICES, natural_alpha
from wdccheck.brackets import Verdict
from wdccheck.conditions.wdc.proof import Proof
from wdccheck.conditions.wdc.seeds import annealed_pairs
from wdccheck.engines.proving.depth_first import proved_finer
from wdccheck.engines.proving.relax import proved_below
from wdccheck.geometry import gates
from wdccheck.geometry.arrangements import group_by_line
from wdccheck.geometry.boxes import Boxes
from wdccheck.linalg import rounding


def _nearly_deficient(rng, k):
    W = MATRICES["rank-deficient"](rng, k)
    return W + 1e-10 * rng.standard_normal(W.shape)


KINDS = {
    **MATRICES,
    "nearly deficient": _nearly_deficient,
    "fewer rows than columns": lambda rng, k: rng.standard_normal((max(1, k - 1), k)),
    "rotated identity": lambda rng, k: np.linalg.qr(rng.standard_normal((k, k)))[0],
    "[I; -I]": lambda rng, k: np.vstack([np.eye(k), -np.eye(k)]),
    "multiples": lambda rng, k: np.vstack([c * rng.integers(-1, 2, (k + 1, k)) for c in (1.0, 3.0, -0.5)]),
    "wild scales": lambda rng, k: rng.standard_normal((6, k)) * 10.0 ** rng.uniform(-150, 0, (6, 1)),
    "zero": lambda rng, k: np.zeros((2, k)),
}


def attacked(rng, kind, k):
    """A condition of `kind`, at an alpha of any size, the natural one first of all."""
    W = KINDS[kind](rng, k)
    scale = natural_alpha(W)
    alphas = [scale, scale * len(W), 1.0, 0.01 * scale, 100 * scale, 1e-200, 1e200]
    return wc.WDC(W, float(rng.choice(alphas, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])), layer=1)


# -- points where a bound is most likely to fail -----------------------------------------------


def on_flat(rng, W):
    """A direction on a few of the hyperplanes of W, up to rounding."""
    k = W.shape[1]
    rows = W[W.any(axis=1)]
    if not len(rows) or k == 1:
        return rng.standard_normal(k)
    rows = rows[rng.integers(len(rows), size=int(rng.integers(1, k)))]
    _, size, vt = np.linalg.svd(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    null = vt[np.sum(size > 1e-9):]
    return rng.standard_normal(len(null)) @ null + 1e-14 * rng.standard_normal(k)


def pairs(rng, W, n):
    """n pairs (n, k): uniform, near r = s, near r = -s, next to a wall and its antipode, and on axes."""
    k = W.shape[1]
    r, s = rng.standard_normal((2, n, k))
    near = 10.0 ** rng.uniform(-12, 0, (n, 1)) * rng.standard_normal((n, k))
    rows = W[W.any(axis=1)]
    rows = rows / np.abs(rows).max(axis=1, keepdims=True) if len(rows) else np.ones((1, k))
    walls = rows[rng.integers(len(rows), size=n)]
    share = np.sum(r * walls, axis=1, keepdims=True) / np.sum(walls * walls, axis=1, keepdims=True)
    wall = r - share * walls
    off = 10.0 ** rng.uniform(-14, -3, (n, 1)) * walls
    kinds = [(r, s), (r, r + near), (r, -r + near), (wall + off, -wall + off), (wall + off, wall - off),
             (np.round(r), np.round(s) + (k == 1))]
    r, s = (np.stack(x) for x in zip(*kinds, strict=True))
    kind = np.arange(n) % (len(kinds) if k > 1 else 3)
    points = {"r": r[kind, np.arange(n)], "s": s[kind, np.arange(n)]}
    return {x: np.where(p.any(axis=1, keepdims=True), p, 1.0) for x, p in points.items()}


def descended(condition, rng, depth, count=8):
    """`count` regions, split `depth` times toward pairs on flats, near r = s, near r = -s, or anywhere."""
    W = np.asarray(condition.W) / np.abs(condition.W).max() if condition.W.any() else condition.W
    r = np.array([on_flat(rng, W) for _ in range(count)])
    s = np.where(np.arange(count)[:, None] % 2, np.array([on_flat(rng, W) for _ in range(count)]),
                 rng.choice([1.0, -1.0], (count, 1)) * r)
    points, roots = {"r": r, "s": s}, condition.proof.boxes()
    chosen = []
    for b in range(count):
        found = covering(roots, r[b], s[b])
        if found is None:
            points["r"][b], points["s"][b] = s[b].copy(), r[b].copy()
            found = covering(roots, points["r"][b], points["s"][b])
        assert found is not None, "no region contains this pair"
        chosen.append(found)
    regions = roots.take(np.array(chosen))
    for _ in range(depth):
        if not regions.splittable().all():
            break
        halves = regions.split()
        inside = halves.contains({x: np.tile(p, (2, 1)) for x, p in points.items()})
        assert (inside[:count] | inside[count:]).all(), "neither half contains the point"
        regions = halves.take(np.where(inside[:count], np.arange(count), np.arange(count) + count))
    return regions, points


def covering(roots, r, s):
    """The number of a root that contains the pair, or None."""
    inside = roots.contains({"r": np.tile(r, (len(roots), 1)), "s": np.tile(s, (len(roots), 1))})
    return int(np.argmax(inside)) if inside.any() else None


def sampled(rng, regions, points, n=24):
    """Points of each region, half of them crowded around its own pair: letters to (B, m, k)."""
    result = regions.sample(rng, n)
    if isinstance(regions, Boxes):
        for x, c, h in zip("rs", regions.center, regions.half, strict=True):
            own = points[x] / np.abs(points[x]).max(axis=1, keepdims=True)
            away = 10.0 ** rng.uniform(-8, 0, (len(own), n, 1)) * rng.standard_normal((len(own), n, len(c)))
            moved = own[:, None] + h.max(axis=0)[:, None, None] * away
            crowded = np.clip(moved, (c - h).T[:, None], (c + h).T[:, None])
            result[x] = np.concatenate([result[x], crowded], axis=1)
    return result


def lies(condition, rng, depths, count=8):
    """How many regions the forms prove to stay below a deviation exhibited there, and points tried."""
    found, tried = 0, 0
    scale = max(float(np.abs(condition.W).max()) ** 2, condition.alpha)
    for depth in depths:
        regions, points = descended(condition, rng, int(depth), count)
        values = condition.deviation(sampled(rng, regions, points))
        tried += values.size
        for b, highest in enumerate(values.max(axis=1)):
            if highest < 1e-9 * scale:
                continue  # the float deviation itself errs by about 1e-15 scale
            t, one = float(highest) * (1 - 1e-11) - 1e-13 * scale, regions.take(np.array([b]))
            found += all(proved_below(form, t).all() for form in condition.proof.forms(one))
            found += bool(proved_finer(condition, one, t)[0])
    return found, tried


def dominated(seeds, kinds=tuple(KINDS)):
    """`lies` over one matrix of each kind per seed, k = 1, 2, 3, 4 in turn."""
    found, tried = 0, 0
    for seed in seeds:
        for i, kind in enumerate(kinds):
            rng = np.random.default_rng([seed, i])
            k = 1 + (seed + i) % 4
            more = lies(attacked(rng, kind, k), rng, rng.integers(0, 16 * k, 2))
            found, tried = found + more[0], tried + more[1]
    return found, tried


def test_forms_dominate_the_deviation():
    found, tried = dominated(range(4))
    assert found == 0
    assert tried > 40_000


@pytest.mark.slow
def test_forms_dominate_the_deviation_at_length():
    found, tried = dominated(range(4, 64))
    assert found == 0
    assert tried > 600_000


# -- upper against a million deviations ---------------------------------------------------------


def survived(matrices, deviations):
    """Number of deviations, `deviations` per matrix, that respect the upper bounds; all must."""
    total = 0
    for i in range(matrices):
        rng = np.random.default_rng([7, i])
        k = (1, 2, 2, 3, 3, 2, 4, 3)[i % 8]
        condition = attacked(rng, list(KINDS)[i % len(KINDS)], k)
        known = wc.bracket(condition, wc.Spectral(), wc.BranchAndBound(rtol=1e-3, nodes=1500))
        points = pairs(rng, condition.W, deviations)
        seeds = condition.search.seeds(rng, 200)
        points = {x: np.concatenate([seeds[x], p[200:]]) for x, p in points.items()}
        values = condition.deviation(points)
        best = {x: p[int(np.argmax(values))] for x, p in points.items()}
        assert condition.lower_bound(best) <= known.upper, (condition, best)
        assert values.max() <= known.upper * (1 + 1e-12), (condition, best)
        total += len(values)
    return total


def test_upper_survives_a_tenth_of_a_million_deviations():
    assert survived(40, 2500) == 10**5


@pytest.mark.slow
def test_upper_survives_a_million_deviations():
    assert survived(200, 5000) == 10**6


# -- negative controls: each fault must be noticed ----------------------------------------------


def _wrongly(sign):
    """line_signs that calls the first undecided line of each box `sign`."""
    right = gates.line_signs

    def wrong(*arguments):
        signs = right(*arguments)
        first = np.cumsum(signs.undecided, axis=0) == 1
        changed = getattr(signs, sign) | (signs.undecided & first)
        return replace(signs, **{sign: changed})

    return wrong


@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_one_gate_wrongly_called_sure_is_caught(monkeypatch, sign):
    monkeypatch.setattr(gates, "line_signs", _wrongly(sign))
    assert dominated([0])[0] > 0


@pytest.mark.parametrize("field", ["slack", "ceiling", "high"])
def test_a_halved_part_of_the_sandwich_is_caught(monkeypatch, field):
    right = Proof._sandwich

    def wrong(*arguments):
        form = right(*arguments)
        return replace(form, **{field: getattr(form, field) / 2})

    monkeypatch.setattr(Proof, "_sandwich", wrong)
    assert dominated([0])[0] > 0


def _tie(rng):
    """A box and a row that floats see open on all of it, while one corner is not beyond its wall."""
    while True:
        center = np.array([1.0, *np.ldexp(rng.integers(-2**9, 2**9, 2) + 0.5, -9)])
        half = np.array([0.0, 2.0**-10, 2.0**-10])
        corner, w = center - half, rng.uniform(0.1, 1.0, 3)
        w[0] = -(w[1:] @ corner[1:])
        if exact_dot(fractions(w), fractions(corner)) <= 0 and w @ center - np.abs(w) @ half > 0:
            return center[:, None], half[:, None], corner, w[None]


def test_a_gate_error_of_zero_is_caught():
    center, half, corner, w = _tie(np.random.default_rng(0))
    boxes = Boxes(("r", "s"), (center, center), (half, half))
    assert not rounding.open_gates(w, corner)[0]
    for error, called_open in ((rounding.gate_error(w), False), (np.zeros(1), True)):
        assert gates.line_signs(w, np.abs(w), error, boxes, 0).positive[0, 0] == called_open


def uncovered(regions, dimension, n=4000):
    """How many of n random pairs lie in no region, neither way round."""
    rng = np.random.default_rng(0)
    missed = 0
    for r, s in zip(*rng.standard_normal((2, n, dimension)), strict=True):
        missed += covering(regions, r, s) is None and covering(regions, s, r) is None
    return missed


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_dropped_face_is_caught(k):
    regions = Boxes.cover({"r": k, "s": k}, symmetric=("r", "s"))
    halves = regions.split()
    assert uncovered(regions, k, 300) == uncovered(halves, k, 300) == 0
    for dropped in range(len(regions)):
        kept = regions.take(np.arange(len(regions)) != dropped)
        assert uncovered(kept, k, 300) > 0
    if k > 1:
        assert uncovered(halves.take(slice(1, None)), k, 4000) > 0


def test_a_dropped_face_is_a_contradiction_in_the_end(monkeypatch):
    condition = wc.WDC(np.array([[1.0, 0.0], [0.0, 0.1]]))
    cover = Boxes.cover

    def dropping(*arguments, **named):
        regions = cover(*arguments, **named)
        return regions.take(~regions.contains({"r": np.tile([0.1, -1.0], (len(regions), 1)),
                                               "s": np.tile([0.1, 1.0], (len(regions), 1))}))

    monkeypatch.setattr(Boxes, "cover", staticmethod(dropping))
    upper = wc.bracket(condition, wc.BranchAndBound(rtol=0.01)).upper
    assert condition.lower_bound({"r": np.array([1e-6, 1.0]), "s": np.array([1e-6, -1.0])}) > upper


class Forger:
    """An engine that claims half of what is already disproved."""

    unit = "lies"

    def improve(self, condition, known, run):
        yield replace(known, upper=known.lower / 2, upper_by="a forger", engines=(run.work(self, 1),))


def test_a_forged_upper_bound_raises_with_both_results_saved():
    with pytest.raises(wc.UnsoundBound) as caught:
        wc.bracket(wc.WDC(np.eye(2)), wc.Spectral(), Forger())
    first, second = caught.value.first, caught.value.second
    assert second.upper < first.lower
    folder = re.search(r"saved in (\S+)", str(caught.value)).group(1)
    assert wc.load(f"{folder}/first.json").lower == first.lower
    assert (first.lower, second.upper_by) == (max(first.lower, second.lower), "a forger")


# -- forms and engines that fail ----------------------------------------------------------------


class BlindProof(Proof):
    """Forms that are NaN in some fields."""

    def forms(self, regions):
        (form,) = super().forms(regions)
        nan = {name: np.full_like(getattr(form, name), np.nan) for name in Blind.fields}
        return (replace(form, **nan),)

    def finer(self, regions):
        yield from ()


class Blind(wc.WDC):
    """A WDC without theorems, some of whose forms are NaN."""

    theorems = None

    @property
    def proof(self):
        return BlindProof(self.units.rows, self.units.alpha, 4.0 ** self.units.exponent)


@pytest.mark.parametrize("fields", [("low",), ("high",), ("pad",), ("mean", "floor"), ("slack", "ceiling")])
def test_nan_proves_nothing(fields, monkeypatch):
    monkeypatch.setattr(Blind, "fields", fields, raising=False)
    condition = Blind(np.eye(2))
    known = wc.bracket(condition, wc.BranchAndBound(nodes=500), target=100.0)
    assert known.upper == math.inf
    assert known.verdict(100.0) is Verdict.UNDECIDED


@pytest.mark.parametrize("nodes", [1, 10, 100, 1000, 10_000])
def test_unfinished_rounds_claim_nothing(nodes):
    condition = wc.WDC(np.random.default_rng(0).standard_normal((30, 3)) / np.sqrt(30))
    lower = wc.bracket(condition, wc.Spectral(), wc.MonteCarlo(20_000)).lower
    assert wc.bracket(condition, wc.BranchAndBound(nodes=nodes)).upper >= lower
    assert wc.bracket(condition, wc.BranchAndBound(), target=0.999 * lower).upper >= lower
    assert wc.bracket(condition, wc.BranchAndBound(), time_limit=nodes * 1e-5).upper >= lower


@pytest.mark.parametrize("known", KNOWN_VALUES, ids=lambda known: known.name)
def test_nothing_is_proved_just_below_epsilon(known):
    condition = wc.WDC(known.W, known.alpha, layer=1)
    result = wc.bracket(condition, wc.BranchAndBound(nodes=20_000), target=known.epsilon * (1 - 1e-9))
    assert result.verdict(known.epsilon * (1 - 1e-9)) is not Verdict.HOLDS
    assert result.lower <= known.epsilon <= result.upper


# -- brackets against exact values ---------------------------------------------------------------


def test_brackets_hold_the_exact_value_for_k_2():
    rng = np.random.default_rng(5)
    for trial in range(30):
        n = int(rng.integers(1, 9))
        W = rng.integers(-2, 3, (n, 2)).astype(float) if trial % 2 else rng.standard_normal((n, 2))
        alpha = float(rng.choice([1.0, 0.1, n, 7.0]))
        exact = plane_epsilon(W, alpha)
        found = wc.bracket(wc.WDC(W, alpha, layer=1), wc.Spectral(), wc.MonteCarlo(4096),
                           wc.BranchAndBound(rtol=1e-3, nodes=30_000))
        assert found.lower <= exact * (1 + 1e-6)  # the search of plane_epsilon comes from below
        assert exact <= found.upper * (1 + 1e-12)


def _closable():
    rng = np.random.default_rng(11)
    W = rng.standard_normal((8, 2)) / 2
    yield from ((f"[I; -I], k={k}", np.vstack([np.eye(k), -np.eye(k)])) for k in (2, 3))
    yield "duplicated", np.vstack([W, W, 0.5 * W[:2]])
    yield "negated", np.vstack([W, -W, -0.5 * W[:2]])
    V = rng.standard_normal((3, 3)) / 2
    yield "duplicated and negated, k=3", np.vstack([V, V, -V])
    yield "rotated identity", np.linalg.qr(rng.standard_normal((3, 3)))[0]
    yield from ((f"integer {i}", rng.integers(-1, 2, (n, 3)).astype(float)) for i, n in enumerate((4, 7)))


@pytest.mark.parametrize(("name", "W"), list(_closable()), ids=lambda x: x if isinstance(x, str) else "")
def test_brackets_close_on_dependent_rows(name, W):
    found = wc.bracket(wc.WDC(W), wc.Spectral(), wc.MonteCarlo(8192), wc.BranchAndBound(gap=0.03, rtol=0.0))
    assert found.upper - found.lower <= 0.03, (name, found.lower, found.upper, found.stopped)


def test_one_and_two_workers_agree_on_dependent_rows():
    W = np.random.default_rng(3).integers(-1, 2, (7, 3)).astype(float)
    engines = (wc.Spectral(), wc.MonteCarlo(4096), wc.BranchAndBound(gap=0.01, rtol=0.0, nodes=2000))
    one, two = (wc.bracket(wc.WDC(W), *engines, workers=workers) for workers in (1, 2))
    assert (one.lower, one.lower_by) == (two.lower, two.lower_by)
    assert (one.upper, one.upper_by) == (two.upper, two.upper_by)
    assert [work.work for work in one.engines] == [work.work for work in two.engines]
    assert all(np.array_equal(one.witness[x], two.witness[x]) for x in "rs")


@pytest.mark.parametrize("exponent", [-332, -50, 0, 50, 332])
def test_powers_of_two_scale_every_bound_exactly(exponent):
    W, factor = np.random.default_rng(0).standard_normal((12, 2)), 2.0**exponent
    engines = wc.Spectral(), wc.MonteCarlo(4096), wc.BranchAndBound(rtol=0.01)
    unit, scaled = (wc.bracket(wc.WDC(c * W, c * c), *engines) for c in (1.0, factor))
    assert scaled.upper == unit.upper * factor**2
    assert scaled.lower == pytest.approx(unit.lower * factor**2, rel=1e-12)


# -- what once went wrong -------------------------------------------------------------------------


def test_lower_bounds_are_below_the_exact_deviation():
    for i, kind in enumerate(KINDS):
        rng = np.random.default_rng([13, i])
        condition = attacked(rng, kind, 2 + i % 2)
        points = pairs(rng, condition.W, 12)
        for r, s in zip(points["r"], points["s"], strict=True):
            with mpmath.workdps(400):
                exact = exact_deviation(condition.W, condition.alpha, r, s)
                assert condition.lower_bound({"r": r, "s": s}) <= exact


@pytest.mark.parametrize("length", [1e-300, 1e-250, 1e-160, 1.0, 1e160, 1e300])
def test_gates_are_exact_for_directions_of_any_length(length):
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, b = np.round(rng.standard_normal((2, 4)) * 2**20) / 2**20
        W = np.array([a, b, -(a + b)])  # never all open: the rows add up to 0
        null = np.linalg.svd(W)[2][2:]
        r = rng.standard_normal(2) @ null * length
        exact = [exact_dot(w, fractions(r)) > 0 for w in fractions(W)]
        np.testing.assert_array_equal(rounding.open_gates(W, r), exact)


def test_gates_of_directions_that_overflow_are_exact():
    rng = np.random.default_rng(1)
    for _ in range(20):
        r = rng.permutation([1.7e308] * 4 + [-1.7e308] * 4)
        w = rng.choice([0.9, 0.95], 8)
        assert rounding.open_gates(w[None], r)[0] == (exact_dot(fractions(w), fractions(r)) > 0)


def test_multiples_of_a_tiny_row_neither_overflow_nor_lose_digits():
    W = np.array([[1e-160, 3e-165], [0.5, 3e-165 / 1e-160 * 0.5], [1e-160, 0.0], [-0.5, 0.0]])
    lines = group_by_line(W)
    assert np.isfinite(lines.positive).all() and np.isfinite(lines.negative).all()
    assert max(lines.positive.max(), lines.negative.max()) <= len(W)
    assert wc.bracket(wc.WDC(W, 0.01), wc.Spectral(), wc.BranchAndBound(nodes=5000)).upper < 0.6


def test_underflow_never_raises_a_lower_bound():
    """Far below the largest row, in units of which the sums are taken, squares are subnormal."""
    for entry in (1.6, 1.75, 1.9, 3.0):
        W = np.diag([1e144, math.ldexp(entry * 1e-162, 479)])
        condition, away = wc.WDC(W, 1e-60), np.array([-1.0, 1.0])
        assert condition.lower_bound({"r": away, "s": away}) <= float(Fraction(W[1, 1]) ** 2)


# -- lower bounds ---------------------------------------------------------------------------------


LAYERS = {
    "zero rows and duplicates": (np.array([[1.0, 2.0, 0.5], [0, 0, 0], [1.0, 2.0, 0.5], [-1, 0, 3]]), 1.0),
    "opposite rows": (np.array([[0.3, 0.1], [-0.3, -0.1], [0.0, 1.0], [0.0, -1.0]]), 0.3),
    "rows of any scale": (np.eye(4)[[0, 1, 2, 2, 3]] * [[1.0], [1e-9], [1e-100], [-1e-150], [0.5]], 1.0),
    "tiny": (1e-140 * np.array([[1.0, 2.0], [2.0, -1.0], [1.0, 1.0]]), 1e-280),
    "rows alone": (np.array([[1.0, 1.0], [1.0, -1.0]]), 1e-12),
    "all zero": (np.zeros((3, 3)), 2.0),
    "one entry": (np.array([[-0.7]]), 1.0),
    "one column": (np.array([[1e-150], [1.0], [-0.3], [0.0]]), 0.1),
    "ties": (np.vstack([np.eye(3), -np.eye(3), np.ones((2, 3))]), 1.0),
}


@pytest.mark.filterwarnings("ignore:.*did you mean")
@pytest.mark.parametrize("kind", LAYERS)
def test_no_lower_bound_is_above_the_exact_deviation(kind):
    condition = wc.WDC(*LAYERS[kind])
    found = wc.bracket(condition, wc.Ascent(starts=1))
    seeds = condition.search.seeds(np.random.default_rng(0), 40)
    points = [found.witness, *({x: seeds[x][i] for x in "rs"} for i in (0, 8, 39))]
    r = points[1]["r"]
    points += [{"r": r, "s": -r}, {"r": r * 1e-300, "s": r}]
    with mpmath.workdps(50):
        for point in points:
            bound = condition.lower_bound(point)
            exact = exact_deviation(condition.W, condition.alpha, point["r"], point["s"])
            assert bound <= exact and bound <= condition.deviation(point)
        assert found.lower <= exact_deviation(condition.W, condition.alpha, **found.witness)
    assert found.lower <= found.upper


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e-162, 1e-150, 1.0])
def test_seeds_of_rows_whose_squares_underflow_are_directions(scale):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((6, 3)) * 10.0 ** rng.integers(-5, 1, (6, 3)) * scale
    for rows in (table, sparse.csr_array(table)):
        for alpha in (1.0, 1e-170, 1e-288):
            near = {x: rng.standard_normal((9, 3)) for x in "rs"}
            for pairs in (annealed_pairs(rows, alpha, rng, 33), annealed_pairs(rows, alpha, rng, 9, near)):
                assert all(np.isfinite(p).all() and p.any(axis=1).all() for p in pairs.values())
