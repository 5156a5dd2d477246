"""The one-sided isometry constants of measurements over the range of a network."""

from __future__ import annotations

from wdccheck.conditions.one_sided.definition import LowerIsometry as LowerIsometry
from wdccheck.conditions.one_sided.definition import UpperIsometry as UpperIsometry
