"""The seed of a call as a result keeps it: an integer, or the whole sequence where that says more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from wdccheck.errors import InvalidInput

__all__ = ["Seed", "decode_seed", "encode_seed", "seed_of", "seed_text"]

Seed = int | np.random.SeedSequence
"""What gives the random numbers of a call again, as its `rng`."""


def seed_of(sequence: np.random.SeedSequence) -> Seed:
    """Its entropy alone where there is no more to it.

    Raises
    ------
    InvalidInput
        It is not made of integers.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.seeds import seed_of
    >>> seed_of(np.random.SeedSequence(7))
    7
    """
    entropy: Any = sequence.entropy
    try:
        whole = int(entropy) if isinstance(entropy, int | np.integer) else [int(part) for part in entropy]
        key = tuple(int(part) for part in sequence.spawn_key)
    except (TypeError, ValueError):
        raise InvalidInput("rng", "a SeedSequence of integers", repr(entropy)[:60]) from None
    return whole if isinstance(whole, int) and not key else np.random.SeedSequence(whole, spawn_key=key)


def seed_text(seed: Seed) -> str:
    """As it is written in Python.

    Examples
    --------
    >>> import numpy as np
    >>> from wdccheck.seeds import seed_text
    >>> seed_text(7), seed_text(np.random.SeedSequence([7, 8], spawn_key=(1,)))
    ('7', 'SeedSequence([7, 8], spawn_key=(1,))')
    """
    if isinstance(seed, int):
        return str(seed)
    key = f", spawn_key={seed.spawn_key}" if seed.spawn_key else ""
    return f"SeedSequence({seed.entropy}{key})"


def encode_seed(seed: Seed) -> str | dict[str, Any]:
    """As JSON data: strings of digits, as readers of JSON differ on large integers."""
    if isinstance(seed, int):
        return str(seed)
    entropy: Any = seed.entropy
    return {"entropy": str(entropy) if isinstance(entropy, int) else [str(part) for part in entropy],
            "spawn_key": [str(part) for part in seed.spawn_key]}


def decode_seed(data: str | Mapping[str, Any]) -> Seed:
    """Inverse of :func:`encode_seed`, of data whose form has been checked."""
    if isinstance(data, str):
        whole = json.loads(data)
        return whole if isinstance(whole, int) else np.random.SeedSequence(whole)  # a list: schema 1
    entropy = data["entropy"]
    parts = int(entropy) if isinstance(entropy, str) else [int(part) for part in entropy]
    return np.random.SeedSequence(parts, spawn_key=tuple(int(part) for part in data["spawn_key"]))
