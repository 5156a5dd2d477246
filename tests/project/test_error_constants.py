"""The tables of docs/guarantees.md against the code, and the arithmetic that its constants rest on.

A constant that is not in the tables, or not where they say, fails here. Of the derivations those are tested
that are more than algebra: each with a smaller constant, for which they no longer hold.
"""

from __future__ import annotations

import ast
import math
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import mpmath
import numpy as np
import pytest

import wdccheck as wc
from examples.definitions import exact_q, exactly_semidefinite, fractions
from wdccheck.conditions.joint_wdc import forms
from wdccheck.conditions.r2wdc.proof import Proof as GatedCones
from wdccheck.geometry import arrangements
from wdccheck.geometry.expectation import angle
from wdccheck.linalg import rounding
from wdccheck.ranges import cone_groups, cones
from wdccheck.ranges.majorants import AbsoluteValue, Majorant

PACKAGE = Path(wc.__file__).parent
DOCS = PACKAGE.parent / "docs"
CODE = re.compile(r"`([^`]+)`")
UNIT = Fraction(1, 2**53)
FREE = {file: set(names.split()) for file, names in {  # nothing proved rests on these
    # tests of a search, its starts and steps; the witness is evaluated again
    "conditions/coherence/rows.py": "_ROOM",
    "conditions/gated_pairs.py": "_DELTA _led antipodal_pair", "conditions/r2wdc/search.py": "values",
    "conditions/r2wdc/library.py": "_NEAR",
    "conditions/one_sided/search.py": "_RIDGE", "ranges/copositive.py": "_PARALLEL",
    "conditions/joint_wdc/parts.py": "errors", "conditions/two_rays.py": "maximizer",
    "conditions/wdc/layer.py": "errors", "conditions/wdc/seeds.py": "_APART _TINY",
    "engines/ascent.py": "_PAYS", "geometry/circle_profiles.py": "OFF_WALL _THIN",
    "geometry/circle_steps.py": "_STILL scan values", "geometry/tangents.py": "_projected soft_gradient",
    "geometry/circle_waves.py": "_newton wave_scan",
    "linalg/lanczos.py": "_lanczos _normalized extreme_pairs",
    "ranges/arcs.py": "_THIN _VANISHING", "ranges/differences.py": "_POOR _RIDGE",
    "ranges/chosen_majorants.py": "_LIGHT _RIDGE", "ranges/hot_differences.py": "_NEAR _NOISE _climbed",
    # which of several valid proofs is tried, and when one is given up
    "_kernels/plain_proof.py": "_edge _stops _turned", "conditions/joint_wdc/proof.py": "_STOP _sides",
    "engines/proving/goals.py": "goal_of", "engines/proving/multipliers.py": "whitened",
    "engines/proving/relax.py": "proved_bound", "engines/proving/thresholds.py": "_LAST _TINY by_thresholds",
    "geometry/boxes.py": "contains", "geometry/gates.py": "crowded", "ranges/cones.py": "_SMALLEST",
    "ranges/image_rays.py": "_POOR _flat _near", "ranges/meshes.py": "_POOR",
    "ranges/majorants.py": "_RAISED", "conditions/one_sided/proof.py": "_NIL",
    "conditions/rric/one_difference.py": "_FIRST",
    # what is refused, estimated, printed or drawn
    "brackets.py": "closed", "checker/coherence.py": "_ORTHONORMAL _orthonormal", "data/digits.py": "step",
    "certification/of_range.py": "_reciprocal", "conditions/one_sided/side.py": "_SMALLEST",
    "engines/lines.py": "NEARLY",
    "estimates/tails.py": "_GRID _anderson_darling",
    "linalg/isometries.py": "ORTHONORMAL", "reports/drawings.py": "at error_bars spectrum",
    "reports/meaning.py": "_more_nodes", "reports/closeness.py": "_NIL", "rounded_text.py": "between",
    "weights/folding.py": "short", "weights/readers/chain.py": "norm",
    "weights/readers/onnx/walk.py": "_norm",
}.items()}


