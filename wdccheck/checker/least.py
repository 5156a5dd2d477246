"""The proved minimum of epsilon/alpha over all alpha, recomputed from its witnesses (Fact 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from wdccheck.checker import ranges
from wdccheck.checker.definitions import Check, Outcome, letter_of
from wdccheck.checker.exact import below
from wdccheck.checker.intervals import Interval
from wdccheck.checker.joint import forms_of, stored_pair
from wdccheck.checker.norms import Line
from wdccheck.checker.sparse import stored_sparse
from wdccheck.checker.witness import active, form_of, stored_weights

__all__ = ["reevaluate_least"]


def reevaluate_least(certificate: Mapping[str, Any], least: Mapping[str, Any]) -> Check:
    """Whether the witnesses of a minimum over alpha prove its lower bound.

    Every witness has ``epsilon >= |g - alpha e|`` at every alpha, along every vector. With ``beta = 1/alpha``
    a rising line and a falling one are never both below the value where they cross.

    Parameters
    ----------
    certificate : mapping
        The bracket beside it, whose weights have been found to be those of its hash.
    least : mapping
        ``lower``, ``witnesses`` and ``alpha``, of the eigenvectors; null: the bracket's.
    """
    what, lower = "least eps/alpha, lower bound", float(least["lower"])
    alpha = float(least["alpha"] or certificate["condition"]["alpha"])
    found = [line for witness in least["witnesses"] for line in _lines(certificate, witness, alpha)]
    value = _minimum(found)
    outcome = Outcome.PROVED if value >= Fraction(lower) else Outcome.NOT_PROVED
    return Check(what, outcome, f"{len(least['witnesses'])} witnesses prove {below(value)!r}, "
                 f"recorded {lower!r}", below(value))


def _lines(certificate: Mapping[str, Any], witness: Mapping[str, Any], alpha: float) -> list[Line]:
    """Those of one witness; none where it is none, or without the weights."""
    condition = certificate["condition"]
    if condition["kind"] == "R2WDC":
        layers = [ranges.matrix(entry) for entry in condition.get("network") or ()]
        network = [W for W in layers if W is not None]
        if not network or len(network) < len(layers):
            return []
        names = ("x1", "x2", "x3", "x4", "x", "y")
        codes = _letters(witness, names, [network[0].shape[1]] * 6, zero=True)
        return [] if codes is None else [ranges.gated(codes, network)]
    if condition["kind"] == "joint-WDC":
        pair = stored_pair(certificate)
        given = None if pair is None else _letters(
            witness, "hxmy", [pair[0].shape[1]] * 2 + [pair[1].shape[1]] * 2)
        if pair is None or given is None:
            return []
        forms = forms_of(pair, alpha, (given["h"], given["x"]), (given["m"], given["y"]))
        return [line for form in forms.values() for line in form.lines()]
    W = stored_weights(certificate)
    rows = stored_sparse(certificate) if W is None else W
    if rows is None or condition["kind"] != "WDC":
        return []
    letters = _letters(witness, "rs", [rows.shape[1]] * 2)
    V = None if letters is None else active(rows, letters["r"], letters["s"])
    return [] if letters is None or V is None else form_of(V, letters["r"], letters["s"], alpha).lines()


def _letters(
    witness: Mapping[str, Any], names: Sequence[str], sizes: Sequence[int], zero: bool = False
) -> dict[str, np.ndarray] | None:
    found = {name: letter_of(witness, name, k, zero) for name, k in zip(names, sizes, strict=True)}
    given = {name: x for name, x in found.items() if x is not None}
    return given if len(given) == len(found) else None


def _minimum(lines: Sequence[Line]) -> Fraction:
    """A number that ``max |g beta - e|`` over the lines is not below, whatever beta > 0 is.

    With signs so that g > 0: a line ``h beta - d`` is at least -d, and of ``e - g beta`` beside it the larger
    one is at least their mean with the weights g and h, in which beta cancels: ``(h e - g d)/(g + h)``.
    """
    one = Interval.of(1)
    steep = [(sign * g, sign * e) for g, e in lines for sign in (one, Interval.of(-1)) if (sign * g).low > 0]
    level = [abs(e).low for g, e in lines if g.low == g.high == 0] + [-e.high for _, e in steep]
    crossings = [((h * e - g * d) / (g + h)).low for g, e in steep for h, d in steep]
    return max([Fraction(0), *level, *crossings])
