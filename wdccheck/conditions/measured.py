"""Measurements of what a network produces: whether the two fit together."""

from __future__ import annotations

from typing import Any

from wdccheck.errors import InvalidInput
from wdccheck.weights.network import ReLUNetwork

__all__ = ["check_fit", "check_network"]


def check_network(net: Any) -> None:
    """Refuse what is no network."""
    if not isinstance(net, ReLUNetwork):
        raise InvalidInput("net", "a ReLUNetwork", type(net).__name__)


def check_fit(name: str, shape: tuple[int, int], net: ReLUNetwork, turned: str) -> None:
    """Refuse measurements of another number of columns; `turned`: what they may have been meant to be."""
    outputs = net.dims[-1]
    if shape[1] != outputs:
        hint = f"; did you mean {turned}?" if shape[0] == outputs else ""
        raise InvalidInput(name, f"{outputs} columns, one for each output of the network",
                           f"shape {shape}{hint}")
