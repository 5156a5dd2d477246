"""A witness as numbers to draw: the gates of each direction, the cosines, the spectrum there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wdccheck import checker
from wdccheck.geometry.expectation import angle as angle_of
from wdccheck.geometry.expectation import expected_gram, expected_inner, unit
from wdccheck.kinds import named
from wdccheck.linalg import rounding
from wdccheck.ranges import differences
from wdccheck.reports.row import Row

__all__ = ["Pair", "Scene", "scene"]

_LARGEST = 1024
"""Order up to which the spectrum is computed."""

_DIFFERENCES = (("x1", "x2"), ("x3", "x4"))

Layers = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two directions among the rows of a matrix.

    Attributes
    ----------
    names : tuple of two str
    directions : ndarray of shape (2, k)
        Unit vectors; 0 where the range gives 0.
    gates : ndarray of bool, shape (2, n)
        Which rows are open in each, by exact sign.
    """

    names: tuple[str, str]
    directions: np.ndarray
    gates: np.ndarray

    @property
    def angle(self) -> float:
        """Between the two, in degrees."""
        return math.degrees(float(angle_of(*self.directions)))


@dataclass(frozen=True, eq=False)
class Scene:
    """What a witness looks like.

    Attributes
    ----------
    rows : ndarray of shape (n, k)
        The rows that the gates are of.
    whose : str
        Their name in words.
    pairs : tuple of Pair
    spectrum : ndarray of shape (k,) or None
        Eigenvalues of the deviation matrix over alpha, ascending; None where it was not computed.
    missing : str
        Why there is no spectrum.
    """

    rows: np.ndarray
    whose: str
    pairs: tuple[Pair, ...]
    spectrum: np.ndarray | None = None
    missing: str = ""


def scene(row: Row, layers: Layers) -> Scene | str:
    """The witness of a row, or the reason why it cannot be drawn.

    Parameters
    ----------
    row : Row
    layers : mapping of str to sequence of ndarray of shape (n_i, n_{i-1})
        The network under "", those of a pair under "B" and "C", as far as they are at hand. What is
        missing is taken from the bracket, which carries small matrices.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.reports.row import Row
    >>> from wdccheck.reports.witness import scene
    >>> known = wc.bracket(wc.WDC(np.eye(2)), wc.MonteCarlo(samples=64))
    >>> scene(Row(known), {}).spectrum.shape
    (2,)
    """
    witness = row.bracket.witness
    if witness is None:
        return "no witness: the lower bound is 0"
    build = _SCENES.get(named(row.kind).needs)
    if build is None:
        return "no drawing of this kind is known"
    try:
        with np.errstate(all="ignore"):
            return build(row, witness, layers)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return "the witness and the weights do not fit together"


def _layer(row: Row, witness: Mapping[str, np.ndarray], layers: Layers) -> Scene | str:
    own = layers.get(row.of, ())
    W = own[row.layer - 1] if own and row.layer else checker.stored_weights(_data(row))
    if W is None:
        return _absent(row)
    points = np.stack([witness["r"], witness["s"]])
    pair = Pair(("r", "s"), unit(points), rounding.open_gates(W, points))
    return _with_spectrum(W, f"rows of {_matrix(row)}", pair, row.scale)


def _layer_behind(row: Row, witness: Mapping[str, np.ndarray], layers: Layers) -> Scene | str:
    network = _network(row, layers)
    if not network:
        return _absent(row)
    *before, W = network[:row.layer]
    pair = _pair_of_images(before, W, witness, "x", "y")
    return _with_spectrum(W, f"rows of {_matrix(row)}", pair, row.scale)


