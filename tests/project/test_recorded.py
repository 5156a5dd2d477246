"""Recorded results have not moved: bit for bit on the machine of the record, within tolerance elsewhere."""

from __future__ import annotations

import copy

import pytest

import wdccheck as wc
from examples import recorded

STORED = recorded.load()
SAME_MACHINE = STORED["machine"] == recorded.fingerprint()
NAMES = list(recorded.CASES)


def nudged(number):
    """The same number with another last hexadecimal digit."""
    mantissa, _, exponent = number.partition("p")
    return f"{mantissa[:-1]}{'0' if mantissa[-1] == '1' else '1'}p{exponent}"


def scaled(number, factor):
    return (factor * float.fromhex(number)).hex()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moved(name):
    old, new = STORED[wc.kernel()][name], recorded.record(recorded.CASES[name])
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


def test_one_digit_and_one_node_are_noticed():
    old = STORED["compiled"]["wdc 20x2"]
    assert not recorded.problems(old, copy.deepcopy(old), True)
    for path in ("lower", "upper", "deviation", "witness.s[1]", "engines[2][1]", "stopped.upper[1]", "part"):
        new = copy.deepcopy(old)
        *outer, last = path.replace("[", ".").replace("]", "").split(".")
        where = new
        for key in outer:
            where = where[int(key) if key.isdigit() else key]
        key = int(last) if last.isdigit() else last
        value = where[key]
        where[key] = value + 1 if isinstance(value, int) else nudged(value) if "0x" in str(value) else "other"
        (line,) = recorded.problems(old, new, True)
        assert line.startswith(f"{path}: ")
    del new["witness"]
    assert len(recorded.problems(old, new, True)) == 5


def test_what_no_other_machine_explains_is_noticed():
    old = STORED["compiled"]["wdc 20x2"]
    assert not recorded.problems(old, {**old, "lower": nudged(old["lower"]), "engines": []}, False)
    for change in ({"lower": scaled(old["lower"], 0.97)}, {"upper": scaled(old["upper"], 1.03)},
                   {"lower": scaled(old["upper"], 1.0001)},
                   {"caps": [[scaled(value, 1 + 1e-8), why] for value, why in old["caps"]]}):
        assert recorded.problems(old, {**old, **change}, False), change
    formula = STORED["compiled"]["wdc 30x3, formulas"]
    assert recorded.problems(formula, {**formula, "lower": scaled(formula["lower"], 1 - 1e-8)}, False)
    report = STORED["compiled"]["certify 2-4-5"]
    rows = [*report["rows"][:-1], {**report["rows"][-1], "upper": scaled(report["rows"][-1]["upper"], 2.0)}]
    assert recorded.problems(report, {**report, "rows": rows}, False)
