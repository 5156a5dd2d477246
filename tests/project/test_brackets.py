"""Brackets: three answers, merging, contradictions."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from wdccheck.brackets import Bracket, Verdict, Work, merge
from wdccheck.errors import InvalidInput, UnsoundBound
from wdccheck.stops import Reason, Stop

CONDITION = {"kind": "WDC", "alpha": 1.0, "layer": None, "shape": [2, 2], "sha256": "ab" * 32, "options": {}}
POINT = {"r": np.array([0.1, -1e-300]), "s": np.array([1.0, 2.0**-1074])}
KNOWN = Bracket(CONDITION, 0.25, 0.5, POINT, "wdc", "Ascent(starts=4)", "Fact 9",
                {"lower": Stop(Reason.BUDGET, "4 starts"), "upper": Stop(Reason.CAP_ONLY)},
                (Work("Ascent(starts=4)", 2**127 + 1, 4, "starts", 0.5),))


@pytest.mark.parametrize(("eps", "answer"), [
    (0.5, Verdict.HOLDS), (0.6, Verdict.HOLDS), (0.49, Verdict.UNDECIDED), (0.25, Verdict.UNDECIDED),
    (0.2, Verdict.VIOLATED), (0, Verdict.VIOLATED), (math.inf, Verdict.HOLDS),
])
def test_three_answers(eps, answer):
    assert KNOWN.verdict(eps) is answer


@pytest.mark.parametrize("eps", [-1.0, math.nan])
def test_an_eps_that_is_none(eps):
    with pytest.raises(InvalidInput, match="eps"):
        KNOWN.verdict(eps)


def test_a_ratio_is_compared_with_eps_over_alpha():
    scaled = replace(KNOWN, condition={**CONDITION, "alpha": 3.0})
    assert scaled.ratio_lower < Fraction(1, 12) and Fraction(1, 6) < scaled.ratio_upper
    assert scaled.verdict(ratio=scaled.ratio_upper) is Verdict.HOLDS
    assert scaled.verdict(ratio=1 / 6) is Verdict.UNDECIDED  # a little less than a sixth
    assert scaled.verdict(ratio=math.nextafter(scaled.ratio_lower, 0)) is Verdict.VIOLATED
    assert scaled.verdict(0.2) is Verdict.VIOLATED and scaled.verdict(ratio=0.2) is Verdict.HOLDS


def test_where_there_is_no_alpha_the_ratio_is_eps_and_only_eps_is_asked():
    plain = replace(KNOWN, condition={**CONDITION, "kind": "RRIC", "alpha": None})
    assert (plain.ratio_lower, plain.ratio_upper) == (plain.lower, plain.upper)
    with pytest.raises(InvalidInput, match=r"ratio: .*eps=0\.5"):
        plain.verdict(ratio=0.5)


def test_merge_keeps_the_best_of_both_sides_with_its_origin():
    other = replace(KNOWN, lower=0.3, upper=0.45, lower_by="b", upper_by="c",
                    witness={"r": np.ones(2), "s": np.ones(2)})
    for merged in (merge(KNOWN, other), merge(other, KNOWN)):
        assert (merged.lower, merged.upper, merged.lower_by, merged.upper_by) == (0.3, 0.45, "b", "c")
        assert merged.witness is other.witness


def test_ties_go_to_the_earlier():
    other = replace(KNOWN, lower_by="later", upper_by="later")
    assert merge(KNOWN, other).lower_by == KNOWN.lower_by
    assert merge(KNOWN, other).upper_by == KNOWN.upper_by


def test_a_contradiction_is_raised_with_both_sides():
    forged = replace(KNOWN, lower=0.0, upper=0.2)
    with pytest.raises(UnsoundBound, match=r"0\.25.*0\.2") as caught:
        merge(KNOWN, forged)
    assert (caught.value.first, caught.value.second) == (KNOWN, forged)
