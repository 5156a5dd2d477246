"""Results recorded bit for bit: the witness that a change of the code moved no number.

``python tests/examples/recorded.py`` computes all of `recorded_cases.py` with both kernels and prints what
moved, with exit status 1 if anything did; ``--renew`` writes `recorded.json` again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import wdccheck as wc

if TYPE_CHECKING:
    from examples.recorded_cases import Case

FILE = Path(__file__).with_suffix(".json")
RENEW = "python tests/examples/recorded.py --renew"
KERNELS = ("reference", "compiled")
CLOSED, SEARCHED = 1e-9, 0.02  # relative: what closed formulas and searches may lose on another machine
LONG = 100  # coordinates up to which a witness is written out
_DESCENT = "lambda_max"  # in the reason of a cap: it has been searched for, too

Record = dict[str, Any]


# -- a record --------------------------------------------------------------------------------------


def record(case: Case) -> Record:
    """What a case gives, as plain JSON data: floats in hexadecimal, and no seconds."""
    with threadpool_limits(1, "blas"), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        subject = case.make()
        found = case.call(subject, *case.engines, **case.options)
        result = _result(found)
        if hasattr(subject, "theorems"):
            result["caps"] = [[cap.value.hex(), cap.reason] for cap in subject.theorems.caps()]
            result["starts"] = _hashed(list(subject.theorems.starts()))
        if result.get("witness") is not None:
            result["deviation"] = float(subject.deviation(found.witness)).hex()
    ours = [each for each in told if each.category.__module__.startswith("wdccheck")]
    result["warned"] = [f"{each.category.__name__}: {each.message}" for each in ours]
    return json.loads(_json(result))


def _result(found: Any) -> Record:
    if isinstance(found, wc.Bracket):
        return _bracket(found)
    if isinstance(found, wc.Report):
        return {"rows": [{**_bracket(row.bracket), "of": row.of, "note": row.note} for row in found.rows]}
    return {"alpha": found.hex()}


def _bracket(found: wc.Bracket) -> Record:
    about = {key: found.condition[key] for key in ("kind", "alpha", "layer", "shape", "sha256", "options")}
    return {
        "condition": {**about, "alpha": None if found.alpha is None else found.alpha.hex()},
        "lower": found.lower.hex(), "upper": found.upper.hex(),
        "witness": None if found.witness is None else {
            letter: _vector(value) for letter, value in found.witness.items()},
        "part": found.part, "lower_by": found.lower_by, "upper_by": found.upper_by,
        "stopped": {side: [stop.reason.value, stop.detail] for side, stop in found.stopped.items()},
        "engines": [[work.engine, work.work, work.unit] for work in found.engines],
    }


def _vector(value: np.ndarray) -> list[str]:
    """Its coordinates; the hash of a long one."""
    short = len(value) <= LONG
    return [float(x).hex() for x in value] if short else [hashlib.sha256(value.tobytes()).hexdigest()]


def _hashed(starts: list[Any]) -> list[Any]:
    """How many there are, and the hash of all their points and reasons."""
    digest = hashlib.sha256()
    for start in starts:
        digest.update(start.reason.encode())
        for letter in sorted(start.point):
            digest.update(letter.encode() + start.point[letter].tobytes())
    return [len(starts), digest.hexdigest()]


def fingerprint() -> Record:
    """What the last bits depend on besides the code: of equal machines, equal records are asked."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    pools = [(Path(pool["filepath"]).parent.name, pool) for pool in threadpool_info()]
    return {
        "blas": sorted(f"{folder}: {pool['internal_api']} {pool['version']} {pool.get('architecture')}"
                       for folder, pool in pools if pool["user_api"] == "blas"
                       and (folder in ("numpy.libs", "scipy.libs") or not folder.endswith(".libs"))),
        "cpu": sorted(name for name, there in features.items() if there),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "python": platform.python_version().rpartition(".")[0],
        **{name: importlib.metadata.version(name) for name in ("numpy", "scipy", "cvxpy", "clarabel", "scs")},
    }


