"""`isometry` brackets what measurements do to the lengths of range differences, at least and at most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from wdccheck.conditions.one_sided.definition import LowerIsometry, UpperIsometry
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.defaults import default_engines
from wdccheck.engines.loop import Rng, bracket
from wdccheck.engines.monte_carlo import MonteCarlo
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import InvalidInput
from wdccheck.reports.isometry import Isometry
from wdccheck.running.progress import Event, Progress
from wdccheck.running.run import Engine
from wdccheck.weights.network import ReLUNetwork

__all__ = ["isometry"]

_SAMPLES, _STARTS = 1024, 64  # where proofs find witnesses of their own


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
    network = net if isinstance(net, ReLUNetwork) else ReLUNetwork(net)
    for name, value in (("lower", lower), ("upper", upper)):
        if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise InvalidInput(name, "a positive finite number, or None", repr(value)[:60])
    conditions = LowerIsometry(A, network), UpperIsometry(A, network)
    targets = None if lower is None else _reciprocal(float(lower)), upper
    begun, found = time.monotonic(), []
    for number, (condition, target) in enumerate(zip(conditions, targets, strict=True)):
        proof = BranchAndBound(rtol=gap)
        engines: tuple[Engine, ...] = (Spectral(), MonteCarlo(_SAMPLES), proof)
        if condition.proof is None:
            engines = default_engines(condition, proof, target)
        left = None if time_limit is None else max(
            (time_limit - (time.monotonic() - begun)) / (2 - number), 0.01)
        found.append(bracket(condition, *engines, rng=rng, workers=workers, time_limit=left, target=target,
                             progress=progress))
    return Isometry(*found)


def _reciprocal(lower: float) -> float:
    """The largest float t with 1/t >= lower, nearly: a bound of t proves `lower`."""
    return float(np.nextafter(1 / lower, 0.0))
