"""Results recorded bit for bit: the witness that a change of the code moved no number.

``python tests/examples/recorded.py`` computes all cases with both kernels and prints what moved, with exit
status 1 if anything did; ``--renew`` writes `recorded.json` again. Budgets are counted in work, never in
seconds, and nothing but the public names is used.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from threadpoolctl import threadpool_info, threadpool_limits

import wdccheck as wc

FILE = Path(__file__).with_suffix(".json")
RENEW = "python tests/examples/recorded.py --renew"
KERNELS = ("reference", "compiled")
CLOSED, SEARCHED = 1e-9, 0.02  # relative: what closed formulas and searches may lose on another machine
LONG = 100  # coordinates up to which a witness is written out
_DESCENT = "lambda_max"  # in the reason of a cap: it has been searched for, too

Record = dict[str, Any]


# -- the cases -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A call of the public API: ``call(make(), *engines, **options)``, its subject made anew each time."""

    make: Callable[[], Any]
    engines: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    call: Callable[..., Any] = wc.bracket


def case(make: Callable[[], Any], *engines: Any, **options: Any) -> Case:
    """A bracket."""
    return Case(make, engines, options)


def gaussian(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Entries N(0, 1/n)."""
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)


def integer(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Entries -1, 0 and 1: many of its rows and sums coincide."""
    return np.random.default_rng(seed).integers(-1, 2, (n, k)).astype(float)


def network(*dims: int, seed: int = 0) -> wc.ReLUNetwork:
    """Gaussian layers k -> n_1 -> ... -> n_d."""
    return wc.ReLUNetwork([gaussian(n, k, seed + i) for i, (k, n) in enumerate(pairwise(dims))])


def rric(m: int, *dims: int, seed: int = 0) -> wc.RRIC:
    """Gaussian measurements of a Gaussian network."""
    return wc.RRIC(gaussian(m, dims[-1], seed + 9), network(*dims, seed=seed))


def idle(W: np.ndarray) -> np.ndarray:
    """With zero rows."""
    return np.vstack([W[:2], np.zeros((2, W.shape[1])), W[2:], np.zeros((1, W.shape[1]))])


def parallel(W: np.ndarray) -> np.ndarray:
    """With rows twice, opposite ones, and some that are parallel up to rounding."""
    return np.vstack([W, W[:2], 0.5 * W[:1], -2.0 * W[1:3], 3 * W[2:3]])


def flat(n: int, k: int) -> np.ndarray:
    """Of rank k - 1, exactly."""
    W = integer(n, k, 3)
    W[:, -1] = W[:, 0] - W[:, 1]
    return W / 2


def scattered(n: int, k: int, count: int) -> Any:
    """So many entries of a sparse layer; most of its rows and columns are zero."""
    rng = np.random.default_rng(4)
    where = rng.integers(0, n, count), rng.integers(0, k, count)
    return sparse.csr_array(sparse.coo_array((rng.standard_normal(count), where), shape=(n, k)))


def fan(count: int) -> wc.JointWDC:
    """Directions of the plane in equal steps, with alternating signs: the smallest epsilon/alpha here."""
    turn = np.arange(count) * (2 * np.pi / count)
    B = np.column_stack([np.cos(turn), np.sin(turn)]) * np.sqrt(2 / count)
    return wc.JointWDC(B, (-1.0) ** np.arange(count)[:, None] / np.sqrt(count))


def deconvolution() -> Any:
    """A transposed convolution as a layer: 2 channels of 2 x 2 pixels become 3 of 4 x 4."""
    return wc.conv_transpose2d_matrix(np.random.default_rng(6).standard_normal((2, 3, 2, 2)) / 3,
                                      (2, 2, 2), stride=2)


def dead() -> wc.ReLUNetwork:
    """A network whose range is 0."""
    return wc.ReLUNetwork([gaussian(4, 2), -np.abs(gaussian(3, 4))])


def half_dead() -> wc.ReLUNetwork:
    """A network with units that never open, and two that are the same."""
    first, second = gaussian(5, 2, 1), gaussian(6, 5, 2)
    second[1], second[4] = -np.abs(second[1]), second[0]
    return wc.ReLUNetwork([idle(first), np.insert(second, [2, 2, 5], 0.25, axis=1)])


def cancelling(*after: np.ndarray) -> wc.ReLUNetwork:
    """Two layers, the second of which takes the difference of units that agree to 15 digits."""
    return wc.ReLUNetwork([np.array([[1.0, 1.0], [1.0, 1 + 2.0**-50], [0.5, -1.0]]),
                           np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), *after])


def fourfold() -> Any:
    """An operator too large to tabulate."""
    return LinearOperator((2100, 2100), matvec=lambda x: 2 * x, rmatvec=lambda x: 2 * x, dtype=float)


