"""The hot loops behind one seam: NumPy versions, and compiled ones where they could be built.

The environment variable WDCCHECK_KERNEL, ``reference`` or ``compiled``, chooses; without it, compiled
ones are taken if there are any.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import numpy as np

from wdccheck._kernels.problem import MOST, Problem, Progress
from wdccheck._kernels.reference import (
    cholesky_succeeds,
    expected_triangle,
    gram,
    outer_products,
    radius,
    semidefinite,
    symmetric,
)

__all__ = [
    "MOST", "Problem", "Progress", "best_on_circles", "cholesky_succeeds", "expected_triangle", "gram",
    "kernel", "outer_products", "prove", "radius", "reason", "semidefinite", "symmetric",
]

_ABI = 2
"""Of the compiled modules that these files go with: an editable install may keep older ones."""

Prove = Callable[[Problem, np.ndarray, np.ndarray, int, int], Progress]
BestOnCircles = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _compiled() -> tuple[Prove | None, BestOnCircles | None, str]:
    """The compiled functions and "", or None and the reason why not."""
    wanted = os.environ.get("WDCCHECK_KERNEL", "")
    if wanted not in ("", "reference", "compiled"):
        raise ImportError(f"WDCCHECK_KERNEL: reference or compiled required, {wanted[:60]!r} found")
    if wanted == "reference":
        return None, None, "WDCCHECK_KERNEL asks for it"
    try:
        proof, circles = (_module(name) for name in ("proof", "circles"))
    except ImportError as error:
        if wanted == "compiled":
            raise
        return None, None, str(error)
    return proof.prove, circles.best_on_circles, ""


def _module(name: str) -> ModuleType:
    module = import_module(f"wdccheck._kernels.{name}")
    if module.ABI != _ABI:
        raise ImportError(f"the compiled kernels are of another version: {module.ABI}, not {_ABI}")
    return module


prove, best_on_circles, reason = _compiled()


def kernel() -> str:
    """Name of the active kernels, ``compiled`` or ``reference``.

    Examples
    --------
    >>> import wdccheck as wc
    >>> wc.kernel() in ("compiled", "reference")
    True
    """
    return "reference" if prove is None else "compiled"
