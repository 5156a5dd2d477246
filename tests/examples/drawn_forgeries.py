"""Forged results, drawn at random: `verify` may call nothing proved that is false, and stop on nothing.

``python tests/examples/drawn_forgeries.py --count 36000 --seed 1`` forges so many files and prints what
became of them, with exit status 1 if a false bound was proved or something else than a refusal was raised.
How files are forged stands in `forged_files.py`, what is true of the condition that one describes in
`truths.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

import wdccheck as wc
from examples.checks import proved
from examples.forged_files import Data, as_text, forged, written
from examples.truths import described, exact_minimum, truth, weights_of
from wdccheck.errors import InvalidInput
from wdccheck.reports.row import Row

__all__ = ["forgeries", "said"]


def said(path: Path) -> tuple[str, list[str]]:
    """The outcome of a file, and what is wrong about it: false bounds that are proved, other errors."""
    try:
        checks = wc.verify(path, time_limit=2)
    except InvalidInput:
        return "refused", []
    except Exception as error:
        return "raised", [f"{type(error).__name__}: {error}"]
    found = {check.what: str(check.outcome) for check in checks if check.counts}
    text = json.loads(path.read_text())
    rows = [("", text)] if "rows" not in text else [
        (f"{Row(wc.Bracket(row['bracket']['condition']), of=row['of']).name}: ",
         {**row["bracket"], "least": row.get("least")}) for row in text["rows"]]
    wrong = []
    for name, known in rows:
        sides = [found[f"{name}{side} bound"] == "proved" for side in ("lower", "upper")]
        if not any(sides):
            continue
        true = truth({**weights_of(known["condition"]), **known["condition"]})
        if true is None:
            trivial = (known["lower"] == 0 and known["witness"] is None, known["upper"] is None)
            wrong += [f"{name}{side} proved of nothing" for side, sure, empty in
                      zip(("lower", "upper"), sides, trivial, strict=True) if sure and not empty]
            continue
        if sides[0] and Fraction(known["lower"]) > true[1]:
            wrong.append(f"{name}lower {known['lower']!r} proved, epsilon <= {float(true[1])!r}")
        if sides[1] and known["upper"] is not None and Fraction(known["upper"]) < true[0]:
            wrong.append(f"{name}upper {known['upper']!r} proved, epsilon >= {float(true[0])!r}")
    for name, known in rows:
        wrong += [f"{name}{line}" for line in _wrong_minimum(name, known, found)]
    outcomes = set(found.values())
    return next(word for word in ("refuted", "not proved", "recorded", "proved") if word in outcomes), wrong


def _wrong_minimum(name: str, known: Data, found: Mapping[str, str]) -> Iterator[str]:
    """False bounds on the minimum over alpha that are proved; `known`: what they stand beside."""
    least = known.get("least")
    sides = [found.get(f"{name}least eps/alpha, {side} bound") == "proved" for side in ("lower", "upper")]
    true = truth(known["condition"]) if least and any(sides) else None
    if least is None or true is None:
        return
    condition = described(known["condition"])
    most = min(Fraction(condition.vacuous), true[1] / Fraction(condition.alpha))
    exact = exact_minimum(condition.W) if isinstance(condition, wc.WDC) else None
    if sides[0] and Fraction(least["lower"]) > (most if exact is None else exact):
        yield f"least lower {least['lower']!r} proved, the minimum is {exact!r}, at most {float(most)!r}"
    if sides[1] and exact is not None and Fraction(least["upper"]) < exact:
        yield f"least upper {least['upper']!r} proved, the minimum is {float(exact)!r}"


def forgeries(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """So many: how often each outcome, and every failure with the seed that makes it again."""
    outcomes: Counter[str] = Counter()
    failures = []
    path = folder / "forged.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(count):
            rng = np.random.default_rng([seed, i])
            name, data = forged(rng)
            text = written(data, rng)
            path.write_text(text)
            outcome, wrong = said(path)
            outcomes[outcome] += 1
            genuine = set(name.removeprefix("report: ").split(", ")) == {"nothing"} and text in (
                as_text(data, 1), as_text(data, 2))
            if genuine and outcome not in ("proved", "refused") and not proved(wc.verify(path)):
                wrong.append(f"a genuine file is {outcome}: {wc.verify(path)}")
            failures += [f"seed {seed}, number {i} ({name}): {line}" for line in wrong]
    return outcomes, failures


def main() -> int:
    """Forge and count; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=36_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, failures = forgeries(chosen.count, chosen.seed, Path(folder))
    print(f"{chosen.count} forged files, seed {chosen.seed}:", dict(outcomes))
    print(f"{len(failures)} failures", *failures, sep="\n    ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
