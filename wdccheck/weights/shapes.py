"""Whether the shapes of layers chain, and what to say where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wdccheck.errors import InvalidInput

__all__ = ["check_chain"]


def check_chain(layers: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Refuse an empty sequence, and layers whose shapes (n_i, n_{i-1}) do not chain.

    Parameters
    ----------
    layers : sequence of ndarray of shape (n_i, n_{i-1})
    names : sequence of str
        What the layers are called in the message.

    Raises
    ------
    InvalidInput
        Names the first layer that does not fit, and says where a transpose would help.
    """
    if not layers:
        raise InvalidInput("layers", "at least one weight matrix", "none")
    shapes = [W.shape for W in layers]
    at = _first_break(shapes)
    if at is None:
        return
    flipped = [shape[::-1] for shape in shapes]
    single = [i for i in (at, at - 1)
              if _first_break([*shapes[:i], flipped[i], *shapes[i + 1:]]) is None]
    hint = "every layer" if _first_break(flipped) is None else names[single[0]] if single else ""
    raise InvalidInput(
        names[at], f"shape (n_out, {shapes[at - 1][0]}) to follow {names[at - 1]} of shape {shapes[at - 1]}",
        f"shape {shapes[at]}"
        + (f"; {hint}: shape (n_out, n_in) expected; did you mean W.T?" if hint else ""))


def _first_break(shapes: Sequence[tuple[int, ...]]) -> int | None:
    pairs = enumerate(pairwise(shapes), start=1)
    return next((i for i, (before, after) in pairs if after[1] != before[0]), None)
