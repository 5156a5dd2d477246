"""The coherence of measurements over the range of a network."""

from __future__ import annotations

from wdccheck.conditions.coherence.definition import Coherence as Coherence
