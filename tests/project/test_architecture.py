"""docs/architecture.md and its picture say what the code is."""

from __future__ import annotations

import ast
import re
import runpy
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import wdccheck

PACKAGE = Path(wdccheck.__file__).parent
ROOT = PACKAGE.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FIGURE = ROOT / "docs" / "figures" / "architecture.svg"
SCRIPT = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
WINGS = SCRIPT["contract"]()
CONDITIONS = [path.parent for path in sorted((PACKAGE / "conditions").glob("*/definition.py"))]
PATHS = sorted(set(re.findall(r"`([\w./-]+(?:\.py|\.md|/))`", PAGE)))
PARTS = re.findall(r"^\| `\w+\.py` \|.*\| `(protocol/\w+\.py)`: (.*) \|$", PAGE, re.MULTILINE)


def test_the_picture_is_that_of_the_imports():
    drawn = FIGURE.read_text(encoding="utf-8")
    assert drawn == SCRIPT["picture"](), "run python docs/architecture.py"


def test_every_wing_is_in_the_picture_and_on_the_page():
    wings = {path.stem for path in PACKAGE.iterdir()
             if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__"}
    shown = re.findall(r'class="name"[^>]*>([\w/.]+)<', FIGURE.read_text(encoding="utf-8"))
    listed = re.findall(r"^\| `([\w/.]+)` \| [^|]+ \|$", PAGE.partition("## A condition")[0], re.MULTILINE)
    assert sorted(shown) == sorted(listed) == sorted(map(SCRIPT["label"], wings))


@cache
def edges():
    """Between the wings; every file is parsed for them."""
    return SCRIPT["imports"](WINGS)


def test_no_arrow_leads_up():
    rows = SCRIPT["rows"](WINGS, edges())
    at = {wing: number for number, row in enumerate(rows) for wing in row}
    assert [wing for row in rows for wing in row] == WINGS
    assert all(at[wing] < at[other] for wing in WINGS for other in edges()[wing])


def test_arrows_that_follow_from_others_are_left_out():
    edges = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert SCRIPT["reduced"](edges) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def test_boxes_do_not_overlap():
    for row in SCRIPT["placed"](WINGS, edges()):
        ends = [(place.x - place.width / 2, place.x + place.width / 2) for place in row]
        assert ends[0][0] >= 0 and ends[-1][1] <= SCRIPT["WIDTH"]
        assert all(before[1] < after[0] for before, after in pairwise(ends))


@pytest.mark.parametrize("path", PATHS)
def test_what_the_page_names_exists(path):
    """Inside the package, beside it, or in the folder of every condition."""
    here = (PACKAGE / path).exists() or (ROOT / path).exists()
    assert here or all((folder / path).exists() for folder in CONDITIONS)


@pytest.mark.parametrize(("path", "members"), PARTS)
def test_the_members_are_those_of_the_protocol(path, members):
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    known = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert set(re.findall(r"`(\w+)`", members)) <= known


def test_the_page_has_what_is_tested():
    assert len(PATHS) > 40 and len(PARTS) == 4 and len(CONDITIONS) >= 4
