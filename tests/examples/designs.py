"""The design of a small sweep."""

from __future__ import annotations

DESIGN = {"distribution": "gaussian", "k": 2, "n": [6, 12], "expansion": None, "depth": 1, "hidden": None,
          "m": None, "l": None, "alpha": 1.0, "repeat": 1}
