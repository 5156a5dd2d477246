"""Assertions for test suites, which pass only on what is proved; hypothesis strategies, if it is there.

Examples
--------
>>> import numpy as np, wdccheck as wc
>>> W = np.random.default_rng(0).standard_normal((60, 2)) / np.sqrt(60)
>>> wc.testing.assert_holds(wc.WDC(W), 0.4).upper <= 0.4
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wdccheck.testing.assertions import assert_holds as assert_holds
from wdccheck.testing.assertions import assert_isometry as assert_isometry
from wdccheck.testing.assertions import assert_violated as assert_violated

if TYPE_CHECKING:
    from wdccheck.testing.strategies import directions as directions
    from wdccheck.testing.strategies import networks as networks
    from wdccheck.testing.strategies import weights as weights

__all__ = ["assert_holds", "assert_isometry", "assert_violated", "directions", "networks", "weights"]


def __getattr__(name: str) -> Any:
    """The strategies, loaded with hypothesis when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("wdccheck.testing.strategies"), name)
