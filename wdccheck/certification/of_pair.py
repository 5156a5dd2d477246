"""`certify_pair` brackets what blind demodulation asks of two networks ([HJ] Theorem 3)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from wdccheck.certification.of_condition import RowSettings, Shown, check_alpha, gathered
from wdccheck.conditions.joint_wdc.definition import JointWDC
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.engines.loop import Rng
from wdccheck.errors import InvalidInput
from wdccheck.linalg.inputs import alpha_value
from wdccheck.reports.report import Report, Weights
from wdccheck.reports.row import Row
from wdccheck.seeds import seed_of
from wdccheck.weights.network import ReLUNetwork

__all__ = ["certify_pair", "check_pair", "places"]


def certify_pair(
    B_net: ReLUNetwork | Any, C_net: ReLUNetwork | Any, *,
    alpha: float | str | tuple[float | str, float | str] = "best", gap: float | None = None,
    ratio: float | None = None, time_limit: float | None = 180, workers: int = 1, rng: Rng = 0,
    progress: Shown = None, checkpoint: str | os.PathLike[str] | None = None,
) -> Report:
    """Bracket every condition of [HJ] Theorem 3 on a pair of networks.

    Inner layers: WDC(eps, 1). Last layers, of equally many rows l: WDC(eps, alpha1) of that of B,
    WDC(eps, alpha2) of that of C, joint-WDC(eps, alpha1 alpha2) of both. The joint-WDC carries a factor
    l, so that last layers with entries N(0, alpha/l) have the scale alpha in all three statements.

    Parameters
    ----------
    B_net, C_net : ReLUNetwork or what it accepts
        Layers of shape (n_i, n_{i-1}) and (p_i, p_{i-1}).
    alpha : float, "best", or a pair of these
        alpha1 and alpha2 of the last layers; "best" minimizes epsilon/alpha of the WDC of one.
    gap, ratio, time_limit, workers, rng, progress, checkpoint
        As for :func:`~wdccheck.certify`.

    Returns
    -------
    Report

    Raises
    ------
    InvalidInput
        An argument cannot be used, or the last layers have not equally many rows.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> report = wc.certify_pair([np.eye(2)], [np.eye(2)], alpha=1.0, time_limit=5)
    >>> [row.kind for row in report.rows]
    ['WDC', 'WDC', 'joint-WDC']
    """
    nets = {"B": ReLUNetwork.of(B_net), "C": ReLUNetwork.of(C_net)}
    alphas = alpha if isinstance(alpha, tuple | list) else (alpha, alpha)
    if len(alphas) != 2:
        raise InvalidInput("alpha", "one scale, or those of the two last layers", repr(alpha)[:60])
    for one in alphas:
        check_alpha(one)
    check_pair(("B", "C"), *nets.values())
    given = [alpha_value(one) for one in alphas if not isinstance(one, str)]
    product = given[0] * given[1] if len(given) == 2 else 1.0
    if not 0 < product < math.inf:
        raise InvalidInput("alpha", "two scales whose product is a positive finite number", repr(alpha)[:60])
    JointWDC(nets["B"].layers[-1], nets["C"].layers[-1], product)  # refused now rather than after minutes
    settings = RowSettings.of(gap, ratio, time_limit, workers, rng, progress, checkpoint)
    rows, interrupted = gathered(_pair_rows(settings, nets, dict(zip("BC", alphas, strict=True))))
    return Report(rows, {name: Weights.of(net) for name, net in nets.items()},
                  seed_of(settings.seed), interrupted)


def places(networks: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int | None, str], list[int]]]:
    """Kind, layer and network of every row of a complete report, and its shape.

    `networks` holds the `dims` of "B" and "C".
    """
    last = []
    for name in "BC":
        shapes = [[n, k] for k, n in pairwise(networks[name]["dims"])]
        for layer, shape in enumerate(shapes, 1):
            yield ("WDC", layer, name), shape
        last.append(shapes[-1])
    yield ("joint-WDC", None, ""), [*last[0], last[1][1]]


def check_pair(names: tuple[str, str], B_net: ReLUNetwork, C_net: ReLUNetwork) -> None:
    """Refuse two networks, called `names`, whose last layers have not equally many rows.

    Raises
    ------
    InvalidInput
        Both names and shapes are in the message.
    """
    first, second = B_net.layers[-1].shape, C_net.layers[-1].shape
    if first[0] != second[0]:
        raise InvalidInput(f"last layers of {names[0]} and {names[1]}", "the same number of rows",
                           f"shapes {first} and {second}")


def _pair_rows(
    settings: RowSettings, nets: dict[str, ReLUNetwork], alphas: dict[str, float | str]
) -> Iterator[Row]:
    jobs = sum(net.depth for net in nets.values()) + 1
    product = 1.0
    for name, net in nets.items():
        for i, W in enumerate(net.layers, 1):
            inner = i < net.depth
            row = settings.row(WDC(W, layer=i), 1.0 if inner else alphas[name], jobs, of=name)
            jobs -= 1
            if not inner:
                product *= row.scale
            note = "as the theorem asks of inner layers" if inner else row.note
            yield replace(row, scope="pair", note=note)
    last = JointWDC(nets["B"].layers[-1], nets["C"].layers[-1], alpha_value(product))
    yield replace(settings.row(last, product, jobs), scope="pair",
                  note="the product of those of the two last layers")
