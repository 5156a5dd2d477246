"""Conditions from nothing: five members to be sampled, nine to be searched; a missing one is named."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wdccheck as wc
from wdccheck.errors import InvalidInput
from wdccheck.geometry.circle_profiles import Best
from wdccheck.protocol.condition import Scaled, checked, dominating, proof_of, search_of, theorems_of
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap
from wdccheck.stops import Reason

M = np.array([[2.0, 1.0, 0.0], [1.0, -1.0, 0.5], [0.0, 0.5, -3.0]])
MAXIMUM = float(np.linalg.norm(M, 2))


def form(x):
    """x^T M x."""
    return np.einsum("...i,ij,...j->...", x, M, x)


# -- a condition that is sampled: the supremum of |x^T M x| on the sphere ------------------------------


class Sampling:
    def freeze(self, points, near=None, sign=None):
        value = form(points["x"])
        signs = np.where(value < 0, -1.0, 1.0) if sign is None else np.full(len(value), sign)
        one = np.ones((len(value), 1))  # the inner maximizer of a number
        return Frozen(one, one, signs, signs * value)


class Sampled:
    search = Sampling()

    @property
    def spheres(self):
        return {("x",): 3}

    def deviation(self, points):
        x = np.asarray(points["x"])
        return np.abs(form(x)) / np.sum(np.square(x), axis=-1)

    def lower_bound(self, point):
        return float(self.deviation(point)) * (1 - 1e-14)

    def describe(self):
        return {"kind": "Sampled", "alpha": None, "layer": None, "options": {}, "shape": [3, 3],
                "sha256": "m"}


# -- the same, searched --------------------------------------------------------------------------------


class Climbing(Sampling):
    def circle(self, points, block, tangent, frozen):
        """The form is a + b cos 2t + c sin 2t; a tangent of zero, which may be given, leaves the point."""
        here, there, between = (frozen.sign * form(x) for x in (
            points["x"], tangent, (points["x"] + tangent) / math.sqrt(2)))
        a, b = (here + there) / 2, (here - there) / 2
        c = between - a
        return Best(np.arctan2(c, b) / 2 % (2 * np.pi), a + np.hypot(b, c), 1)

    def tangents(self, points, block, frozen, rng):
        x = points["x"]
        return (frozen.sign[:, None] * (x @ M) - np.sum(x @ M * x, axis=1, keepdims=True) * x,)

    def free_step(self, points, frozen):
        return points

    def seeds(self, rng, n, near=None, deadline=math.inf):
        x = rng.standard_normal((n, 3))
        return {"x": x / np.linalg.norm(x, axis=1, keepdims=True)} if near is None else near


class Searched(Sampled):
    search = Climbing()


STATEMENT = ("spheres", "deviation", "lower_bound", "describe")
SEARCH = ("freeze", "circle", "tangents", "free_step", "seeds")


def members(kind):
    """What is written of a condition, its own and that of its search."""
    def public(one):
        return [name for name in dir(one) if not name.startswith("_")]

    return [*(name for name in public(kind) if name != "search"),
            *(f"search.{name}" for name in public(kind.search))]


def without(kind, member):
    """A condition that lacks one member."""
    whole = {name: getattr(kind.search, name) for name in SEARCH if hasattr(kind.search, name)}
    whole.pop(member.removeprefix("search."), None)
    names = {name: vars(Sampled)[name] for name in STATEMENT if name != member}
    if member != "search":
        names["search"] = type("Search", (), {name: staticmethod(call) for name, call in whole.items()})()
    return type(kind.__name__, (), names)()


def test_a_condition_that_is_sampled_has_five_members_and_one_that_is_searched_nine():
    assert sorted(members(Sampled)) == sorted([*STATEMENT, "search.freeze"]) and len(members(Sampled)) == 5
    assert sorted(members(Searched)) == sorted([*STATEMENT, *(f"search.{x}" for x in SEARCH)])
    assert len(members(Searched)) == 9


@pytest.mark.parametrize("kind", [Sampled, Searched])
def test_what_is_written_is_enough_to_sample(kind, tmp_path):
    condition = kind()
    result = wc.bracket(condition, wc.MonteCarlo(2000))
    assert 0.9 * MAXIMUM < result.lower <= MAXIMUM and math.isinf(result.upper)
    assert result.lower == condition.lower_bound(result.witness)
    path = tmp_path / "saved.json"
    result.save(path)
    assert wc.bracket(condition, wc.MonteCarlo(10), checkpoint=path).lower == result.lower
    assert wc.estimates.exceedance(condition, 0.5 * MAXIMUM, samples=200).high > 0


def test_what_is_written_is_enough_to_search():
    result = wc.bracket(Searched(), wc.Ascent(starts=64))
    assert MAXIMUM * (1 - 1e-9) < result.lower <= MAXIMUM
    two = wc.bracket(Searched(), wc.Ascent(starts=64), workers=2)
    assert two.lower == result.lower


@pytest.mark.parametrize(("kind", "least"), [(Sampled, 0.9), (Searched, 1 - 1e-9)])
def test_without_engines_what_is_possible_runs(kind, least):
    result = wc.bracket(kind())
    assert least * MAXIMUM < result.lower <= MAXIMUM and math.isinf(result.upper)
    assert all(stop.detail for stop in result.stopped.values())


def test_an_assertion_about_it_is_decided_as_far_as_it_can_be():
    wc.testing.assert_violated(Sampled(), 0.5 * MAXIMUM)
    with pytest.raises(wc.Undecided):
        wc.testing.assert_holds(Sampled(), 2 * MAXIMUM)


@pytest.mark.parametrize("engine", [wc.BranchAndBound(), wc.SDP()], ids=["BranchAndBound", "SDP"])
def test_without_theorems_and_proof_nothing_is_claimed_from_above(engine):
    result = wc.bracket(Sampled(), wc.MonteCarlo(100), engine)
    assert math.isinf(result.upper) and result.stopped["upper"].reason is Reason.CAP_ONLY
    condition = Sampled()
    assert theorems_of(condition) is None and proof_of(condition) is None and dominating(condition) == ()


# -- what is missing is named --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "engine", "member"), [
    *((Sampled, wc.MonteCarlo(64), member) for member in members(Sampled)),
    *((Searched, wc.Ascent(starts=1), member) for member in members(Searched)),
], ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__))
def test_a_missing_member_is_named(kind, engine, member):
    with pytest.raises(InvalidInput) as caught:
        wc.bracket(without(kind, member), engine)
    assert (caught.value.thing, caught.value.required) == (kind.__name__, member)
    assert str(caught.value).startswith(f"{kind.__name__}: {member} required, found no such member")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("engine", "member"), [(wc.MonteCarlo(64), "search.freeze"),
                                                (wc.Ascent(starts=1), "search.freeze")])
def test_without_any_search_its_first_member_is_named(engine, member):
    with pytest.raises(InvalidInput, match=f"Sampled: {member} required"):
        wc.bracket(without(Sampled, "search"), engine)


def test_a_search_that_can_only_sample_does_not_climb():
    with pytest.raises(InvalidInput, match=r"Sampled: search\.circle required, found no such member"):
        wc.bracket(Sampled(), wc.Ascent(starts=1))


def with_aspect(name, members):
    return type("Partial", (Sampled,), {name: type("Aspect", (), dict(members))()})()


@pytest.mark.parametrize("missing", ["starts", "caps"])
def test_a_missing_theorem_is_named(missing):
    theorems = {"starts": lambda self: (), "caps": lambda self, deadline: (Cap(4.0, "a theorem"),)}
    whole = with_aspect("theorems", theorems)
    assert wc.bracket(whole, wc.Spectral()).upper == 4.0 * (1 + 2.0**-40)
    del theorems[missing]
    with pytest.raises(InvalidInput, match=rf"Partial: theorems\.{missing} required"):
        wc.bracket(with_aspect("theorems", theorems), wc.Spectral())


def test_no_theorems_at_all_are_said_to_be_none():
    with pytest.raises(InvalidInput, match="Sampled: theorems required, found none"):
        wc.bracket(Sampled(), wc.Spectral())


@pytest.mark.parametrize(("kind", "missing"), [
    *(("boxes", name) for name in ("boxes", "forms", "finer", "compiled", "limit")),
    *(("groups", name) for name in ("forms", "limit")),
])
def test_a_missing_member_of_a_proof_is_named(kind, missing):
    wanted = (kind, "forms", "limit", *(("finer", "compiled") if kind == "boxes" else ()))
    whole = {name: None if name in ("compiled", "limit") else lambda self, *_: None for name in wanted}
    assert proof_of(with_aspect("proof", whole)) is not None
    del whole[missing]
    with pytest.raises(InvalidInput, match=rf"Partial: proof\.{missing} required"):
        proof_of(with_aspect("proof", whole))


def test_members_are_asked_for_by_name():
    assert checked(Sampled()).describe()["kind"] == "Sampled"
    assert search_of(Sampled(), "freeze") is Sampled.search
    for unusable in (np.eye(2), None, "WDC"):
        with pytest.raises(InvalidInput, match=r"condition: a condition such as WDC\(W\) required"):
            checked(unusable)


def test_asking_for_a_scale_computes_nothing(monkeypatch):
    def computed(*_):
        raise AssertionError("isinstance looks at every property")

    for kind in (wc.WDC, wc.JointWDC, wc.R2WDC):
        monkeypatch.setattr(kind, "natural_alpha", computed)
    net = wc.ReLUNetwork([np.eye(2), np.eye(2)])
    for condition in (wc.WDC(np.eye(2)), wc.JointWDC(np.eye(2), np.eye(2)), wc.R2WDC(net, 2)):
        assert isinstance(condition, Scaled)
    assert not isinstance(wc.RRIC(np.eye(2), net), Scaled)
