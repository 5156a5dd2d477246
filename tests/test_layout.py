"""What the layout promises and import-linter cannot see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wdccheck

PACKAGE = Path(wdccheck.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
LONGER = dict[str, int]()  # files that may have 300 lines or more, and how many
PRINTING = {"main.py", "progress.py"}  # and everything in data/
LAZY = {"cloudpickle", "cvxpy", "dask", "distributed", "h5py", "joblib", "matplotlib", "onnx", "sklearn",
        "threadpoolctl", "tqdm"}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(nodes: list[ast.AST]) -> set[str]:
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in found}


@every_file
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < LONGER.get(str(path.relative_to(PACKAGE)), 300)


@every_file
def test_modules_say_what_they_are(path):
    assert ast.get_docstring(_tree(path))


@every_file
def test_the_library_does_not_print(path):
    if path.name in PRINTING or path.parent.name == "data":
        return
    calls = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]
    printing = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not printing, f"print on lines {printing}"


@every_file
def test_heavy_libraries_are_imported_inside_functions(path):
    assert not _imports(_tree(path).body) & LAZY


@every_file
def test_joblib_is_imported_in_one_place(path):
    assert path.name == "parallel.py" or "joblib" not in _imports(list(ast.walk(_tree(path))))


def test_no_module_bears_the_name_of_a_public_name():
    """After ``import wdccheck.x`` the attribute ``x`` of the package is the module."""
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in FILES}
    assert modules & set(wdccheck.__all__) == {"estimates", "plots", "testing"}
