"""A second opinion: results re-evaluated by code that shares nothing with the rest.

Written from docs/theory.md alone, with NumPy and exact integers; it imports nothing else
of this package, so that an error there is not repeated here.
"""

from __future__ import annotations

from wdccheck.checker.coherence import stored_measurements
from wdccheck.checker.definitions import Check, Outcome
from wdccheck.checker.joint import stored_pair
from wdccheck.checker.least import reevaluate_least
from wdccheck.checker.ranges import matrix as stored_matrix
from wdccheck.checker.sparse import SparseRows, stored_sparse
from wdccheck.checker.witness import reevaluate, sha256_of, stored_weights

__all__ = [
    "Check", "Outcome", "SparseRows", "reevaluate", "reevaluate_least", "sha256_of",
    "stored_matrix", "stored_measurements", "stored_pair", "stored_sparse", "stored_weights",
]
