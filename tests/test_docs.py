"""The pages on tests, estimates and reports: their snippets run, and print what stands below them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("number", range(4))
def test_the_snippets_on_tests_run(number, tmp_path):
    text = (DOCS / "testing.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_estimates_print_what_stands_below_them():
    text = (DOCS / "estimates.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    number = r"-?\d+\.\d+"
    assert re.sub(number, "#", done.stdout) == re.sub(number, "#", shown)
    for printed, quoted in zip(re.findall(number, done.stdout), re.findall(number, shown), strict=True):
        assert abs(float(printed) - float(quoted)) <= 2e-3  # another linear algebra library may differ


def test_the_snippet_on_reports_runs(tmp_path):
    text = (DOCS / "reports.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    shutil.copytree(DOCS.parent / "certificates" / "digits", tmp_path / "certificates" / "digits")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert {"report.html", "report.json", "report.md"} <= {path.name for path in tmp_path.iterdir()}