def _measured(row: Row, witness: Mapping[str, np.ndarray], layers: Layers) -> Scene | str:
    network = _network(row, layers)
    if not network:
        return _absent(row)
    *before, W = network
    pairs = tuple(_pair_of_images(before, W, witness, *names) for names in _DIFFERENCES
                  if witness.keys() >= set(names))
    whose = "rows of the last layer"
    if not named(row.kind).matrix:
        return Scene(W, whose, pairs, None, f"{row.kind} is about no matrix")
    A = checker.stored_matrix(row.bracket.condition.get("measurements"))
    if A is None:
        return Scene(W, whose, pairs, None, "the measurements are not at hand")
    return Scene(W, whose, pairs, *_eigenvalues(lambda: A.T @ A - np.eye(A.shape[1]), A.shape[1]))


def _pair_of_matrices(row: Row, witness: Mapping[str, np.ndarray], layers: Layers) -> Scene | str:
    """The part that attains the bound: its gates, the other matrix's weights in the spectrum."""
    pair = ((layers["B"][-1], layers["C"][-1]) if layers.get("B") and layers.get("C")
            else checker.stored_pair(_data(row)))
    if pair is None:
        return _absent(row)
    (B, C), gating, weighing = pair, "hx", "my"
    if row.bracket.part == "C":
        (C, B), gating, weighing = pair, "my", "hx"
    points = np.stack([witness[letter] for letter in gating])
    m, y = (unit(witness[letter]) for letter in weighing)
    weights = len(B) * np.maximum(C @ m, 0) * np.maximum(C @ y, 0) / row.scale
    found = Pair((gating[0], gating[1]), unit(points), rounding.open_gates(B, points))
    expectation = float(expected_inner(np.asarray(angle_of(m, y)))) * expected_gram(*found.directions)
    on = found.gates.all(axis=0)
    return Scene(B, f"rows of {row.bracket.part}", (found,), *_eigenvalues(
        lambda: (B[on].T * weights[on]) @ B[on] - expectation, B.shape[1]))


def _with_spectrum(W: np.ndarray, whose: str, pair: Pair, alpha: float) -> Scene:
    on = W[pair.gates.all(axis=0)] / math.sqrt(alpha)
    return Scene(W, whose, (pair,), *_eigenvalues(
        lambda: on.T @ on - expected_gram(*pair.directions), W.shape[1]))


def _eigenvalues(matrix: Any, order: int) -> tuple[np.ndarray | None, str]:
    """The spectrum, or why there is none."""
    if order > _LARGEST:
        return None, f"the deviation matrix is of order {order}, above {_LARGEST}"
    values = matrix()
    if not np.isfinite(values).all():
        return None, "the deviation matrix is beyond the range of floats"
    return np.linalg.eigvalsh(values), ""


def _pair_of_images(
    before: Sequence[np.ndarray], W: np.ndarray, witness: Mapping[str, np.ndarray], *names: str
) -> Pair:
    """G(x) and G(y) among the rows of the next layer, gates of the exact images."""
    layers, codes = differences.rescaled(before), np.stack([witness[name] for name in names])
    gates, sure, value, _ = differences.open_gates(layers, W, codes)
    for i in np.flatnonzero(~sure.all(axis=1)):
        unsure = ~sure[i]
        gates[i, unsure] = differences.exactly_open(layers, W[unsure], codes[i])
    shown = names if not before else tuple(f"G({name})" for name in names)
    return Pair((shown[0], shown[1]), unit(value), gates)


def _network(row: Row, layers: Layers) -> list[np.ndarray]:
    """The layers given, else those that the bracket carries, else none."""
    if layers.get(""):
        return list(layers[""])
    stored = [checker.stored_matrix(entry) for entry in row.bracket.condition.get("network") or ()]
    found = [W for W in stored if W is not None]
    return found if len(found) == len(stored) else []


_SCENES = {("layer",): _layer, ("network", "layer"): _layer_behind, ("network", "measurements"): _measured,
           ("B", "C"): _pair_of_matrices}


def _data(row: Row) -> dict[str, Any]:
    return {"condition": row.bracket.condition}


def _matrix(row: Row) -> str:
    return row.place or "W"


def _absent(row: Row) -> str:
    return f"the weights of {row.name} are not at hand: the file does not carry matrices this large"
