"""The range restricted isometry condition."""

from __future__ import annotations

from wdccheck.conditions.rric.definition import RRIC as RRIC
