"""Networks and the files they come from."""

from __future__ import annotations

from wdccheck.weights.files import read_matrix as read_matrix
from wdccheck.weights.files import read_network as read_network
