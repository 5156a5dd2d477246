"""The range restricted weight distribution condition."""

from __future__ import annotations

from wdccheck.conditions.r2wdc.definition import R2WDC as R2WDC
