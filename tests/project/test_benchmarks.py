"""Every script of benchmarks/ runs; what it compares with is skipped where it is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def run(tmp_path, name, *arguments):
    command = [sys.executable, str(FOLDER / f"{name}.py"), *arguments, "--plot", str(tmp_path / "figure.svg")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.svg").stat().st_size > 5000
    return [line for line in done.stdout.splitlines() if line.startswith("|")]


@pytest.mark.slow
def test_search(tmp_path):
    results = tmp_path / "results.json"
    lines = run(tmp_path, "search", "--seconds", "0.1,0.3", "--results", str(results), "3,12")
    assert len(lines) == 4 and all("3,12" in line for line in lines[2:])
    ours, *others = (float(x) for x in lines[-1].split("|")[3:-2] if x.strip() != "–")
    assert ours > 0.4 and len(others) >= 3 and max(others) <= ours * 1.1
    again = run(tmp_path, "search", "--seconds", "0.1,0.3", "--results", str(results), "3,12")
    assert again == lines  # nothing is measured twice


def test_cells(tmp_path):
    lines = run(tmp_path, "cells", "--cells", "4", "3,10", "4,10")
    assert [line.split("|")[2:4] for line in lines[2:]] == [[" 92 ", " 92 "], [" 260 ", " 260 "]]


@pytest.mark.slow
def test_proof(tmp_path):
    lines = run(tmp_path, "proof", "2")
    assert len(lines) == 2 + 8 + 2 + 1 and not any("given up" in line for line in lines)


@pytest.mark.parametrize("name", ["brackets", "cones", "low_dimension", "proof", "rival", "search"])
def test_they_start(name):
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, timeout=60)
    assert done.returncode == 0


@pytest.mark.slow
def test_ranges():
    command = [sys.executable, str(FOLDER / "ranges.py"), "--case", "2-16-32", "--seconds", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent, timeout=120)
    assert done.returncode == 0, done.stderr
    _, _, row = done.stdout.splitlines()
    name, lower, upper, *_, above = (part.strip() for part in row.split("|")[1:-1])
    assert name == "2-16-32" and 0.8 < float(lower) < 1.65 and float(upper) > 1.644 and above.endswith("%")
