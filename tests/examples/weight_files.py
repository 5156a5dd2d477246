"""Weight files: where they lie, and what it means that one is refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from wdccheck.errors import InvalidInput
from wdccheck.weights.files import read_network

DATA = Path(__file__).parents[1] / "data" / "weights"
LARGE = 2**24  # bytes: a thousand times what any of these files holds


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(path, *fragments):
    """The file is refused in one line that names it and has all fragments."""
    with pytest.raises(InvalidInput) as caught:
        read_network(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600 + 2 * len(str(path))
    for fragment in (str(path), *fragments):
        assert fragment in message


def read_or_refused(path):
    """Finite layers or one line, and no more memory than that takes."""
    tracemalloc.start()
    try:
        net = read_network(path, lift_bias=True, fold_batchnorm=True, last_activation="ignore")
    except InvalidInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert all(np.isfinite(W).all() for W in net.layers)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < LARGE
