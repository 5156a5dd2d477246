"""The README's first screen is run, and prints what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from wdccheck.reports.row import Row

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_snippet_prints_what_stands_below_it():
    code, shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stderr == ""
    number = r"\d\.\d+"
    assert re.sub(number, "#", done.stdout) == re.sub(number, "#", shown)
    for printed, quoted in zip(re.findall(number, done.stdout), re.findall(number, shown), strict=True):
        assert abs(float(printed) - float(quoted)) <= 2e-4  # another linear algebra library may differ


def test_certify_is_quoted_from_the_committed_result():
    (shown,) = re.findall(r"<!-- digits:.*?-->\n```\n(.*?)```\n<!-- end of digits -->", README, re.DOTALL)
    rows = json.loads((ROOT / "certificates" / "digits" / "report.json").read_text(encoding="utf-8"))["rows"]
    assert {row["kind"] for row in rows} == {"WDC", "R2WDC", "RRIC"}
    for row in rows:
        assert Row.from_dict(row).to_line() in shown.splitlines()
    assert max(map(len, shown.splitlines())) <= 100
