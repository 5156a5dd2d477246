"""Which engines run where none is named: a sequence fit for the condition and its size."""

from __future__ import annotations

import math

from wdccheck.engines.ascent import Ascent
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.monte_carlo import MonteCarlo
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import OutOfTime
from wdccheck.protocol.condition import Condition, climbs, dominating, proof_of, theorems_of
from wdccheck.protocol.proof import BoxProof, WholeProof
from wdccheck.running.run import Engine

__all__ = ["default_engines"]

_NUMBERS = 2**19  # drawn by default: fewer samples in more than 128 dimensions, where they take seconds


def default_engines(
    condition: Condition, proof: BranchAndBound | None = None, target: float | None = None,
    limited: bool = False,
) -> tuple[Engine, ...]:
    """Closed formulas, sampling, ascent, and branch and bound, as far as the condition has what they ask for.

    With a target, a short branch and bound comes before the ascent: proving a bound that is
    not tight takes less than looking for the maximum. `proof` replaces the last engine. In a `limited` time
    the ascent goes on where the proof leaves some.
    """
    samples = max(64, min(MonteCarlo().samples, _NUMBERS // sum(condition.spheres.values())))
    formulas: tuple[Engine, ...] = () if theorems_of(condition) is None else (Spectral(),)
    first: tuple[Engine, ...] = (*formulas, MonteCarlo(samples=samples))
    climb: tuple[Engine, ...] = (Ascent(),) if climbs(condition) else ()
    if not any(map(_provable, (condition, *dominating(condition)))):
        return (*first, *climb)
    early = () if target is None else (BranchAndBound(nodes=300_000),)
    later = climb if limited else ()
    return (*first, *early, *climb, BranchAndBound() if proof is None else proof, *later)


def _provable(condition: Condition) -> bool:
    """Whether there is a proof region by region, or for all at once, or may be once cones are enumerated."""
    proof = proof_of(condition)
    try:
        if isinstance(proof, BoxProof) or (proof is not None and proof.groups(-math.inf) is not None):
            return True
        return isinstance(proof, WholeProof) and proof.whole(-math.inf) is not None
    except OutOfTime:
        return True