# -- comparisons -----------------------------------------------------------------------------------


def problems(old: Record, new: Record, same_machine: bool) -> list[str]:
    """One line for each thing that should not have moved: nothing may where the machine is the same."""
    return moved(old, new) if same_machine else contradictions(old, new)


def moved(old: Record, new: Record) -> list[str]:
    """Every field of two records that is not the same, to the last bit."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [f"{path}: {_shown(before, path)} recorded, {_shown(after, path)} found"
            for path in {**before, **after} if before.get(path, ...) != after.get(path, ...)]


def contradictions(old: Record, new: Record) -> list[str]:
    """What no other machine explains: formulas that differ, brackets that are disjoint or far apart."""
    pairs = [(old, new)] if "rows" not in old else list(zip(old["rows"], new["rows"], strict=True))
    return [line for one, other in pairs for line in _contradictions(one, other)]


def _contradictions(old: Record, new: Record) -> Iterator[str]:
    for (before, why), (after, _) in zip(old.get("caps", ()), new.get("caps", ()), strict=True):
        if not _close(before, after, SEARCHED if _DESCENT in why else CLOSED):
            yield f"caps: {before} recorded, {after} found; {why}"
    formulas = "engines" in old and all(engine.startswith("Spectral") for engine, *_ in old["engines"])
    for side in ("alpha", "lower", "upper"):
        if side in old and not _close(old[side], new[side], CLOSED if formulas else SEARCHED):
            yield f"{side}: {old[side]} recorded, {new[side]} found"
    for one, other in ((old, new), (new, old)) if "lower" in old else ():
        if float.fromhex(one["lower"]) > float.fromhex(other["upper"]):
            yield f"disjoint: lower {one['lower']}, upper {other['upper']}"


def _close(one: str, other: str, tolerance: float) -> bool:
    return math.isclose(float.fromhex(one), float.fromhex(other), rel_tol=tolerance)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{i}]")
    else:
        yield path, value


def _shown(leaves: Record, path: str) -> str:
    value = leaves.get(path, ...)
    if value is ...:
        return "nothing"
    number = str(value).removeprefix("-").startswith("0x")
    return f"{value} ({float.fromhex(value)!r})" if number else repr(value)


# -- the file --------------------------------------------------------------------------------------


def load() -> Record:
    """The records of both kernels, and the machine they were made on."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def main() -> int:
    """Compare, or renew; the exit status."""
    from recorded_cases import CASES  # beside this file, which is run as a command

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="write the record of all cases again")
    parser.add_argument("--print", action="store_true", help="print what the active kernel gives, as JSON")
    parser.add_argument("names", nargs="*", default=list(CASES), help="of cases; all if none is given")
    chosen = parser.parse_args()
    if chosen.print:
        print(_json({name: record(CASES[name]) for name in chosen.names}), end="")
        return 0
    names = list(CASES) if chosen.renew else chosen.names
    found = {"machine": fingerprint(), **{kernel: _computed(kernel, names) for kernel in KERNELS}}
    if chosen.renew:
        FILE.write_text(_json(found), encoding="utf-8")
        return 0
    stored = load()
    same = stored["machine"] == found["machine"]
    if not same:
        print("another machine:", *moved(stored["machine"], found["machine"]), sep="\n    ")
    status = 0
    for kernel, name in product(KERNELS, names):
        old = stored[kernel].get(name)
        if lines := ["not recorded yet"] if old is None else problems(old, found[kernel][name], same):
            print(f"{kernel}, {name}:", *lines, sep="\n    ")
            status = 1
    return status


def _computed(kernel: str, names: list[str]) -> Record:
    done = subprocess.run([sys.executable, __file__, "--print", *names], check=True, stdout=subprocess.PIPE,
                          env={**os.environ, "WDCCHECK_KERNEL": kernel})
    return json.loads(done.stdout)


def _json(data: Record) -> str:
    return json.dumps(data, sort_keys=True, indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main())
