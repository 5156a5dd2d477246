"""The pages of the documentation: what can be run on them runs, and prints what stands right below it.

The blocks of a page run in the order of the page, ``python`` in one namespace, ``sh`` in a shell, all in one
folder, which has the committed certificates beside it.
A block without a language right after one of these is what it prints.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wdccheck

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
SLOW = {"certify", "estimates", "sweeps", "tutorial"}  # they take up to a minute each
ELSEWHERE = {"weight-files"}  # weights/test_files.py has the files
NUMBER = re.compile(r"-?\d+\.\d+")
PAGES = [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
         for path in sorted(DOCS.glob("*.md"))
         if path.stem not in ELSEWHERE and BLOCK.search(path.read_text(encoding="utf-8"))]


def _run(kind, code, names, capsys):
    """What the block prints on standard output."""
    if kind == "python":
        exec(compile(code, "<block>", "exec"), names)
        return capsys.readouterr().out
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    shell = {**os.environ, "PATH": path}
    done = subprocess.run(["sh", "-ec", code], env=shell, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.filterwarnings("ignore::wdccheck.errors.TransposedWarning")
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_is_so(page, tmp_path, monkeypatch, capsys):
    shutil.copytree(DOCS.parent / "certificates", tmp_path / "certificates")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for kind, code, shown in BLOCK.findall(page.read_text(encoding="utf-8")):
        printed = _run(kind, code, names, capsys)
        if shown:
            assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
            for one, other in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
                assert abs(float(one) - float(other)) <= 2e-3  # another linear algebra library may differ


def test_the_reference_has_every_public_name():
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\.\. (?:auto|py:data)\w*:: wdccheck\.(\w+)(?:\(\))?$", text, re.MULTILINE))
    assert listed == set(wdccheck.__all__)


@pytest.mark.parametrize("module", [wdccheck.estimates, wdccheck.plots, wdccheck.testing])
def test_the_reference_has_every_function(module):
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert all(re.search(rf"[ .]{name}\b", text) for name in module.__all__ if not name.isupper())


@pytest.mark.parametrize("name", wdccheck.__all__)
def test_every_public_name_has_an_example(name):
    assert name == "__version__" or ">>> " in getattr(wdccheck, name).__doc__
