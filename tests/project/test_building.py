"""The package is built with and without a compiler, and works either way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKED = ("import numpy as np, wdccheck as wc; print(wc.kernel());"
         "print(wc.bracket(wc.WDC(np.eye(2)), wc.Spectral(), wc.BranchAndBound(gap=0.01)).gap <= 0.01)")
HELD = {".py", ".npz", ".pyx", ".h"}
pytestmark = pytest.mark.slow


def built(folder, **environment):
    """The result of building a wheel, and the folder it is unpacked in."""
    source = folder / "source"
    kept = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "wdccheck", source / "wdccheck", ignore=kept)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WDCCHECK_")}
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, env={**plain, **environment})
    for wheel in folder.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return done, folder / "unpacked"


def asked(unpacked):
    """What the unpacked package answers."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    environment.pop("WDCCHECK_KERNEL", None)
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=unpacked, capture_output=True, text=True,
                          env=environment, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("environment", [{"CC": "/bin/false"}, {"WDCCHECK_DISABLE_EXT": "1"}], ids=str)
def test_without_a_compiler_it_installs_and_works(environment, tmp_path):
    done, unpacked = built(tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert not list(unpacked.rglob("*.so"))
    held = {path.relative_to(unpacked) for path in (unpacked / "wdccheck").rglob("*") if path.is_file()}
    package = [path for path in (ROOT / "wdccheck").rglob("*")
               if path.suffix in HELD or path.name == "py.typed"]
    assert held == {path.relative_to(ROOT) for path in package}
    assert asked(unpacked) == ["reference", "True"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
def test_with_a_compiler_it_is_compiled(tmp_path):
    done, unpacked = built(tmp_path, WDCCHECK_REQUIRE_EXT="1")
    assert done.returncode == 0, done.stderr
    assert asked(unpacked) == ["compiled", "True"]


def test_kernels_that_are_required_and_cannot_be_built_are_an_error(tmp_path):
    done, _ = built(tmp_path, CC="/bin/false", WDCCHECK_REQUIRE_EXT="1")
    assert done.returncode != 0
