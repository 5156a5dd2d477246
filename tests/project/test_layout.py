"""What the layout of the package and of its tests promises and import-linter cannot see."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import wdccheck
from wdccheck.kinds import KINDS

PACKAGE = Path(wdccheck.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
LONGER = dict[str, int]()  # files that may have 300 lines or more, and how many
LAZY = {"cloudpickle", "cvxpy", "dask", "distributed", "h5py", "joblib", "matplotlib", "onnx", "sklearn",
        "threadpoolctl", "tqdm"}
KNOWING = ("kinds.py", "__init__.py", "conditions/", "checker/", "certification/",
           "reports/thresholds.py")  # these name kinds of conditions
SILENT = ("engines/", "running/", "ranges/", "geometry/", "cli/", "verification/", "plots/",
          "reports/html.py", "reports/markdown.py", "reports/meaning.py")  # these do not even in texts

TESTS = Path(__file__).parents[1]
TEST_FILES = sorted(path for path in TESTS.rglob("*.py") if path.relative_to(TESTS).parts[0] != "data")
WINGS = {path.parent.name.removeprefix("_") for path in PACKAGE.glob("*/__init__.py")}


def _of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _lines(path: Path, faulty: Callable[[ast.AST], bool]) -> list[str]:
    """Where the nodes stand that are `faulty`."""
    return [f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}" for node in ast.walk(_tree(path))
            if faulty(node)]


def _imports(nodes: list[ast.AST]) -> set[str]:
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in found}


def test_files_are_short():
    lines = {_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {file: n for file, n in lines.items() if n >= LONGER.get(file, 300)}


def test_modules_say_what_they_are():
    assert not [_of(path) for path in FILES if not ast.get_docstring(_tree(path))]


def test_the_library_does_not_print():
    """Commands have click, progress has a stream."""
    def prints(node: ast.AST) -> bool:
        return (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
                and not any(keyword.arg == "file" for keyword in node.keywords))

    assert not [line for path in FILES if path.parent.name != "data" for line in _lines(path, prints)]


def test_heavy_libraries_are_imported_inside_functions():
    found = {_of(path): _imports(_tree(path).body) & LAZY for path in FILES}
    assert not {file: heavy for file, heavy in found.items() if heavy}


def test_joblib_is_imported_in_one_place():
    importing = [_of(path) for path in FILES if "joblib" in _imports(list(ast.walk(_tree(path))))]
    assert importing == ["running/parallel.py"]


def test_no_module_bears_the_name_of_a_public_name():
    """After ``import wdccheck.x`` the attribute ``x`` of the package is the module."""
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in FILES}
    assert modules & set(wdccheck.__all__) == {"estimates", "plots", "testing"}


def test_few_files_lie_in_the_root():
    assert len(list(PACKAGE.glob("*.py"))) <= 10


def test_nothing_inside_imports_the_root():
    """It would be a circle: the names of the root come from inside."""
    modules = {one.stem for one in PACKAGE.iterdir() if one.suffix == ".py" or (one / "__init__.py").exists()}

    def imports_the_root(node: ast.AST) -> bool:
        if isinstance(node, ast.Import):
            return any(alias.name.split(".")[0] == "wdccheck" for alias in node.names)
        return isinstance(node, ast.ImportFrom) and bool(node.level or (
            node.module == "wdccheck" and {alias.name for alias in node.names} - modules))

    assert not [line for path in FILES for line in _lines(path, imports_the_root)]


# -- names of kinds of conditions ------------------------------------------------------------------------


@cache
def _spellings() -> set[str]:
    """Of results, of commands, of classes."""
    classes = {name for name in wdccheck.__all__ if any(
        name.lower() == kind.slug.replace("-", "") for kind in KINDS)}
    return classes | {name for kind in KINDS for name in (kind.name, kind.slug, kind.slug.replace("-", "_"))}


def _names(tree: ast.Module, prose: bool) -> set[tuple[int, str]]:
    """Identifiers, parts of imports and string constants that are one word, with their lines.

    With `prose`, every word of the others, too. Docstrings do not count.
    """
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = set()
    for node in ast.walk(tree):
        names = [getattr(node, key, None) for key in ("id", "attr", "name", "asname", "arg")]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            names = [node.value]
            if prose:
                names += [*re.findall(r"[\w-]+", node.value), *re.findall(r"\w+", node.value)]
        elif isinstance(node, ast.ImportFrom):
            names = list((node.module or "").split("."))
        elif isinstance(node, ast.alias):
            names += node.name.split(".")
        found |= {(getattr(node, "lineno", 0), name) for name in names if isinstance(name, str)}
    return {(line, name) for line, name in found if name in _spellings()}


def test_kinds_of_conditions_are_named_where_they_are_known():
    """Elsewhere the table of kinds says what there is to say."""
    named = [f"{name} on line {line} of {_of(path)}" for path in FILES if not _of(path).startswith(KNOWING)
             for line, name in sorted(_names(_tree(path), prose=_of(path).startswith(SILENT)))]
    assert not named


def test_names_of_kinds_are_found_in_every_spelling():
    known = {"WDC", "wdc", "R2WDC", "r2wdc", "RRIC", "rric",
             "joint-WDC", "joint-wdc", "joint_wdc", "JointWDC"}
    isometry = {f"{side}{sign}isometry" for side in ("lower", "upper") for sign in "-_"}
    others = {"coherence", "Coherence", "LowerIsometry", "UpperIsometry"} | isometry
    assert known | others == _spellings()
    tree = ast.parse("""def f():
    'RRIC'
import a.rric, b as wdc
x.WDC(R2WDC, f'r2wdc-{y} of JointWDC')
g('a joint-WDC', joint_wdc='joint-wdc')""")
    assert {name for _, name in _names(tree, prose=True)} == known - {"RRIC"}
    outside = {"RRIC", "r2wdc", "JointWDC", "joint-WDC"}
    assert {name for _, name in _names(tree, prose=False)} == known - outside


# -- the tests -------------------------------------------------------------------------------------------


def test_no_test_imports_another():
    """What several need lies in examples/."""
    def imports_a_test(node: ast.AST) -> bool:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        parts = [part for name in names for part in name.split(".")]
        return any(part in {"tests", "conftest"} or part.startswith("test_") for part in parts)

    assert not [line for path in TEST_FILES for line in _lines(path, imports_a_test)]


def test_every_test_is_in_the_folder_of_a_wing():
    def in_its_place(path: Path) -> bool:
        folder, name = path.parent.relative_to(TESTS).as_posix(), path.name
        if folder == ".":
            return name == "conftest.py"
        if folder == "examples":
            return not name.startswith("test_")
        return folder in WINGS | {"soundness", "project"} and name.startswith("test_")

    assert not [path for path in TEST_FILES if not in_its_place(path)]
