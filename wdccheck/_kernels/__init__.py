"""The hot loops behind one seam: NumPy versions, and compiled ones where they could be built.

The environment variable WDCCHECK_KERNEL, ``reference`` or ``compiled``, chooses; without it, compiled
ones are taken if there are any.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from wdccheck._kernels import plain_bisection, plain_copositive, reference
from wdccheck._kernels.problem import CLOSE, CROWD, MOST, Problem, Progress
from wdccheck._kernels.ray_blocks import Block, Outcome
from wdccheck._kernels.reference import (
    cholesky_succeeds,
    expected_triangle,
    outer_products,
    radius,
    semidefinite,
    symmetric,
)

__all__ = [
    "CLOSE", "CROWD", "MOST", "Block", "Outcome", "Problem", "Progress", "best_on_circles", "best_waves",
    "cholesky_succeeds", "chosen", "expected_triangle", "extremes", "gram", "kernel", "outer_products",
    "prove", "prove_pairs", "radius", "reason", "search_matrices", "semidefinite", "symmetric", "tabulated",
]

_NAMES = ("proof", "circles", "pairs", "grams", "copositive")
_ABI = 3
"""The version of compiled modules that these files go with: an editable install may keep older ones."""

Arrays = tuple[np.ndarray, np.ndarray]
Function = TypeVar("Function", bound=Callable[..., Any])
Prove = Callable[[Problem, np.ndarray, np.ndarray, int, int], Progress]
BestOnCircles = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Arrays]
Extremes = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], Arrays]
ProvePairs = Callable[[Block, Block, np.ndarray, float, int, int, float, bool], Outcome]
SearchMatrices = Callable[[np.ndarray, np.ndarray, int, float], np.ndarray]
Gram = Callable[[np.ndarray, np.ndarray | None, np.ndarray], np.ndarray]


def _compiled() -> tuple[list[ModuleType], str]:
    """The compiled modules and "", or none and the reason why not."""
    wanted = os.environ.get("WDCCHECK_KERNEL", "")
    if wanted not in ("", "reference", "compiled"):
        raise ImportError(f"WDCCHECK_KERNEL: reference or compiled required, {wanted[:60]!r} found")
    if wanted == "reference":
        return [], "WDCCHECK_KERNEL asks for it"
    try:
        modules = [import_module(f"wdccheck._kernels.{name}") for name in _NAMES]
        for module in modules:
            if module.ABI != _ABI:
                raise ImportError(f"the compiled kernels are of another version: {module.ABI}, not {_ABI}")
    except ImportError as error:
        if wanted == "compiled":
            raise
        return [], str(error)
    return modules, ""


_modules, reason = _compiled()
prove: Prove | None = None
best_on_circles: BestOnCircles | None = None
best_waves: BestOnCircles | None = None
extremes: Extremes | None = None
gram: Gram = reference.gram
prove_pairs: ProvePairs = plain_copositive.prove
search_matrices: SearchMatrices = plain_bisection.search
if _modules:
    _proof, _circles, _pairs, _grams, _copositive = _modules
    prove, extremes, gram = _proof.prove, _pairs.extremes, _grams.gram
    best_on_circles, best_waves = _circles.best_on_circles, _circles.best_waves
    prove_pairs, search_matrices = _copositive.prove, _copositive.search


def tabulated(rows: np.ndarray) -> np.ndarray | None:
    """:func:`outer_products` of rows (n, k), where :func:`gram` is faster with them; else None."""
    small = isinstance(rows, np.ndarray) and rows.size * rows.shape[1] <= _TABLE
    return outer_products(rows) if small and extremes is None else None


_TABLE = 2**23  # entries


def chosen(name: str, plain: Function) -> Function:
    """The compiled function of that name, where there is one.

    `plain` takes the same arguments and defines what it computes; it stands where its mathematics is, and
    no caller needs to know which of the two it got.
    """
    compiled = globals()[name]
    return plain if compiled is None else compiled


def kernel() -> str:
    """Name of the active kernels, ``compiled`` or ``reference``.

    Examples
    --------
    >>> import wdccheck as wc
    >>> wc.kernel() in ("compiled", "reference")
    True
    """
    return "reference" if prove is None else "compiled"
