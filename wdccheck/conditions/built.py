"""A condition of a kind, from plain data: the one place that knows which class a kind is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wdccheck.conditions.coherence.definition import Coherence
from wdccheck.conditions.joint_wdc.definition import JointWDC
from wdccheck.conditions.one_sided.definition import LowerIsometry, UpperIsometry
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.conditions.rric.definition import RRIC
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.errors import InvalidInput
from wdccheck.protocol.condition import Condition
from wdccheck.weights.network import ReLUNetwork

__all__ = ["build"]


def build(
    name: str, matrices: Sequence[Any], *, alpha: float = 1.0, measurements: Any = None,
    layer: int | None = None,
) -> Condition:
    """The condition of the kind `name` (:mod:`wdccheck.kinds`).

    Parameters
    ----------
    name : str
        As results have it.
    matrices : sequence of matrices of shape (n_i, n_{i-1})
        The one layer, the two of a pair, or the layers of the network, up to the one that it is about.
    alpha : float
        Ignored where the kind has no scale.
    measurements : array_like of shape (m, n), scipy.sparse matrix or LinearOperator, optional
        Of the outputs of the network.
    layer : int, optional
        Which layer of a network a lone one is; without it advice on its shape is given.

    Raises
    ------
    InvalidInput
        There is no such kind, or its data cannot be used.
    """
    match name:
        case "WDC":
            return WDC(matrices[0], alpha, layer)
        case "R2WDC":
            return R2WDC(ReLUNetwork(tuple(matrices)), len(matrices), alpha)
        case "RRIC":
            return RRIC(measurements, ReLUNetwork(tuple(matrices)))
        case "coherence":
            return Coherence(measurements, ReLUNetwork(tuple(matrices)))
        case "lower-isometry":
            return LowerIsometry(measurements, ReLUNetwork(tuple(matrices)))
        case "upper-isometry":
            return UpperIsometry(measurements, ReLUNetwork(tuple(matrices)))
        case "joint-WDC":
            return JointWDC(matrices[0], matrices[1], alpha)
    raise InvalidInput("kind", "the name of a condition", repr(name)[:60])
