"""The deviation at a stored witness, recomputed from the definitions (docs/theory.md, section 1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from wdccheck.checker import ranges
from wdccheck.checker.definitions import RELATIVE, SLACK, Check, expectation, letter_of, open_rows, scaled_up
from wdccheck.checker.sparse import SparseRows, stored_sparse

__all__ = [
    "reevaluate", "sha256_of", "stored_weights", ]


_LARGEST = 2**26  # entries of a dense matrix made of a sparse layer



def sha256_of(W: np.ndarray) -> str:
    """sha256 of the shape (n, k) and the little-endian float64 entries of W, hexadecimal."""
    shape = "(" + ", ".join(str(n) for n in W.shape) + ")"
    return hashlib.sha256(shape.encode("ascii") + W.astype("<f8").tobytes(order="C")).hexdigest()


def stored_weights(certificate: Mapping[str, Any]) -> np.ndarray | None:
    """The matrix (n, k) that a result carries; None if it carries none or a malformed one."""
    stored = certificate["condition"].get("weights")
    try:
        n, k = (int(size) for size in stored["shape"])
        data = base64.b64decode(stored["data"], validate=True)
        return np.frombuffer(data, dtype="<f8").reshape(n, k).astype(np.float64)
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError, binascii.Error):
        return None


def reevaluate(certificate: Mapping[str, Any], weights: np.ndarray | None = None) -> Check:
    """Whether the deviation at the stored witness is the stored lower bound.

    Parameters
    ----------
    certificate : mapping
        A result as its JSON file holds it.
    weights : ndarray of shape (n, k), optional
        The layer; by default the one that the file carries.

    Returns
    -------
    Check
        Passed if ``lower <= value <= lower (1 + 1e-9)``, where both comparisons forgive
        ``1e-12 (trace(A) + alpha)``, this function's own rounding; that is also what a
        witness of ``lower = 0`` is held to. `value` is the deviation.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.checker import reevaluate
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> reevaluate(result.to_dict()).passed
    True
    """
    what = "lower bound"
    condition = certificate["condition"]
    if condition["kind"] == "joint-WDC":
        from wdccheck.checker.joint import reevaluate_joint

        return reevaluate_joint(certificate)
    if condition["kind"] == "coherence":
        from wdccheck.checker.coherence import reevaluate_coherence

        return reevaluate_coherence(certificate)
    if condition["kind"] in ("R2WDC", "RRIC"):
        return _restricted(certificate)
    if condition["kind"] != "WDC":
        return Check(what, None, f"no checker for the condition {condition['kind']!r}")
    W = stored_weights(certificate) if weights is None else np.asarray(weights, dtype=np.float64)
    sparse = stored_sparse(certificate) if W is None else None
    found = W if sparse is None else sparse
    if found is None:
        return Check(what, None, "the file does not carry the weights and none were given")
    own = found.sha256() if isinstance(found, SparseRows) else sha256_of(found)
    if len(found.shape) != 2 or own != condition["sha256"]:
        return Check(what, False, "the sha256 of the weights is not the one recorded")
    if list(condition["shape"]) != list(found.shape):
        return Check(what, False, f"the weights have shape {found.shape}, not the one recorded")
    lower = float(certificate["lower"])
    if certificate["witness"] is None:
        return Check(what, lower == 0, "no witness" + ("" if lower == 0 else ", yet lower > 0"), None)
    r, s = (letter_of(certificate["witness"], letter, found.shape[1]) for letter in "rs")
    if r is None or s is None:
        return Check(what, False, f"the witness is not two nonzero directions of dimension {found.shape[1]}")
    V = _active(found, r, s)
    if V is None:
        return Check(what, None, f"a layer of this size, {found.shape[0]} x {found.shape[1]}, is not checked")
    value, scale = _deviation(V, r, s, float(condition["alpha"]))
    slack = SLACK * scale
    passed = lower - slack <= value <= lower * (1 + RELATIVE) + slack
    return Check(what, bool(passed), f"deviation at the witness {value!r}, recorded {lower!r}", value)


def _restricted(certificate: Mapping[str, Any]) -> Check:
    """The check of a result of R2WDC or RRIC, with the network that it carries."""
    what, condition, witness = "lower bound", certificate["condition"], certificate["witness"]
    network = [ranges.matrix(entry) for entry in condition.get("network") or ()]
    A = ranges.matrix(condition.get("measurements"))
    found = [W for W in ([A, *network] if condition["kind"] == "RRIC" else network) if W is not None]
    if not network or len(found) != len(network) + (condition["kind"] == "RRIC"):
        return Check(what, None, "the file does not carry the weights")
    chain = [*found[1:], found[0]] if A is not None else found
    chained = all(W.shape[1] == len(before) for before, W in pairwise(chain))
    if not chained or ranges.hash_of(found) != condition["sha256"]:
        return Check(what, False, "the sha256 of the weights is not the one recorded")
    last = A if condition["kind"] == "RRIC" else found[-1]
    layer = len(network) if condition["kind"] == "R2WDC" else None
    if last is None or list(condition["shape"]) != list(last.shape) or condition.get("layer") != layer:
        return Check(what, False, "the recorded shape or layer is not that of the weights")
    lower = float(certificate["lower"])
    if witness is None:
        return Check(what, lower == 0, "no witness" + ("" if lower == 0 else ", yet lower > 0"), None)
    layers = found[1:] if condition["kind"] == "RRIC" else found
    k = layers[0].shape[1]
    names = ("x1", "x2", "x3", "x4") + (("x", "y") if condition["kind"] == "R2WDC" else ())
    letters = {name: letter_of(witness, name, k, zero=True) for name in names}
    given = {name: value for name, value in letters.items() if value is not None}
    if len(given) < len(names):
        return Check(what, False, f"the witness is not {len(names)} codes of dimension {k}")
    measured = A if condition["kind"] == "RRIC" else None
    value, scale = ranges.restricted(condition, given, layers, measured, expectation)
    passed = lower - SLACK * scale <= value <= lower * (1 + RELATIVE) + SLACK * scale
    return Check(what, bool(passed), f"deviation at the witness {value!r}, recorded {lower!r}", value)


def _active(W: np.ndarray | SparseRows, r: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    """The rows of W that are open at r and at s; None if they would not fit."""
    if isinstance(W, np.ndarray):
        return W[np.array(open_rows(W, r)) & np.array(open_rows(W, s))]
    chosen = np.flatnonzero(W.open_rows(r) & W.open_rows(s))
    return W.dense(chosen) if max(len(chosen), W.shape[1]) * W.shape[1] <= _LARGEST else None


def _deviation(V: np.ndarray, r: np.ndarray, s: np.ndarray, alpha: float) -> tuple[float, float]:
    """``||V^T V - alpha Q_{r,s}||`` for the active rows V, and ``trace(V^T V) + alpha``, at any scale."""
    # With V = 2^e V' and alpha = 4^e alpha' nothing overflows, whatever the units of W.
    rows = math.frexp(float(np.abs(V).max()))[1] if V.any() else -5000
    e = max(rows, (math.frexp(alpha)[1] + 1) // 2)
    V, alpha = np.ldexp(V, -e), math.ldexp(alpha, -2 * e)
    A = V.T @ V
    value = float(np.linalg.norm(A - alpha * expectation(r, s), 2))
    return scaled_up(value, 2 * e), scaled_up(float(np.trace(A)) + alpha, 2 * e)

