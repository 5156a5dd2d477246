"""Attacks on bounds, drawn at random: no exhibited deviation may exceed an upper bound.

``python tests/examples/drawn_attacks.py --count 100000 --seed 1`` compares so many deviations, each proved
from below at a point, with the upper bound of a hostile condition (`hostile.py`). It prints how many there
were of each kind, with exit status 1 if one is larger. For each condition the highest point is computed
once more in rational numbers, by the checker, and so is its witness; of a condition with an alpha the
points are lines, too, and what they prove of the minimum over alpha is compared with its upper bound.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import wdccheck as wc
from examples.hostile import condition, one_of
from wdccheck import checker
from wdccheck.engines.least_ratio import least_ratio
from wdccheck.engines.lines import lines, proved
from wdccheck.errors import InvalidInput
from wdccheck.geometry import spheres
from wdccheck.protocol.condition import Scaled, search_of

__all__ = ["attacked", "attacks"]

Rng = np.random.Generator
Points = dict[str, np.ndarray]
_EACH = 16  # points of each kind per condition


# -- points: letters to arrays (n, dim) --------------------------------------------------------------------


def _uniform(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    return spheres.sample(about.spheres, rng, _EACH)


def _signs(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    return {letter: np.sign(value) for letter, value in _uniform(about, found, rng).items()}


def _seeds(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    """Where a search would begin."""
    return dict(search_of(about, "seeds").seeds(rng, _EACH))


def _near_witness(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    """The witness of the bracket, moved by 1 to 1e-16 of its length."""
    if found.witness is None:
        return {}
    moved = {}
    for letter, value in found.witness.items():
        size = np.abs(value).max() * 10.0 ** -rng.integers(0, 17, (_EACH, 1))
        moved[letter] = value + size * rng.standard_normal((_EACH, len(value)))
    return moved


def _together(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    """Two letters nearly equal, or opposite (Fact 7), whatever they are."""
    points = _seeds(about, found, rng) if rng.random() < 0.5 else _uniform(about, found, rng)
    first, second = rng.choice(list(points), 2, replace=False)
    if points[first].shape != points[second].shape:
        return points
    size = 10.0 ** -rng.integers(1, 17, (_EACH, 1))
    sign = rng.choice([-1.0, 1.0], (_EACH, 1))
    return {**points, second: sign * points[first] + size * rng.standard_normal(points[first].shape)}


def _on_walls(about: Any, found: wc.Bracket, rng: Rng) -> Points:
    """Every letter moved next to the wall of a row that gates it first."""
    layers = about.net.layers if hasattr(about, "net") else [
        getattr(about, name) for name in "WBC" if hasattr(about, name)]
    points = _uniform(about, found, rng)
    for letter, value in points.items():
        W = one_of(rng, [W for W in layers if W.shape[1] == value.shape[1]] or [np.eye(value.shape[1])])
        w = W[rng.integers(len(W), size=_EACH)]
        size = np.abs(w).max(axis=1, keepdims=True)
        w = np.divide(w, size, out=np.zeros_like(w), where=size > 0)
        square = np.maximum((w * w).sum(axis=1, keepdims=True), 1e-300)
        points[letter] = value - (w * value).sum(axis=1, keepdims=True) / square * w
    return points


KINDS = {"uniform": _uniform, "signs": _signs, "seeds": _seeds, "near the witness": _near_witness,
         "two letters together": _together, "on walls": _on_walls}


# -- attacks -----------------------------------------------------------------------------------------------


def bracketed(about: Any, rng: Rng) -> wc.Bracket:
    """Sharp where that takes a moment."""
    proof = wc.BranchAndBound(nodes=one_of(rng, (1, 50, 1000)), rtol=0.0)
    engines = [wc.Spectral(), wc.Ascent(starts=1), proof, *([wc.SDP(nodes=2)] if rng.random() < 0.02 else [])]
    return wc.bracket(about, *engines, rng=int(rng.integers(2**32)), time_limit=one_of(rng, (0.1, 1.0)))


def attacked(about: Any, found: wc.Bracket, rng: Rng) -> Iterator[tuple[str, str]]:
    """What an attack was, and what is wrong about the bracket; empty where it stands."""
    highest: tuple[float, Points] | None = None
    some = []
    for kind, make in KINDS.items():
        points = make(about, found, rng)
        for i in range(min(map(len, points.values()), default=0)):
            point = {letter: value[i] for letter, value in points.items()}
            try:
                value = about.lower_bound(point)
            except InvalidInput:  # a direction of length 0
                continue
            if highest is None or value > highest[0]:
                highest = value, point
            some += [point] if i == 0 else []
            yield kind, f"{value!r} at {point}" if value > found.upper else ""
    if found.witness is not None:
        again = checker.reevaluate(found.to_dict())
        yield "witness, exactly", str(again) if again.outcome == "refuted" or _over(again, found) else ""
    if highest is not None:
        exhibited = replace(found, lower=0.0, witness=highest[1]).to_dict()
        again = checker.reevaluate(exhibited)
        yield "highest, exactly", str(again) if _over(again, found) else ""
    if isinstance(about, Scaled) and some:
        upper = least_ratio(about, found, ()).upper
        lower, _ = proved(lines(about, some))
        yield "minimum over alpha", f"{lower!r} of {some}" if lower > upper else ""


def _over(again: checker.Check, found: wc.Bracket) -> bool:
    return again.value is not None and again.value > found.upper


def attacks(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """So many, or a few more: how often each kind, and every failure with the seed that makes it again."""
    kinds: Counter[str] = Counter()
    failures: list[str] = []
    number = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while kinds.total() < count:
            rng = np.random.default_rng([seed, number])
            number += 1
            try:
                about = condition(rng)
            except InvalidInput:
                continue
            found = bracketed(about, rng)
            for kind, wrong in attacked(about, found, rng):
                kinds[kind] += 1
                failures += [f"seed {seed}, number {number - 1}: {found}: {kind}: {wrong}"] if wrong else []
    return kinds, failures


def main() -> int:
    """Attack and count; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    kinds, failures = attacks(chosen.count, chosen.seed)
    print(f"{kinds.total()} attacks, seed {chosen.seed}:", dict(kinds))
    print(f"{len(failures)} bounds below an exhibited value", *failures, sep="\n    ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
