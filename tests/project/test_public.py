"""The public names, each in a fresh process: lazy imports depend on what came before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wdccheck

TWICE = """
import sys, types
import wdccheck
name = sys.argv[1]
first = getattr(wdccheck, name)
second = getattr(wdccheck, name)
assert first is second
assert name in ("estimates", "plots", "testing") or not isinstance(first, types.ModuleType), first
assert name in dir(wdccheck)
assert name.startswith("__") or first.__doc__, "no docstring"
"""
ALL_TWICE = """
import types
import wdccheck
names = reversed(wdccheck.__all__)
first = {name: getattr(wdccheck, name) for name in names}
assert all(getattr(wdccheck, name) is value for name, value in first.items())
modules = [name for name, value in first.items() if isinstance(value, types.ModuleType)]
assert sorted(modules) == ["estimates", "plots", "testing"], modules
"""
HEAVY = ("click", "cvxpy", "joblib", "matplotlib", "numpy", "scipy", "sklearn", "tqdm")


def fresh(code: str, *arguments: str) -> str:
    """What `code` prints in a new interpreter."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # an interpreter for each
@pytest.mark.parametrize("name", wdccheck.__all__)
def test_a_name_touched_twice_is_the_same_object(name):
    fresh(TWICE, name)


def test_all_names_in_one_process():
    fresh(ALL_TWICE)


def test_star_import():
    namespace: dict[str, object] = {}
    exec("from wdccheck import *", namespace)
    assert set(wdccheck.__all__) <= set(namespace)


def test_dir_holds_the_public_names():
    assert set(wdccheck.__all__) <= set(dir(wdccheck))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'wdccheck' has no attribute 'wcd'"):
        _ = wdccheck.wcd


def test_import_is_light():
    loaded = fresh("import sys, wdccheck; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_python_m_equals_the_command():
    done = subprocess.run([sys.executable, "-m", "wdccheck", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: wdccheck ")
