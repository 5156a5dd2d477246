"""The weight distribution condition."""

from __future__ import annotations

from wdccheck.conditions.wdc.definition import WDC as WDC
