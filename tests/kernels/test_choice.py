"""Which kernel is used, and why."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from wdccheck import _kernels


def run(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


SHOW = "import wdccheck as wc; print(wc.kernel())"


def test_the_environment_chooses_the_kernel():
    assert run(SHOW, WDCCHECK_KERNEL="reference").stdout == "reference\n"
    if _kernels.prove is not None:
        assert run(SHOW, WDCCHECK_KERNEL="compiled").stdout == "compiled\n"
    wrong = run(SHOW, WDCCHECK_KERNEL="fast")
    assert wrong.returncode == 1
    assert "WDCCHECK_KERNEL: reference or compiled required, 'fast' found" in wrong.stderr


def test_compiled_kernels_of_another_version_are_not_used():
    code = ("import sys, types\nmodule = types.ModuleType('wdccheck._kernels.proof'); module.ABI = 0\n"
            "sys.modules['wdccheck._kernels.proof'] = module\n"
            "from wdccheck import _kernels; print(_kernels.reason)")
    found = run(code, WDCCHECK_KERNEL="")
    assert found.stdout.startswith("the compiled kernels are of another version: 0")
    assert run(code, WDCCHECK_KERNEL="compiled").returncode == 1


def test_without_compiled_kernels_brackets_are_the_same_to_rounding():
    code = ("import numpy as np, wdccheck as wc\n"
            "W = np.random.default_rng(1).standard_normal((20, 2)) / 20**0.5\n"
            "r = wc.bracket(wc.WDC(W), wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(gap=0.01))\n"
            "print(wc.kernel(), r.lower, r.upper)")
    one, other = (run(code, WDCCHECK_KERNEL=kind).stdout.split() for kind in ("reference", ""))
    assert one[0] == "reference"
    assert np.allclose([float(x) for x in one[1:]], [float(x) for x in other[1:]], rtol=1e-9)


def test_info_says_which_kernel_and_why():
    told = run("from wdccheck.cli.main import main; main(['info'])", WDCCHECK_KERNEL="reference")
    assert "kernel reference (WDCCHECK_KERNEL asks for it)" in told.stdout
