"""The joint weight distribution condition."""

from __future__ import annotations

from wdccheck.conditions.joint_wdc.definition import JointWDC as JointWDC
