"""Recorded results have not moved: bit for bit on the machine of the record, within tolerance elsewhere."""

from __future__ import annotations

import copy

import pytest

import wdccheck as wc
from examples import recorded
from examples.recorded_cases import CASES

STORED = recorded.load()
SAME_MACHINE = STORED["machine"] == recorded.fingerprint()
NAMES = list(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moved(name):
    old, new = STORED[wc.kernel()][name], recorded.record(CASES[name])
    if found := recorded.problems(old, new, SAME_MACHINE):
        lines = [f"{name}, {wc.kernel()} kernel: {len(found)} fields moved", *found[:12]]
        pytest.fail("\n    ".join([*lines, f"if that is meant: {recorded.RENEW}"]), pytrace=False)


@pytest.mark.parametrize("kernel", recorded.KERNELS)
def test_every_case_is_recorded(kernel):
    assert sorted(STORED[kernel]) == sorted(NAMES), recorded.RENEW


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(", two workers")])
@pytest.mark.parametrize("kernel", recorded.KERNELS)
def test_workers_do_not_matter(kernel, name):
    assert not recorded.moved(STORED[kernel][name.removesuffix(", two workers")], STORED[kernel][name])


@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_agree_as_two_machines_do(name):
    assert not recorded.contradictions(STORED["reference"][name], STORED["compiled"][name])


# -- negative controls -----------------------------------------------------------------------------


@pytest.fixture
def old():
    return copy.deepcopy(STORED["compiled"]["wdc 20x2"])


@pytest.fixture
def new(old):
    return copy.deepcopy(old)


def nudged(number):
    """The same number with another last hexadecimal digit."""
    mantissa, _, exponent = number.partition("p")
    return f"{mantissa[:-1]}{'0' if mantissa[-1] == '1' else '1'}p{exponent}"


def scaled(number, factor):
    return (factor * float.fromhex(number)).hex()


def noticed(old, new, field):
    (line,) = recorded.problems(old, new, same_machine=True)
    return line.startswith(f"{field}: ")


def test_the_same_is_the_same(old, new):
    assert not recorded.problems(old, new, same_machine=True)


def test_one_digit_is_noticed(old, new):
    new["witness"]["s"][1] = nudged(old["witness"]["s"][1])
    assert noticed(old, new, "witness.s[1]")


@pytest.mark.parametrize("side", ["lower", "upper", "deviation"])
def test_one_digit_of_a_bound_is_noticed(old, new, side):
    new[side] = nudged(old[side])
    assert noticed(old, new, side)
    assert not recorded.problems(old, new, same_machine=False)  # another machine may differ in it


def test_one_node_more_is_noticed(old, new):
    new["engines"][-1][1] += 1
    assert noticed(old, new, f"engines[{len(old['engines']) - 1}][1]")


def test_what_is_missing_is_noticed(old, new):
    del new["part"]
    assert noticed(old, new, "part")


@pytest.mark.parametrize(("side", "factor"), [("lower", 0.97), ("upper", 1.03)])
def test_a_bracket_that_is_far_wider_is_noticed_on_any_machine(old, new, side, factor):
    new[side] = scaled(old[side], factor)
    assert recorded.problems(old, new, same_machine=False)


@pytest.mark.parametrize("name", ["wdc 6x1", "rric 4x5, 1-5"])
def test_disjoint_brackets_are_noticed_on_any_machine(name):
    old = STORED["compiled"][name]
    above = {**old, "lower": scaled(old["upper"], 1 + 1e-12), "upper": scaled(old["upper"], 1 + 2e-12)}
    assert recorded.problems(old, above, same_machine=False)
    assert recorded.problems(above, old, same_machine=False)


def test_other_formulas_are_noticed_on_any_machine(old, new):
    new["caps"][0][0] = scaled(old["caps"][0][0], 1 + 1e-8)
    assert recorded.problems(old, new, same_machine=False)
    spectral = STORED["compiled"]["wdc 30x3, formulas"]
    moved = {**spectral, "lower": scaled(spectral["lower"], 1 - 1e-8)}
    assert recorded.problems(spectral, moved, same_machine=False)


def test_rows_of_reports_are_compared_on_any_machine():
    old = STORED["compiled"]["certify 2-4-5"]
    new = copy.deepcopy(old)
    new["rows"][-1]["upper"] = scaled(old["rows"][-1]["upper"], 1.5)
    assert recorded.problems(old, new, same_machine=False)
