"""Commands that are interrupted or killed at random moments, and what became of them.

    python benchmarks/interrupts.py [--interrupts N] [--kills N] [--seed S] [--within SECONDS]

Every command runs in a session, and with a folder of temporary files, of its own. The moment is one of the
time of processors, all processes together, that passes after Python has come as far as the program: a
second or so goes to imports, the rest to work, however busy the machine is. An interrupt is SIGINT or
SIGTERM, to the command alone or to all of its group, as a terminal sends it; a kill is SIGKILL to the
command alone. Afterwards nothing may be left: no process of the session, no temporary file, none of
joblib's in /dev/shm, no half-written file; what was said to be saved has to be there, whole. The seconds
that a command takes to end are those of a clock and, as other programs may run, of the processors, all
processes that it waits for together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import wdccheck as wc
from wdccheck import result_files
from wdccheck.studies.studies import Study

TICKS = os.sysconf("SC_CLK_TCK")
SOON = 2.0  # seconds in which processes and files have to be gone after a kill


def inputs(folder: Path) -> None:
    """Weights on which every command is busy for longer than it is left alone."""
    rng = np.random.default_rng(0)
    np.save(folder / "W.npy", rng.standard_normal((300, 5)) / 17)
    np.save(folder / "C.npy", rng.standard_normal((300, 4)) / 17)
    np.save(folder / "wide.npy", rng.standard_normal((2000, 80)) / 45)
    np.savez(folder / "net.npz", W1=rng.standard_normal((40, 3)) / 6, W2=rng.standard_normal((60, 40)) / 8)
    np.save(folder / "A.npy", rng.standard_normal((30, 60)) / 5)
    np.save(folder / "U.npy", np.linalg.qr(rng.standard_normal((60, 60)))[0][:20])
    known = wc.bracket(wc.WDC(np.load(folder / "W.npy")), wc.Ascent(64), wc.BranchAndBound(nodes=1))
    more = (known.engines[0], replace(known.engines[1], work=10**9))
    replace(known, engines=more, upper=1.02 * known.lower).save(folder / "known.json")  # a proof of hours
    wc.sweep(k=1, n=[4, 8], budget=100).save(folder / "table.csv")


def commands(inputs: Path, out: Path) -> dict[str, list[str]]:
    """Every command; `out` is an empty folder."""
    def at(name: str) -> str:
        return str(inputs / name)

    cells = ["sweep", "--k", "2,3", "--n", "20,30,40", "--repeat", "9", "--rtol", "0.1"]
    saved = ["--json", str(out / "saved.json"), "--checkpoint", str(out / "so-far")]
    return {
        "certify": ["certify", at("net.npz"), *saved, "--out", str(out / "report")],
        "certify --pair": ["certify", "--pair", at("W.npy"), at("C.npy"), *saved],
        "bracket wdc": ["bracket", "wdc", at("W.npy"), "--alpha", "1", *saved],
        "bracket wdc, alpha sought": ["bracket", "wdc", at("wide.npy"), "--alpha", "best", *saved],
        "bracket r2wdc": ["bracket", "r2wdc", at("net.npz"), "--layer", "2", *saved],
        "bracket rric": ["bracket", "rric", at("net.npz"), "--measurements", at("A.npy"), *saved],
        "bracket joint-wdc": ["bracket", "joint-wdc", at("W.npy"), at("C.npy"), *saved],
        "bracket coherence": ["bracket", "coherence", at("net.npz"), "--measurements", at("U.npy"), *saved],
        "estimate": ["estimate", "wdc", at("wide.npy"), "--quantile", "0.9", "--above", "0.3",
                     "--samples", "60000", "--json", str(out / "saved.json")],
        "sweep": cells,
        "sweep --out": [*cells, "--out", str(out / "sweep")],
        "plot": ["plot", at("table.csv"), "--out", str(out / "figure.svg")],
        "verify": ["verify", at("known.json")],
    }


def of_session(leader: int) -> list[tuple[int, float]]:
    """Processes of a session that are alive, and the seconds of processor that each has used."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append((int(path.parent.name), (int(fields[11]) + int(fields[12])) / TICKS))
    return found


def shared_memory(leader: int) -> list[str]:
    """What joblib keeps in memory for this process."""
    return [name for name in os.listdir("/dev/shm") if re.search(rf"[_-]{leader}[_-]", name)]


def saved(out: Path) -> list[str]:
    """What is wrong with the files that a command wrote."""
    wrong = []
    for path in (path for path in out.rglob("*") if path.is_file()):
        try:
            if path.name.startswith("."):
                wrong.append(f"left {path.name}")
            elif path.suffix == ".csv":
                Study.load(path)
            elif path.suffix in (".json", ""):
                data = result_files.read(path)
                assert "condition" not in data or wc.load(path) is not None
            elif path.suffix == ".svg":
                assert path.read_text().endswith("</svg>\n")
        except (wc.InvalidInput, AssertionError) as error:
            wrong.append(f"{path.name}: {error}")
    return wrong


