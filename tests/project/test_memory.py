"""Memory: all processes together take at most 300 MB per worker and 6 times the bytes of the input."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

MEGABYTE = 1e6
PER_WORKER = 300 * MEGABYTE
TIMES = 6

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")

HELPERS = """
import warnings
from itertools import pairwise
import numpy as np
import wdccheck as wc
from wdccheck.engines.proving.depth_first import explore
from wdccheck.geometry import spheres
warnings.simplefilter("ignore")

def gaussian(n, k, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)) / np.sqrt(n)

def network(*dims):
    return wc.ReLUNetwork([gaussian(n, k, i) for i, (k, n) in enumerate(pairwise(dims))])
"""

QUICK = HELPERS + """
def peak():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])

def measured(name, size, call):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    call()
    print(name, size, peak(), sep=",")

rng = np.random.default_rng(0)
tall, wide = wc.WDC(gaussian(100_000, 3)), network(3, 100, 20_000)
measured("samples of 100000 x 3", 2.4e6, lambda: wc.bracket(tall, wc.MonteCarlo(samples=16)))
measured("R2WDC of 3-100-20000", 16e6, lambda: wc.bracket(wc.R2WDC(wide, 2), wc.MonteCarlo(samples=16)))
few = wc.RRIC(gaussian(10, 4096), network(2, 50, 4096))
measured("RRIC of 10 x 4096", 2e6, lambda: few.search.freeze(spheres.sample(few.spheres, rng, 1000)))
flat, twice = gaussian(20_000, 10), gaussian(4000, 3)
flat[:, 9], twice[1] = 0.0, twice[0]
flat, joint = wc.WDC(flat), wc.JointWDC(twice, gaussian(4000, 3, 1))
measured("regions of 20000 x 10", 1.6e6, lambda: explore(flat, 0.6, 1200, np.inf, flat.proof.boxes()))
measured("regions of 4000 x 3 x 3", 1.9e5, lambda: explore(joint, 0.3, 20, np.inf, joint.proof.boxes()))
measured("cones of 3-30-3000", 1e6, lambda: wc.RRIC(gaussian(9, 3000), network(3, 30, 3000)).proof.groups())
"""

TABLE = {
    "100000 x 3": ("c = wc.WDC(gaussian(100_000, 3))", 2.4e6),
    "20000 x 10": ("c = wc.WDC(gaussian(20_000, 10))", 1.6e6),
    "20000 x 10, a zero column": ("W = gaussian(20_000, 10); W[:, 9] = 0; c = wc.WDC(W)", 1.6e6),
    "50000 x 40": ("c = wc.WDC(gaussian(50_000, 40))", 16e6),
    "4096 x 1024": ("c = wc.WDC(gaussian(4096, 1024))", 34e6),
    "1024 x 4096": ("c = wc.WDC(gaussian(1024, 4096))", 34e6),
    "r2wdc 2-1000-1000": ("c = wc.R2WDC(network(2, 1000, 1000), 2)", 8e6),
    "r2wdc 100-1024-4096": ("c = wc.R2WDC(network(100, 1024, 4096), 2)", 34e6),
    "rric 10 x 4096": ("c = wc.RRIC(gaussian(10, 4096), network(2, 50, 4096))", 2e6),
    "coherence 784": ("c = wc.Coherence(np.linalg.qr(gaussian(784, 784))[0], network(20, 500, 784))", 8e6),
    "joint 20000 x 10 x 10": ("c = wc.JointWDC(gaussian(20_000, 10), gaussian(20_000, 10, 1))", 3.2e6),
}


def resident(pid: int) -> float:
    """Bytes in memory of a process and its descendants, what they share counted once."""
    total = 0.0
    with contextlib.suppress(OSError, ValueError):  # of a process that has ended
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = 1024 * float(text.partition("\nPss:")[2].split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        total += sum(resident(int(child)) for child in children)
    return total


def peak_of(command: list[str]) -> float:
    """The largest sum over all processes of a command, looked at 20 times a second."""
    largest = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            largest = max(largest, resident(process.pid))
            time.sleep(0.05)
    assert process.returncode in (0, 3), command
    return largest


def test_the_largest_arrays_are_formed_in_pieces():
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        _, size, peak = line.split(",")
        assert float(peak) <= PER_WORKER + TIMES * float(size), line
    assert len(done.stdout.splitlines()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", TABLE)
def test_a_bracket_stays_within_the_bound(name, workers):
    setup, size = TABLE[name]
    call = f"wc.bracket(c, time_limit=4, workers={workers})"
    peak = peak_of([sys.executable, "-c", f"{HELPERS}\n{setup}\n{call}"])
    assert peak <= PER_WORKER * workers + TIMES * size, f"{peak / MEGABYTE:.0f} MB"


@pytest.mark.slow
def test_the_bundled_generator_is_certified_within_a_gibibyte():
    command = [sys.executable, "-m", "wdccheck", "certify", "--workers", "-1", "--time-limit", "40"]
    assert peak_of([*command, "--quiet"]) <= 2**30
