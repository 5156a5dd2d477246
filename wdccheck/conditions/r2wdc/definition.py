"""The range restricted WDC: the deviation of one layer seen by range differences of the layers before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.r2wdc.gated_range import GatedRange
from wdccheck.conditions.r2wdc.proof import Proof
from wdccheck.conditions.r2wdc.search import Search
from wdccheck.conditions.r2wdc.theorems import Theorems
from wdccheck.conditions.secant_pairs import SecantPairs
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.errors import InvalidInput
from wdccheck.geometry.expectation import expected_gram
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, inputs, rounding
from wdccheck.protocol.condition import Measured
from wdccheck.ranges import differences
from wdccheck.rounded_text import shortest
from wdccheck.weights.network import ReLUNetwork

__all__ = ["R2WDC"]

_TINY = math.ulp(0.0)  # what a product may lose where it underflows
_LETTERS = ("x", "y", "x1", "x2", "x3", "x4")


@dataclass(frozen=True, eq=False, repr=False)
class R2WDC:
    r"""epsilon = sup over u, v != 0 of ``|<(W_{+,r}^T W_{+,s} - alpha Q_{r,s}) u, v>| / (||u|| ||v||)``.

    W = W_i, r = G_{i-1}(x), s = G_{i-1}(y), u = G_{i-1}(x1) - G_{i-1}(x2),
    v = G_{i-1}(x3) - G_{i-1}(x4); [C] Def. 4.3 (alpha = 1). r = 0 or s = 0 contributes 0, u = 0 or
    v = 0 is skipped. For i = 1 it is the WDC of W_1.

    Parameters
    ----------
    net : ReLUNetwork
    layer : int
        i, counted from 1.
    alpha : float
        Positive.

    Raises
    ------
    InvalidInput
        No such layer, or an unusable alpha or network.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> condition = wc.R2WDC(wc.ReLUNetwork([np.eye(2), np.eye(2)]), layer=2)
    >>> x, o = np.array([1.0, 1.0]), np.zeros(2)
    >>> point = {"x": x, "y": x, "x1": x, "x2": o, "x3": x, "x4": o}
    >>> round(float(condition.deviation(point)), 12)
    0.5
    """

    net: ReLUNetwork
    layer: int
    alpha: float = 1.0
    vacuous = 0.5  # sup ||Q||
    _pairs: SecantPairs = field(init=False)
    _gated: GatedRange = field(init=False)
    whole: WDC = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.net, ReLUNetwork):
            raise InvalidInput("net", "a ReLUNetwork", type(self.net).__name__)
        last = self.net.truncate(self.layer)
        object.__setattr__(self, "layer", int(self.layer))
        object.__setattr__(self, "alpha", inputs.alpha_value(self.alpha))
        layers = differences.rescaled(last.layers[:-1])
        object.__setattr__(self, "_pairs", SecantPairs(layers, self.net.dims[0]))
        whole = WDC(last.layers[-1], self.alpha, self.layer)
        object.__setattr__(self, "whole", whole)
        object.__setattr__(self, "_gated", GatedRange(layers, whole.units.rows, whole.units.alpha))

    def __repr__(self) -> str:
        place = f"dims={self.net.dims}, layer={self.layer}"
        return f"R2WDC({place}, alpha={shortest(self.alpha)}, {self._sha256[:8]})"

    @property
    def spheres(self) -> dict[Block, int]:
        """x and y in R^k, (x1, x2) and (x3, x4) in R^{2k}."""
        k = self.net.dims[0]
        return {("x",): k, ("y",): k, **self._pairs.spheres}

    def deviation(self, points: Points) -> np.ndarray:
        """The quotient of the definition, gates by exact sign; letters (..., k), broadcast."""
        flat, shape = secants.codes(points, _LETTERS, self.net.dims[0])
        r, s, both, _ = self._gated.both(flat, exact=True)
        u, v = self._pairs.sharp_vectors(flat)
        value = np.einsum("bn,bn->b", u, self._gated.apply(r, s, both, v))
        return np.ldexp(np.abs(value), self._scale).reshape(shape)

    def lower_bound(self, point: Points) -> float:
        """The deviation at one point rounded down by its error, less 32 n u of both terms."""
        m = self.measure(point)
        margin = 32 * self.whole.W.shape[1] * rounding.UNIT * (abs(m.gram) + self.alpha)
        return m.lower_bound(self.alpha, margin)

    def measure(self, point: Points) -> Measured:
        """u^T A v and u^T Q v over ||u|| ||v||, with their errors.

        The gates are those of the exact G(x), G(y). With d = W u, e = W v of the open rows and the
        errors that u and v bring along, sum d e errs by the sum of |d| err(e) + |e| err(d) +
        err(d) err(e). r and s err by an angle of at most pi/2 err/||r||, which moves Q by 1/pi of it
        (Fact 2); u^T Q v moves by at most half of err(u) ||v|| + ||u|| err(v) (Fact 1). Lengths known to
        a relative p, q <= 1/100 change a quotient by less than 1.5 (p + q) of it. 0 where a vector is
        0 or known to fewer than two digits.

        For p, q <= 1/100, 1/((1 - p)(1 - q)) < 1.05 turns an error over the computed lengths into one over
        the exact ones. It differs from 1 by less than 1.03 (p + q), and u^T Q v, at most 1/2, moves by less
        than that with the lengths and with u, v together. 16 gamma(n + 8) is for the rounding of lengths
        and quotients, 2 gamma(n + 4) sqrt(n) for u^T Q v, as the norm of |Q| is at most sqrt(n)/2.
        """
        flat, _ = secants.codes(point, _LETTERS, self.net.dims[0])
        u, v = self._pairs.enclosed(flat)
        turned, directions, both = 0.0, [], np.ones(len(self.whole.W), dtype=bool)
        for x in "xy":
            value, error, gate = self._gated.enclosed(flat[x][0])
            length, loss = float(np.linalg.norm(value)), float(np.linalg.norm(error))
            turned += loss / length if length > 100 * loss else math.inf
            directions.append(value)
            both &= gate
        lengths = [(float(np.linalg.norm(w.value)), float(np.linalg.norm(w.error))) for w in (u, v)]
        if not (math.isfinite(turned) and all(length > 100 * loss for length, loss in lengths)):
            return Measured(0.0, 0.0, 0.0, 0.0)
        on, n = self._gated.rows[both], len(u.value)
        (d, d_error), (e, e_error) = (differences.product(on, w.value, w.error) for w in (u, v))
        over = 1 / lengths[0][0] / lengths[1][0]
        shrunk = sum(loss / length for length, loss in lengths) * 1.5 + 16 * rounding.gamma(n + 8)
        gram = math.fsum(d * e) * over
        gram_error = math.fsum(np.abs(d) * e_error + np.abs(e) * d_error + d_error * e_error
                               + 4 * rounding.UNIT * np.abs(d * e) + 4 * _TINY) * over * 1.05
        gram_error += shrunk * abs(gram) + (4 * _TINY if both.any() else 0.0)  # no open row: A is 0
        expectation = float(u.value @ expected_gram(*directions) @ v.value) * over
        expectation_error = (rounding.expectation_error(n) + 2 * rounding.gamma(n + 4) * math.sqrt(n)
                             + turned + shrunk)
        if gram < 0:
            gram, expectation = -gram, -expectation
        return Measured(math.ldexp(gram, self._scale), math.ldexp(gram_error * (1 + 1e-6), self._scale),
                        expectation, expectation_error * (1 + 1e-6))

    @cached_property
    def search(self) -> Search:
        """How to climb."""
        return Search(self._pairs, self._gated, self._scale)

    @cached_property
    def theorems(self) -> Theorems:
        """Points and caps in closed form."""
        return Theorems(self._gated, self._pairs.k, self._scale, self.whole.W, self.alpha)

    @cached_property
    def proof(self) -> Proof | None:
        """Groups of activation cones; None for layer 1, and beyond latent dimension 3."""
        return Proof.of(self._gated, self._pairs.k, self._scale)

    def dominated_by(self) -> Iterator[WDC]:
        """Fact 12: the WDC of W_i, restricted to the inputs that are not provably dead."""
        chosen = self.theorems.live
        if not chosen.any():
            return
        if chosen.all():
            yield self.whole
            return
        try:
            yield WDC(self.whole.W[:, chosen], self.alpha, self.layer)
        except InvalidInput:  # the living part is beyond the scales of a WDC, the whole is not
            yield self.whole

    @property
    def entries(self) -> int:
        """Weights up to the layer."""
        return sum(W.size for W in self.net.layers[: self.layer])

    def natural_alpha(self) -> float:
        """That of the layer itself."""
        return self.whole.natural_alpha()

    def with_alpha(self, alpha: float) -> R2WDC:
        """The same layer with another alpha, neither copied nor hashed again."""
        again, whole = object.__new__(R2WDC), self.whole.with_alpha(alpha)
        kept = {name: value for name, value in vars(self).items()
                if name in ("net", "layer", "_pairs", "_sha256")}
        gated = GatedRange(self._gated.layers, whole.units.rows, whole.units.alpha)
        vars(again).update(kept, alpha=whole.alpha, whole=whole, _gated=gated)
        return again

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; small networks travel along, up to the layer."""
        layers = self.net.layers[: self.layer]
        small = sum(W.size for W in layers) <= hashes.EMBED
        return {
            "kind": "R2WDC", "alpha": self.alpha, "layer": self.layer, "shape": list(layers[-1].shape),
            "sha256": self._sha256, "options": {"dims": list(self.net.dims[: self.layer + 1])},
            **({"network": [hashes.encode(W) for W in layers]} if small else {}),
        }

    @property
    def _scale(self) -> int:
        """The exponent of two of a deviation."""
        return self.whole.units.scale

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays(self.net.layers[: self.layer])
