"""`certify` brackets every condition of a network; the rows share one time limit."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck.certification.first_layer import first_layer
from wdccheck.certification.of_condition import RowSettings, Shown, check_alpha, gathered
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.conditions.rric.definition import RRIC
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.engines.loop import Rng
from wdccheck.linalg.inputs import drawn_size
from wdccheck.reports.report import Report, Weights
from wdccheck.reports.row import Row
from wdccheck.seeds import Seed, seed_of
from wdccheck.weights.network import ReLUNetwork

__all__ = ["certify", "drawn_measurements", "places"]


def certify(
    net: ReLUNetwork | Any, measurements: Any = None, *, alpha: float | str = "best",
    gap: float | None = None, ratio: float | None = None, time_limit: float | None = 180,
    workers: int = 1, rng: Rng = 0, progress: Shown = None,
    checkpoint: str | os.PathLike[str] | None = None, isometry: bool = False,
) -> Report:
    """Bracket every condition of a network: WDC and R2WDC of each layer, RRIC of the measurements.

    The R2WDC of layer 1 is its WDC and takes no search of its own; that of a later layer never has a
    larger upper bound than the WDC of the layer at the same alpha (Fact 12).

    Parameters
    ----------
    net : ReLUNetwork or what it accepts
        Layers of shape (n_i, n_{i-1}).
    measurements : array_like of shape (m, n_d), scipy.sparse matrix or LinearOperator, optional
        A. None: one with m = n_d/2 rows, at least 1, and entries N(0, 1/m) is drawn from `rng`.
    alpha : float or "best"
        The scale of every layer; "best" minimizes epsilon/alpha row by row (Fact 4). The RRIC has
        none.
    gap : float, optional
        ``upper - lower`` of epsilon at which a row is closed enough; by default 0.2 % of `upper`.
    ratio : float, optional
        Stop a row once it is decided whether ``epsilon/alpha <= ratio``: its minimum over alpha, or at the
        alpha given; of the RRIC, epsilon itself.
    time_limit : float or None
        Seconds for all rows, in equal shares; what one leaves over goes to the next.
    workers : int
        Processes; -1 for every core.
    rng : int, SeedSequence or Generator
        Source of the random numbers.
    progress : bool, callable or Progress, optional
        True: live on stderr.
    checkpoint : path of a folder, optional
        Holds a file per row, of the bracket at its first alpha; an interrupted call resumes from it, and
        looks for further values of alpha again.
    isometry : bool
        Also bracket the least and the largest ``||A u||^2 / ||u||^2`` (:func:`wdccheck.isometry`); they
        stand in the row of the RRIC, and share its time.

    Returns
    -------
    Report

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> report = wc.certify([np.eye(2), np.eye(2)], alpha=1.0, time_limit=5)
    >>> [row.kind for row in report.rows]
    ['WDC', 'WDC', 'R2WDC', 'R2WDC', 'RRIC']
    >>> all(row.bracket.lower <= 1 <= row.bracket.upper for row in report.rows[:3])
    True
    """
    network = ReLUNetwork.of(net)
    check_alpha(alpha)
    settings = RowSettings.of(gap, ratio, time_limit, workers, rng, progress, checkpoint)
    drawn = measurements is None
    A = drawn_measurements(network, settings.seed) if drawn else measurements
    restricted = [R2WDC(network, i) for i in range(1, network.depth + 1)]
    layers = [condition.whole for condition in restricted]  # neither copied nor hashed again
    measured = RRIC(A, network)
    rows, interrupted = gathered(_network_rows(settings, alpha, layers, restricted, measured, isometry))
    return Report(rows, {"": Weights.of(network)}, seed_of(settings.seed), interrupted,
                  {"shape": list(measured.A.shape), "drawn": drawn})


def places(
    dims: Sequence[int], measured: Sequence[int]
) -> Iterator[tuple[tuple[str, int | None, str], list[int]]]:
    """Kind, layer and network of every row of a complete report, and its shape.

    Parameters
    ----------
    dims : sequence of int
        n_0, ..., n_d.
    measured : sequence of int
        The shape (m, n_d) of A.
    """
    shapes = [[n, k] for k, n in pairwise(dims)]
    for kind in ("WDC", "R2WDC"):
        for layer, shape in enumerate(shapes, 1):
            yield (kind, layer, ""), shape
    m, n = measured
    yield ("RRIC", None, ""), [m, n]


def drawn_measurements(network: ReLUNetwork, rng: Seed) -> np.ndarray:
    """A of shape (m, n), N(0, 1/m), m = max(1, n // 2), that the seed `rng` gives: drawn again by ``verify``.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.certification.of_network import drawn_measurements
    >>> drawn_measurements(wc.ReLUNetwork([np.eye(6)]), 0).shape
    (3, 6)
    """
    outputs = network.dims[-1]
    m = max(1, outputs // 2)
    drawn_size("measurements", m, outputs, "give them: certify(net, A), or --measurements")
    A = np.random.default_rng(rng).standard_normal((m, outputs))
    A /= math.sqrt(m)
    return A


def _network_rows(
    settings: RowSettings, alpha: float | str, layers: list[WDC], restricted: list[R2WDC], measured: RRIC,
    isometry: bool,
) -> Iterator[Row]:
    jobs = 2 * len(layers)  # the R2WDC of layer 1 is none
    found = []
    for layer in layers:
        found.append(settings.row(layer, alpha, jobs))
        jobs -= 1
        yield found[-1]
    yield first_layer(found[0], restricted[0])
    for condition, row in zip(restricted[1:], found[1:], strict=True):
        yield settings.row(condition, alpha, jobs, above=row)
        jobs -= 1
    row = settings.row(measured, alpha, jobs + isometry)
    if isometry and not row.interrupted:
        row = replace(row, isometry=settings.isometry(measured.A.source, measured.net))
    yield row
