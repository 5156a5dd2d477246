"""Execute the notebooks: ``python notebooks/execute.py [--out DIR] [NAME ...]``.

Each source NN_name.py (jupytext, py:percent) becomes NN_name.ipynb with outputs, beside it or in DIR.
WDCCHECK_FAST=1 in the environment makes budgets small; the committed outputs are those without it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("[0-9]*.py"))
LIMIT = 600  # seconds of a cell


def execute(source: Path, target: Path) -> None:
    """Run a source where it lies, and write the notebook; nothing of the run but outputs is kept."""
    notebook = jupytext.read(source)
    client = NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", record_timing=False,
                            coalesce_streams=True,  # one output per cell, however the prints arrive
                            extra_arguments=["--IPKernelApp.log_level=ERROR"],
                            resources={"metadata": {"path": str(HERE)}})
    client.execute()
    notebook.metadata.pop("language_info", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same on every run
    nbformat.write(notebook, target)


def main() -> None:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description="Execute the notebooks.")
    parser.add_argument("names", nargs="*", help="such as 01; none: all of them")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .ipynb files")
    options = parser.parse_args()
    for source in SOURCES:
        if not options.names or any(source.name.startswith(name) for name in options.names):
            started, target = time.monotonic(), options.out / source.with_suffix(".ipynb").name
            execute(source, target)
            print(f"{target}: {time.monotonic() - started:.0f} s, {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