FORMULAS, SAMPLES, CLIMB = wc.Spectral(), wc.MonteCarlo(64), wc.Ascent(starts=1)
SOLVE = wc.SDP("CLARABEL", seconds=60.0, nodes=100)  # a solve takes milliseconds


def proof(nodes: int) -> tuple[Any, ...]:
    """Formulas, a few samples, and branch and bound within about so many nodes."""
    return FORMULAS, SAMPLES, wc.BranchAndBound(nodes=nodes)


CASES: dict[str, Case] = {
    # the WDC; a target that is exceeded soon ends an ascent after a block of it
    "wdc 6x1": case(lambda: wc.WDC(gaussian(6, 1))),
    "wdc 10x2": case(lambda: wc.WDC(gaussian(10, 2))),
    "wdc 20x2": case(lambda: wc.WDC(gaussian(20, 2)), wc.MonteCarlo(9000), CLIMB,
                     wc.BranchAndBound(rtol=0.1)),
    "wdc 30x3, formulas": case(lambda: wc.WDC(gaussian(30, 3)), FORMULAS),
    "wdc 30x3, samples": case(lambda: wc.WDC(gaussian(30, 3)), wc.MonteCarlo(9000), rng=7),
    "wdc 30x3, proof": case(lambda: wc.WDC(gaussian(30, 3)), wc.BranchAndBound(nodes=4000)),
    "wdc 30x3, sdp": case(lambda: wc.WDC(gaussian(30, 3)), SOLVE),
    "wdc 30x3, proved": case(lambda: wc.WDC(gaussian(30, 3)), target=0.9),
    "wdc 30x3, violated": case(lambda: wc.WDC(gaussian(30, 3)), target=0.3),
    "wdc 30x3, refuted": case(lambda: wc.WDC(gaussian(30, 3)), wc.BranchAndBound(nodes=40_000), target=0.55),
    "wdc 30x3, undecided": case(lambda: wc.WDC(gaussian(30, 3)), *proof(4000), target=0.73),
    "wdc 12x4": case(lambda: wc.WDC(gaussian(12, 4, 1), 0.5), *proof(1000)),
    "wdc 11x5": case(lambda: wc.WDC(gaussian(11, 5, 2), 3.0), *proof(1000)),
    "wdc 40x12": case(lambda: wc.WDC(gaussian(40, 12)), FORMULAS, CLIMB, target=2.0),
    "wdc 40x12, proof": case(lambda: wc.WDC(gaussian(40, 12)), *proof(1000)),
    "wdc 15x20": case(lambda: wc.WDC(gaussian(15, 20)), CLIMB, target=3.0, rng=8),
    "wdc 0": case(lambda: wc.WDC(np.zeros((3, 2)), 6.0)),
    "wdc identity": case(lambda: wc.WDC(np.eye(3)), *proof(1000)),
    "wdc idle rows": case(lambda: wc.WDC(idle(gaussian(7, 3))), *proof(2000)),
    "wdc parallel rows": case(lambda: wc.WDC(parallel(gaussian(5, 3)), 2.0), *proof(2000)),
    "wdc parallel rows, stuck": case(lambda: wc.WDC(parallel(gaussian(5, 2))), wc.BranchAndBound(rtol=1e-4)),
    "wdc flat": case(lambda: wc.WDC(flat(8, 4), 2.0), *proof(2000)),
    "wdc integer": case(lambda: wc.WDC(integer(9, 3), 4.0), *proof(4000)),
    "wdc integer, k = 4": case(lambda: wc.WDC(integer(10, 4, 2), 6.0), *proof(2000)),
    "wdc axes": case(lambda: wc.WDC(np.vstack([np.eye(4), -np.eye(4), np.ones((1, 4))])), *proof(2000)),
    "wdc tiny": case(lambda: wc.WDC(1e-100 * gaussian(14, 2), 1e-200), *proof(4000)),
    "wdc huge": case(lambda: wc.WDC(1e100 * gaussian(14, 2), 1e200), *proof(4000)),
    "wdc operator": case(lambda: wc.WDC(aslinearoperator(gaussian(9, 3))), *proof(2000)),
    "wdc deconvolution": case(lambda: wc.WDC(deconvolution()), CLIMB, target=1.8),
    "wdc 1800x600, sparse": case(lambda: wc.WDC(scattered(1800, 600, 300)), FORMULAS, SAMPLES),
    "wdc 8200x8200, sparse": case(lambda: wc.WDC(scattered(8200, 8200, 900)), SAMPLES, target=0.1),
    # the R2WDC
    "r2wdc 1-4-5": case(lambda: wc.R2WDC(network(1, 4, 5), 2)),
    "r2wdc 2-4-5": case(lambda: wc.R2WDC(network(2, 4, 5), 2), *proof(200)),
    "r2wdc 2-3-4, sdp": case(lambda: wc.R2WDC(network(2, 3, 4, seed=1), 2, 0.7), SOLVE),
    "r2wdc 2-3-4-5": case(lambda: wc.R2WDC(network(2, 3, 4, 5), 3), *proof(200)),
    "r2wdc 3-5-4": case(lambda: wc.R2WDC(network(3, 5, 4), 2, 0.5), *proof(200)),
    "r2wdc 4-3-5": case(lambda: wc.R2WDC(network(4, 3, 5), 2), *proof(2000)),
    "r2wdc 5-9-6": case(lambda: wc.R2WDC(network(5, 9, 6), 2), CLIMB, target=1.5),
    "r2wdc layer 1": case(lambda: wc.R2WDC(network(2, 6, 5), 1), *proof(5000)),
    "r2wdc half dead": case(lambda: wc.R2WDC(half_dead(), 2), *proof(100)),
    "r2wdc cancelling": case(lambda: wc.R2WDC(cancelling(gaussian(4, 3)), 3), *proof(50)),
    # the RRIC
    "rric 4x5, 1-5": case(lambda: rric(4, 1, 5)),
    "rric 4x5, 1-5, ascent": case(lambda: rric(4, 1, 5), CLIMB),
    "rric 3x5, 2-4-5": case(lambda: rric(3, 2, 4, 5), *proof(500)),
    "rric 3x5, 2-4-5, ascent": case(lambda: rric(3, 2, 4, 5), CLIMB, target=3.0),
    "rric 3x4, 2-3-4, sdp": case(lambda: rric(3, 2, 3, 4, seed=1), SOLVE),
    "rric 5x5, 2-3-4-5": case(lambda: rric(5, 2, 3, 4, 5), *proof(100)),
    "rric 4x6, 3-4-6": case(lambda: rric(4, 3, 4, 6), *proof(300)),
    "rric 12x20, 10-16-20": case(lambda: rric(12, 10, 16, 20), FORMULAS, CLIMB, target=2.5),
    "rric sparse": case(lambda: wc.RRIC(sparse.csr_array(integer(4, 5, 1)), network(2, 4, 5)), *proof(100)),
    "rric operator": case(lambda: wc.RRIC(aslinearoperator(gaussian(4, 6)), network(2, 5, 6)), *proof(100)),
    "rric large operator": case(lambda: wc.RRIC(fourfold(), network(1, 2100)), FORMULAS),
    "rric cancelling": case(lambda: wc.RRIC(gaussian(2, 3), cancelling()), *proof(50)),
    "rric dead": case(lambda: wc.RRIC(gaussian(2, 3), dead())),
    # the joint-WDC
    "joint 5x1x1": case(lambda: wc.JointWDC(gaussian(5, 1), gaussian(5, 1, 1))),
    "joint 6x2x1": case(lambda: wc.JointWDC(gaussian(6, 2), gaussian(6, 1, 1)), CLIMB, wc.BranchAndBound()),
    "joint 6x2x2": case(lambda: wc.JointWDC(gaussian(6, 2), gaussian(6, 2, 1)), *proof(1000)),
    "joint 300x2x2": case(lambda: wc.JointWDC(gaussian(300, 2), gaussian(300, 2, 1)), *proof(100)),
    "joint 240x2x1, fan": case(lambda: fan(240), *proof(300)),
    "joint 5x3x2": case(lambda: wc.JointWDC(gaussian(5, 3), integer(5, 2, 1), 0.5), *proof(300)),
    "joint 7x4x4": case(lambda: wc.JointWDC(parallel(gaussian(5, 4))[:7], gaussian(7, 4, 1)), *proof(300)),
    "joint 8x6x5": case(lambda: wc.JointWDC(gaussian(8, 6), gaussian(8, 5, 1), 2.0), CLIMB, target=8.0),
    # other calls
    "calibrate wdc": Case(lambda: wc.WDC(gaussian(12, 2)), call=wc.calibrate),
    "calibrate wdc, vacuous": Case(lambda: wc.WDC(gaussian(1, 1)), call=wc.calibrate),
    "calibrate joint": Case(lambda: wc.JointWDC(gaussian(8, 1), gaussian(8, 1, 1)), call=wc.calibrate),
    "certify 2-4-5": Case(lambda: network(2, 4, 5), (gaussian(4, 5),), call=wc.certify,
                          options={"alpha": 1.0, "ratio": 0.7, "time_limit": None}),
    "certify a pair": Case(lambda: network(1, 2, 5), (network(2, 5, seed=2),), call=wc.certify_pair,
                           options={"alpha": 1.0, "ratio": 1.7, "time_limit": None}),
}
for _name in ("wdc 20x2", "rric 3x5, 2-4-5", "joint 6x2x2"):  # the same again, so the same record
    CASES[f"{_name}, two workers"] = replace(CASES[_name], options={"workers": 2})


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