def trial(rng: random.Random, folder: Path, kill: bool, within: float) -> dict[str, object]:
    """One command that is ended at a random moment."""
    with tempfile.TemporaryDirectory() as place:
        out, temporary = Path(place) / "out", Path(place) / "tmp"
        out.mkdir()
        temporary.mkdir()
        name, command = rng.choice(list(commands(folder, out).items()))
        plot = name == "plot"
        command += [] if plot else ["--workers", str(rng.choice([1, 2, 2]))]
        number = signal.SIGKILL if kill else rng.choice([signal.SIGINT, signal.SIGTERM])
        group = not kill and rng.random() < 0.5
        moment = rng.uniform(0.0, within / 4 if plot else within)
        process = subprocess.Popen(
            [sys.executable, "-m", "wdccheck", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True, env={**os.environ, "TMPDIR": str(temporary)},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        listening(process)
        while process.poll() is None and sum(seconds for _, seconds in of_session(process.pid)) < moment:
            time.sleep(0.02)
        done = process.poll() is not None
        used = sum(seconds for _, seconds in of_session(process.pid))
        before = os.times()
        begun = time.monotonic()
        if not done:
            (os.killpg if group else os.kill)(process.pid, number)
        text, errors = process.communicate(timeout=120)
        wall, after = time.monotonic() - begun, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        wrong = [f"left processes {left}"] if (left := gone(process.pid)) else []
        wrong += [f"left {name}" for name in [*os.listdir(temporary), *shared_memory(process.pid)]]
        alive = "<=" in text or "proved" in text or "estimate" in text or "," in text
        wrong += saved(out) + said(text, errors, out, process.returncode, name, None if done else number)
        return {"command": name, "signal": number.name + (" to the group" if group else ""),
                "after": round(moment, 2), "done": done, "status": process.returncode, "wall": round(wall, 2),
                "cpu": round(max(cpu - used, 0.0), 2), "delivered": alive, "wrong": wrong,
                "stderr": errors[-2000:] if wrong else ""}


def listening(process: subprocess.Popen[str]) -> None:
    """Wait until Python has come as far as the program, which is then to be told of signals."""
    bit = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        if caught and int(caught[1], 16) & bit:
            return
        time.sleep(0.005)


def gone(leader: int) -> list[int]:
    """Processes that are alive after a moment."""
    until = time.monotonic() + SOON
    while (alive := of_session(leader)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid, _ in alive:
        os.kill(pid, signal.SIGKILL)
    return [pid for pid, _ in alive]


def said(
    text: str, errors: str, out: Path, status: int, name: str, number: signal.Signals | None
) -> list[str]:
    """What a command said that is not so, and an exit status that does not fit."""
    wrong = ["traceback"] if re.search("Traceback|Exception ignored|Error:", text + errors) else []
    cells = [int(count) for count in re.findall(r"sweep: (\d+)/\d+ cells", errors)]
    if name == "sweep --out" and cells and len(list((out / "sweep" / "cells").glob("*.json"))) < max(cells):
        wrong.append(f"{max(cells)} cells were said to be finished")
    if number is signal.SIGKILL:
        return wrong
    allowed = {0, 3} if number is None else {0, 3} if name == "verify" else {128 + number}
    if status not in allowed and not (name == "plot" and status == 0):
        wrong.append(f"status {status}")
    bounds = "<= eps" in text and name.startswith(("bracket", "certify"))
    if bounds and not (out / "saved.json").exists():
        wrong.append("bounds are printed, and not saved")
    if name == "verify" and number is not None and status == 3 and "not proved" not in text:
        wrong.append("verify does not say not proved")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--interrupts", type=int, default=100)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--within", type=float, default=6.0,
                        help="seconds of processor within which a signal comes")
    arguments = parser.parse_args()
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        inputs(Path(folder))
        for number in range(arguments.interrupts + arguments.kills):
            rng = random.Random(f"{arguments.seed}-{number}")
            found.append(trial(rng, Path(folder), number >= arguments.interrupts, arguments.within))
            print(json.dumps(found[-1]), flush=True)
    print("\n| signal | trials | delivered a result | ended before | wrong | seconds: median | largest | "
          "of processors: largest |\n|---|---|---|---|---|---|---|---|")
    for kind, kills in (("SIGINT or SIGTERM", False), ("SIGKILL", True)):
        own = [one for one in found if (one["signal"] == "SIGKILL") is kills]
        walls = sorted(float(str(one["wall"])) for one in own if not one["done"])
        done, wrong, told = (sum(bool(one[key]) for one in own) for key in ("done", "wrong", "delivered"))
        if walls:
            print(f"| {kind} | {len(own)} | {told} | {done} | {wrong} | {walls[len(walls) // 2]:.2f} | "
                  f"{walls[-1]:.2f} | {max(float(str(one['cpu'])) for one in own):.2f} |")


if __name__ == "__main__":
    main()
