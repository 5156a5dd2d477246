"""The notebooks: what is committed comes from the sources, and the sources run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))
every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def _cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def _ran(notebook, source):
    """From top to bottom, without an error or a warning, with every figure."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [x for x in outputs if x.output_type == "error" or x.get("name") == "stderr"]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    text = source.read_text(encoding="utf-8")
    assert len(figures) == text.count("plt.show()") + text.count("ax = wc.plots.") > 0


@every_notebook
def test_the_committed_notebook_is_that_of_its_source(source):
    committed = source.with_suffix(".ipynb")
    notebook = nbformat.read(committed, as_version=4)
    assert _cells(notebook) == _cells(jupytext.read(source)), "make notebooks"
    assert committed.stat().st_size < 300_000
    _ran(notebook, source)


@pytest.mark.slow
@every_notebook
def test_the_source_runs_in_the_fast_setting(source, tmp_path):
    command = [sys.executable, str(NOTEBOOKS / "execute.py"), source.name, "--out", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "WDCCHECK_FAST": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _ran(nbformat.read(tmp_path / source.with_suffix(".ipynb").name, as_version=4), source)
