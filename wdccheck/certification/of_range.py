"""`isometry` brackets what measurements do to the lengths of range differences, at least and at most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.conditions.one_sided.definition import LowerIsometry, UpperIsometry
from wdccheck.engines.ascent import Ascent
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.loop import Rng, bracket
from wdccheck.engines.monte_carlo import MonteCarlo
from wdccheck.engines.spectral import Spectral
from wdccheck.linalg.inputs import positive
from wdccheck.protocol.condition import Condition, proof_of
from wdccheck.reports.isometry import Isometry
from wdccheck.running.progress import Event, Progress
from wdccheck.running.run import Engine
from wdccheck.weights.network import ReLUNetwork

__all__ = ["isometry"]

_SAMPLES = 1024  # where proofs find witnesses of their own
_NO_TIME = 0.01  # seconds: formulas only


def isometry(
    A: Any, net: ReLUNetwork | Any, *, gap: float = 0.02, time_limit: float | None = 60, workers: int = 1,
    rng: Rng = 0, progress: Progress | Callable[[Event], None] | bool | None = None,
    lower: float | None = None, upper: float | None = None,
) -> Isometry:
    """Bracket the least and the largest ``||A u||^2 / ||u||^2`` over u = G(x1) - G(x2) != 0.

    With the two proved numbers ``lower ||u||^2 <= ||A u||^2 <= upper ||u||^2`` for every two outputs.

    Parameters
    ----------
    A : array_like of shape (m, n), scipy.sparse matrix, or LinearOperator of at most 2**22 entries
    net : ReLUNetwork or what it accepts
        With n outputs.
    gap : float
        The relative gap, of each number, that is small enough.
    time_limit : float or None
        Seconds for both, in equal shares; what one leaves over goes to the other.
    workers : int
        Processes; -1 for every core.
    rng : int, SeedSequence or Generator
        Source of the random numbers.
    progress : bool, callable or Progress, optional
        True: live on stderr.
    lower, upper : float, optional
        Stop once it is decided whether the least ratio is at least, the largest at most, this number.

    Returns
    -------
    Isometry

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> wc.isometry(3 * np.eye(2), wc.ReLUNetwork([np.eye(2)])).upper.proved < 9.2
    True
    """
    network = ReLUNetwork.of(net)
    least, most, limit = (None if value is None else positive(name, value) for name, value in (
        ("lower", lower), ("upper", upper), ("time_limit", time_limit)))
    conditions = LowerIsometry(A, network), UpperIsometry(A, network)
    targets = None if least is None else _reciprocal(least), most
    deadline, found = math.inf if limit is None else time.monotonic() + limit, list[Bracket]()
    for number, (condition, target) in enumerate(zip(conditions, targets, strict=True)):
        if found and found[0].interrupted:
            deadline = -math.inf  # what takes no time
        left = max((deadline - time.monotonic()) / (2 - number), _NO_TIME)
        found.append(bracket(condition, *_engines(condition, BranchAndBound(rtol=gap), target), rng=rng,
                             workers=workers, time_limit=None if math.isinf(left) else left, target=target,
                             progress=progress))
    return Isometry(*found)


def _engines(condition: Condition, proof: BranchAndBound, target: float | None) -> Sequence[Engine]:
    """Few samples before the proof, whose refutations are climbs, and a search where it leaves time."""
    if proof_of(condition) is None:
        return default_engines(condition, proof, target)
    return Spectral(), MonteCarlo(_SAMPLES), proof, Ascent()


def _reciprocal(lower: float) -> float:
    """The largest float t with 1/t >= lower, nearly: a bound of t proves `lower`."""
    return float(np.nextafter(1 / lower, 0.0))
