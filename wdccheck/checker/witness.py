"""The deviation at a stored witness, recomputed from the definitions (docs/theory.md, section 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck.checker import definitions, ranges
from wdccheck.checker.coherence import reevaluate_coherence
from wdccheck.checker.definitions import Check, Outcome, letter_of, open_rows
from wdccheck.checker.exact import compared, expectation, integers, products, without_witness
from wdccheck.checker.intervals import Interval
from wdccheck.checker.joint import reevaluate_joint
from wdccheck.checker.norms import Form
from wdccheck.checker.sparse import SparseRows, stored_sparse

__all__ = ["active", "form_of", "reevaluate", "sha256_of", "stored_weights"]

_LARGEST = 2**26  # entries of a dense matrix made of a sparse layer
_MEASURED = {"RRIC": ("x1", "x2", "x3", "x4"), "lower-isometry": ("x1", "x2"), "upper-isometry": ("x1", "x2")}


def sha256_of(W: np.ndarray) -> str:
    """sha256 of the shape (n, k) and the little-endian float64 entries of W, hexadecimal."""
    return ranges.hash_of([W])


def stored_weights(certificate: Mapping[str, Any]) -> np.ndarray | None:
    """The matrix (n, k) that a result carries; None if it carries none or a malformed one."""
    return ranges.matrix(certificate["condition"].get("weights"))


def reevaluate(certificate: Mapping[str, Any], weights: np.ndarray | None = None) -> Check:
    """Whether the deviation at the stored witness is at least the stored lower bound.

    Gates, images of codes, differences and products are exact; roots, the angle and pi are enclosed
    between rational numbers; of a matrix, the quotient ``|u^T (A - alpha Q) u| / |u|^2`` is enclosed for a
    vector u that is nearly the best.

    Parameters
    ----------
    certificate : mapping
        A result as its JSON file holds it.
    weights : ndarray of shape (n, k), optional
        The layer; by default the one that the file carries.

    Returns
    -------
    Check
        Proved if the deviation is at least the recorded number, refuted if it is less, or if the file
        contradicts itself. `value` is a float that the deviation is not below: an upper bound below it is
        refuted, too.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.checker import reevaluate
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> reevaluate(result.to_dict()).outcome
    <Outcome.PROVED: 'proved'>
    """
    what = "lower bound"
    condition = certificate["condition"]
    if condition["kind"] == "joint-WDC":
        return reevaluate_joint(certificate)
    if condition["kind"] == "coherence":
        return reevaluate_coherence(certificate)
    if condition["kind"] in ("R2WDC", *_MEASURED):
        return _restricted(certificate)
    if condition["kind"] != "WDC":
        return Check(what, Outcome.NOT_PROVED, f"no checker for the condition {condition['kind']!r}")
    W = stored_weights(certificate) if weights is None else np.asarray(weights, dtype=np.float64)
    sparse = stored_sparse(certificate) if W is None else None
    found = W if sparse is None else sparse
    if found is None:
        return Check(what, Outcome.NOT_PROVED, "the file does not carry the weights and none were given")
    own = found.sha256() if isinstance(found, SparseRows) else sha256_of(found)
    if len(found.shape) != 2 or own != condition["sha256"]:
        return Check(what, Outcome.REFUTED, "the sha256 of the weights is not the one recorded")
    if list(condition["shape"]) != list(found.shape):
        return Check(what, Outcome.REFUTED, f"the weights have shape {found.shape}, not the one recorded")
    lower = float(certificate["lower"])
    if certificate["witness"] is None:
        return without_witness(what, lower)
    r, s = (letter_of(certificate["witness"], letter, found.shape[1]) for letter in "rs")
    if r is None or s is None:
        return Check(what, Outcome.REFUTED,
                     f"the witness is not two nonzero directions of dimension {found.shape[1]}")
    V = active(found, r, s)
    if V is None:
        return Check(what, Outcome.NOT_PROVED,
                     f"a layer of this size, {found.shape[0]} x {found.shape[1]}, is not checked")
    return compared(what, form_of(V, r, s, float(condition["alpha"])).norm(), lower)


def _restricted(certificate: Mapping[str, Any]) -> Check:
    """The check of a result over a range, with the network that it carries, and A where it has one."""
    what, condition, witness = "lower bound", certificate["condition"], certificate["witness"]
    network = [ranges.matrix(entry) for entry in condition.get("network") or ()]
    measured = condition["kind"] in _MEASURED
    A = ranges.matrix(condition.get("measurements")) if measured else None
    found = [W for W in ([A, *network] if measured else network) if W is not None]
    if not network or len(found) != len(network) + measured:
        return Check(what, Outcome.NOT_PROVED, "the file does not carry the weights")
    chain = [*found[1:], found[0]] if measured else found
    chained = all(W.shape[1] == len(before) for before, W in pairwise(chain))
    if not chained or ranges.hash_of(found) != condition["sha256"]:
        return Check(what, Outcome.REFUTED, "the sha256 of the weights is not the one recorded")
    last, layer = (found[0], None) if measured else (found[-1], len(network))
    if list(condition["shape"]) != list(last.shape) or condition.get("layer") != layer:
        return Check(what, Outcome.REFUTED, "the recorded shape or layer is not that of the weights")
    lower = float(certificate["lower"])
    if witness is None:
        return without_witness(what, lower)
    layers = found[1:] if measured else found
    k = layers[0].shape[1]
    names = _MEASURED.get(condition["kind"], (*"xy", *_MEASURED["RRIC"]))
    letters = {name: letter_of(witness, name, k, zero=True) for name in names}
    given = {name: value for name, value in letters.items() if value is not None}
    if len(given) < len(names):
        return Check(what, Outcome.REFUTED, f"the witness is not {len(names)} codes of dimension {k}")
    return compared(what, ranges.restricted(condition, given, layers, A), lower)


def active(W: np.ndarray | SparseRows, r: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    """The rows of W that are open at r and at s; None if they would not fit."""
    if isinstance(W, np.ndarray):
        return W[np.array(open_rows(W, r)) & np.array(open_rows(W, s))]
    chosen = np.flatnonzero(W.open_rows(r) & W.open_rows(s))
    return W.dense(chosen) if max(len(chosen), W.shape[1]) * W.shape[1] <= _LARGEST else None


def form_of(V: np.ndarray, r: np.ndarray, s: np.ndarray, alpha: float) -> Form:
    """``V^T V - alpha Q_{r,s}`` for the active rows V, at any scale."""
    # With V = 2^e V' and alpha = 4^e alpha' nothing overflows, whatever the units of W.
    rows = math.frexp(float(np.abs(V).max()))[1] if V.any() else -5000
    e = max(rows, (math.frexp(alpha)[1] + 1) // 2)
    scaled, scale = np.ldexp(V, -e), math.ldexp(alpha, -2 * e)
    A, Q = scaled.T @ scaled, expectation(integers(r), integers(s))

    def gram(u: np.ndarray) -> Interval:
        return Interval.of(sum((product * product for (product,) in products(V, (u,))), Fraction(0)))

    return Form(A - scale * definitions.expectation(r, s), float(np.trace(A)) + scale, len(V), 2 * e, alpha,
                gram, lambda u: Q(u, u))