class Row(NamedTuple):
    """What a row of the tables says."""

    constants: tuple[str, ...]
    file: str
    places: tuple[str, ...]
    facts: tuple[str, ...]


def rows_of_the_tables() -> list[Row]:
    text = (DOCS / "guarantees.md").read_text(encoding="utf-8").partition("## What rounding costs")[2]
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [Row(tuple(CODE.findall(constant)), CODE.findall(file)[0], tuple(CODE.findall(place)),
                tuple(re.findall(r"Fact \d+", place))) for constant, file, _, place in cells]


ROWS = rows_of_the_tables()
NAMES = {"gamma", "UNIT", "LIBM_ULPS", "gram_error", "cholesky_loss", "expectation_error", "gate_error",
         "product_errors", "round_up", "round_down", "nextafter", "ulp", "spacing", "tiny"}


def is_error_constant(node: ast.AST) -> bool:
    """A number below 1e-5, a negative power of 2, or something of rounding.py."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < abs(node.value) < 1e-5
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Constant):
        return node.left.value == 2 and isinstance(node.right, ast.UnaryOp)
    if isinstance(node, ast.Attribute):  # not of a result: m.gram_error
        named = isinstance(node.value, ast.Name) and node.value.id in {"rounding", "math", "np"}
        return node.attr in NAMES and (named or isinstance(node.value, ast.Call))
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NAMES


def defined(node: ast.AST) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    target = target.elts[0] if isinstance(target, ast.Tuple) else target
    return target.id if isinstance(target, ast.Name) else None


def places_of_constants(tree: ast.AST, owner: str | None = None) -> set[str | None]:
    """Functions, and names assigned outside of functions, in which error constants stand."""
    found: set[str | None] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        inside = isinstance(node, ast.FunctionDef) or (owner is None and not isinstance(node, ast.ClassDef))
        name = (defined(node) or owner) if inside else owner
        found |= {name} if is_error_constant(node) else set()
        found |= places_of_constants(node, name)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.file} {row.places[0]}")
def test_a_row_says_what_stands_in_the_code(row):
    text = (PACKAGE / row.file).read_text(encoding="utf-8")
    if row.file.endswith(".py"):
        named = {node: defined(node) for node in ast.walk(ast.parse(text))}
        names = set(named.values())
        text = "\n".join(ast.get_source_segment(text, node)
                         for node, name in named.items() if name in row.places)
    else:
        names = set(re.findall(r"^cdef \w+ (\w+)\(", text, re.MULTILINE))
    assert row.places and set(row.places) <= names
    assert row.constants and not [constant for constant in row.constants if constant not in text]
    facts = (DOCS / "theory.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^{fact.split()[1]}\. ", facts, re.MULTILINE) for fact in row.facts)


def test_every_error_constant_is_in_a_table():
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        listed = {place for row in ROWS if row.file == file for place in row.places}
        found = places_of_constants(ast.parse(path.read_text(encoding="utf-8")))
        assert found <= listed | FREE.get(file, set()), file
        assert FREE.get(file, set()) <= found, f"no error constant is left there: {file}"


def test_the_public_functions_of_rounding_are_in_a_table():
    listed = {place for row in ROWS if row.file == "linalg/rounding.py" for place in row.places}
    # the errors of common_gates are those of product_errors; integers are exact
    assert set(rounding.__all__) - {"common_gates", "integers"} <= listed


# -- what the derivations rest on -----------------------------------------------------------------


@pytest.mark.parametrize("over, share, holds", [("1.05", "1.5", True), ("1.02", "1.5", False),
                                                ("1.05", "1.02", False)])
def test_lengths_known_to_two_digits(over, share, holds):
    """R2WDC.measure: 1/((1 -+ p)(1 -+ q)) against 1.05, its distance from 1 and half of p + q against 1.5."""
    over, share, grid = Fraction(over), Fraction(share), [Fraction(i, 4000) for i in range(41)]
    below = []
    for p in grid:
        for q in grid:
            quotients = [1 / ((1 + a * p) * (1 + b * q)) for a in (1, -1) for b in (1, -1)]
            below += [x <= over and abs(x - 1) <= share * (p + q) for x in quotients]
            below += [x * (p + q + p * q) / 2 + abs(x - 1) / 2 <= share * (p + q) for x in quotients]
    assert all(below) is holds


def test_a_factor_of_1e_9_covers_2_23_terms():
    def grown(n):
        return 1 / (1 - n * UNIT / (1 - n * UNIT))

    assert grown(2**23) <= Fraction(1 + 1e-9) < grown(2**24)
    assert Fraction(1 + 5e-10) < grown(2**23)


def test_how_fast_an_arcsine_and_the_inner_expectation_move():
    """reference.radius: x/(sqrt(1 - x^2) asin x) < 4 up to 0.9; expected_inner: a slope below 0.3."""
    x = np.linspace(1e-3, 0.99, 10_000)
    grown = x / (np.sqrt(1 - x * x) * np.arcsin(x))
    assert (grown[x <= 0.9] < 4).all() and grown.max() > 4
    theta = np.linspace(0, np.pi, 10_001)
    assert 0.15 < ((np.pi - theta) * np.sin(theta) / (2 * np.pi)).max() < 0.3


def test_the_polygon_of_the_joint_wdc_is_below_its_curve():
    """Larger s and smaller k than the vertices (1/2 + 1/pi, 1/pi), (1/2 - 1/pi, 0)."""
    with mpmath.workdps(30):
        exact = [(1, mpmath.mpf(1) / 2), (0.5 + 1 / mpmath.pi, 1 / mpmath.pi), (0.5 - 1 / mpmath.pi, 0)]
        assert all(s >= a and k <= b for (s, k), (a, b) in zip(forms._FINE, exact, strict=True))
        assert all(s - 0.001 < a for (s, _), (a, _) in zip(forms._FINE[1:], exact[1:], strict=True))
        phi = [i * mpmath.pi / 400 for i in range(401)]
        for x in phi:
            s = mpmath.cos(x / 2)**2
            kappa = ((mpmath.pi - x) * mpmath.cos(x) + mpmath.sin(x)) / (2 * mpmath.pi)
            below = max(s - mpmath.mpf(1) / 2, (s - 0.5 + 1 / mpmath.pi) / 2, 0)
            assert kappa >= below - mpmath.mpf(10)**-25


def test_underflow_at_normals():
    """arrangements._at_normals: 2 p p! of 2^-1075."""
    lost = {p: 2 * p * math.factorial(p) * Fraction(2)**-1075 for p in range(2, 24)}
    assert all(lost[p] < Fraction(arrangements._UNDERFLOW) for p in range(2, 21))
    assert lost[23] > Fraction(arrangements._UNDERFLOW)


def test_the_rounding_of_an_angle():
    """cone_groups._NEAR: (2n + 40) u, near 0 and pi, too; a single u is not enough."""
    rng, off = np.random.default_rng(0), []
    with mpmath.workdps(40):
        for n in (1, 2, 3, 7, 40, 100):
            for apart in (0.0, 1e-16, 1e-12, 1e-8, 1e-3, 1.0):
                r = rng.standard_normal(n) * 10.0 ** rng.uniform(-3, 3)
                s = rng.choice([-1.0, 1.0]) * r + apart * np.abs(r).max() * rng.standard_normal(n)
                x, y = (mpmath.matrix(v.tolist()) / mpmath.norm(mpmath.matrix(v.tolist())) for v in (r, s))
                exact = 2 * mpmath.atan2(mpmath.norm(x - y), mpmath.norm(x + y))
                off.append(abs(float(angle(r, s)) - exact) / rounding.UNIT)
                assert off[-1] <= 2 * n + 40
    assert max(off) > 1
    assert Fraction(cone_groups._NEAR) > (2 * 10**6 + 40 + 128) * UNIT


def exactly(array):
    return np.array(fractions(array), dtype=object)


def dominates(H, pad, *matrices):
    """H + pad I - M >= 0, exactly, for every M of Fractions; of H the lower triangle is read."""
    H = exactly(np.tril(H) + np.tril(H, -1).T) if H.dtype == float else H
    raised = H + Fraction(float(pad)) * np.eye(len(H), dtype=int)
    return all(exactly_semidefinite(raised - M) for M in matrices)


def test_the_pad_of_a_majorant_of_measurements():
    """H +- D >= -pad I exactly; without the pad it is not."""
    rng, bare = np.random.default_rng(1), []
    for m, n in ((2, 4), (4, 3), (3, 3), (1, 2), (5, 4)):
        A, one = rng.standard_normal((m, n)) * 10.0 ** rng.integers(-2, 3), np.eye(n, dtype=int)
        found = AbsoluteValue.of(A)
        v, weights, pad = exactly(found.rows), exactly(found.weights), found.pad
        H, D = one + (v.T * weights) @ v, exactly(A).T @ exactly(A) - one
        assert dominates(H, pad, D, -D)
        bare.append(dominates(H, 0, D, -D))
    assert not all(bare)


def test_the_pad_of_a_proposed_majorant():
    """What is proved holds exactly; a matrix that lacks one unit in the last place is not proved."""
    rng = np.random.default_rng(2)
    for m, n in ((2, 4), (4, 3), (3, 3), (1, 2), (5, 4)):
        A, one = rng.standard_normal((m, n)) * 10.0 ** rng.integers(-2, 3), np.eye(n, dtype=int)
        X, D = np.eye(n) + rng.standard_normal((n, n)) / 9, exactly(A).T @ exactly(A) - one
        E = X.T @ (A.T @ A - np.eye(n)) @ X
        values, vectors = np.linalg.eigh((E + E.T) / 2)
        frame = np.linalg.solve(X.T, vectors)  # H = X^-T |X^T D X| X^-1
        H = (frame * np.abs(values)) @ frame.T
        found = Majorant.of((H + H.T) / 2, A)
        assert found.pad <= 1e-12 * (np.linalg.norm(H) + np.linalg.norm(A) ** 2 + 1)
        assert found.proves(A)
        assert dominates(found.matrix, found.pad, D, -D)

        def lowered(by, found=found, n=n):
            return Majorant(found.matrix - by * np.eye(n), found.pad)

        good, bad = 0.0, 2 * float(np.abs(found.matrix).max()) + 1
        while (middle := (good + bad) / 2) not in (good, bad):
            forged = lowered(middle)
            good, bad = (middle, bad) if dominates(forged.matrix, forged.pad, D, -D) else (good, middle)
        assert not dominates(lowered(bad).matrix, found.pad, D, -D)
        assert not lowered(bad).proves(A)
        tilted = found.matrix.copy()
        tilted[0, -1] = np.nextafter(tilted[0, -1], np.inf)
        assert not Majorant(tilted, found.pad).proves(A)  # not symmetric


def test_pads_that_are_exact_or_not_finite():
    """D = diag(3, -3/4): |D| is proved by its pad, and not without one; what overflows is not proved."""
    A, H = np.diag([2.0, 0.5]), np.diag([3.0, 0.75]) + 2.0**-30 * np.eye(2)
    found = Majorant.of(H, A)
    assert Majorant(H, found.pad * 1.001).proves(A)
    assert not Majorant(H, 0.0).proves(A)  # fails closed
    assert not Majorant(np.diag([3.0, np.nextafter(0.75 - found.pad, 0)]), found.pad).proves(A)
    for huge in (np.full((2, 2), np.nan), np.full((2, 2), np.inf)):
        assert not Majorant(huge, 1.0).proves(A)
        with np.errstate(all="ignore"):
            assert Majorant.of(huge, A) is None


@pytest.mark.parametrize("dims", [(1, 3, 4), (2, 3, 5), (2, 4, 3, 4)])
def test_the_pad_of_a_majorant_of_gates(dims):
    """H + pad I is above both ends, A_sure - alpha Q_c - slack from below and A_maybe - alpha Q_c + slack."""
    rng, bare, alpha = np.random.default_rng(sum(dims)), [], 0.75
    *layers, rows = [rng.standard_normal((n, k)) / np.sqrt(n) for k, n in pairwise(dims)]
    proof = GatedCones(tuple(layers), rows, alpha, 1.0, dims[0])
    tree, _, center, radius = proof._trees
    codes = rng.choice(np.flatnonzero(radius < 0.3), (6, 2))  # else alpha/4 is the smaller slack
    majorants, _, pads = proof._majorants(codes)
    W, one = exactly(rows), np.eye(dims[-2], dtype=int)
    for (x, y), H, pad in zip(codes, majorants, pads, strict=True):
        least, most = ((W.T * on.astype(int)) @ W for on in (tree.opened[-1][x] & tree.opened[-1][y],
                                                             tree.maybe[-1][x] & tree.maybe[-1][y]))
        with mpmath.workdps(40):
            reach = [mpmath.mpf(float(radius[z])) for z in (x, y)]
            turn = alpha * mpmath.fsum(d + mpmath.sin(d) for d in reach) / (2 * mpmath.pi)
            mean = alpha * exact_q(center[x], center[y])
            exact = np.array([[Fraction(str(e)) for e in row] for row in mean.tolist()], dtype=object)
            slack = Fraction(str(turn)) * one
        ends = most - exact + slack, exact - least + slack
        assert dominates(H, pad, *ends)
        bare.append(dominates(H, 0, *ends))
    assert not all(bare)


@pytest.mark.parametrize("n", [2**14, 2**17])
def test_what_underflows_in_a_product(n):
    """Factors 0.998 2^-537 and 2^-538: each product is less than half the smallest subnormal."""
    W, value = np.full((1, n), 0.998 * 2.0**-537), np.full((1, n, 1), 2.0**-538)
    found, error = (Fraction(float(x[0, 0, 0])) for x in cones._product(W, value, np.zeros_like(value)))
    assert abs(found - n * Fraction(W[0, 0]) * Fraction(value[0, 0, 0])) <= error


def tiny_r2wdc():
    """1000 open rows far below one that is shut: d e is 0.6 of the smallest subnormal, rounded up to it."""
    rows = np.full((1001, 1), math.sqrt(2.4) * 2.0**-137)
    rows[0] = -(2.0**399)
    letters = dict.fromkeys(("x", "y", "x1", "x3"), np.ones(1)) | dict.fromkeys(("x2", "x4"), np.zeros(1))
    exact = sum(Fraction(float(w)) ** 2 for w in rows[1:, 0]) - Fraction(1e-250) / 2
    return wc.R2WDC(wc.ReLUNetwork([np.ones((1, 1)), rows]), 2, 1e-250), letters, exact


def tiny_joint(k, q, b, c):
    """One row of B and C is open, far below the other: b (1, ..., 1) and c (1, ..., 1)."""
    B, C = np.zeros((2, k)), np.zeros((2, q))
    B[0], C[0] = b * 2.0**200, c * 2.0**200
    (B if b < c else C)[1, 0] = 2.0**200
    exact = 2 * k * Fraction(B[0, 0]) ** 2 * q * Fraction(C[0, 0]) ** 2 - Fraction(1e-250) / 4
    h, m = np.ones(k), np.ones(q)
    return wc.JointWDC(B, C, 1e-250), {"h": h, "x": h, "m": m, "y": m}, exact


@pytest.mark.parametrize("made", [
    tiny_r2wdc(), tiny_joint(1, 256, math.sqrt(32.1) * 2.0**-537, 2.0**-7),
    tiny_joint(400, 1, 1.0, math.sqrt(2.03) * 2.0**-537),
], ids=["R2WDC", "joint-WDC: a long m", "joint-WDC: a long b"])
def test_a_lower_bound_is_below_a_deviation_that_nearly_underflows(made):
    condition, point, exact = made
    assert condition.lower_bound(point) <= exact
