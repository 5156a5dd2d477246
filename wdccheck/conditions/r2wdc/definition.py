"""The range restricted WDC: the deviation of one layer seen by range differences of the layers before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from wdccheck.conditions import secants
from wdccheck.conditions.r2wdc.proof import GatedCones
from wdccheck.conditions.r2wdc.search import GatedRange
from wdccheck.conditions.secants import PAIRS, Apply, SecantPairs
from wdccheck.conditions.two_rays import Plane, Rays
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.errors import InvalidInput
from wdccheck.geometry.expectation import expected_gram, unit
from wdccheck.geometry.profiles import Best
from wdccheck.geometry.spheres import Block, Points
from wdccheck.linalg import hashes, inputs, rounding
from wdccheck.linalg.norms import proved_norm
from wdccheck.protocol.condition import Condition, Measured
from wdccheck.protocol.forms import Form, Gated, constant_form
from wdccheck.protocol.proof import Refinement, Regions
from wdccheck.protocol.search import Frozen
from wdccheck.protocol.theorems import Cap, Start
from wdccheck.ranges import differences
from wdccheck.ranges.cone_groups import Groups
from wdccheck.ranges.cone_pairs import LATENT
from wdccheck.weights.network import ReLUNetwork

__all__ = ["R2WDC"]

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
    inequalities = ("r2wdc",)
    _pairs: SecantPairs = field(init=False)
    _gated: GatedRange = field(init=False)
    _whole: WDC = field(init=False)
    _scale: int = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.net, ReLUNetwork):
            raise InvalidInput("net", "a ReLUNetwork", type(self.net).__name__)
        last = self.net.truncate(self.layer)
        object.__setattr__(self, "layer", int(self.layer))
        object.__setattr__(self, "alpha", inputs.alpha_value(self.alpha))
        layers = differences.rescaled(last.layers[:-1])
        object.__setattr__(self, "_pairs", SecantPairs(layers, self.net.dims[0]))
        whole = WDC(last.layers[-1], self.alpha, self.layer)
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_scale", 2 * whole._exponent)
        object.__setattr__(self, "_gated", GatedRange(layers, whole._rows, whole._alpha))

    def __repr__(self) -> str:
        return f"R2WDC(dims={self.net.dims}, layer={self.layer}, alpha={self.alpha:.6g}, {self._sha256[:8]})"

    # -- the definition ------------------------------------------------------------------

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
        margin = 32 * self._whole.W.shape[1] * rounding.UNIT * (abs(m.gram) + self.alpha)
        value = abs(m.gram - self.alpha * m.expectation)
        error = m.gram_error + self.alpha * m.expectation_error + margin
        return rounding.round_down(value - error, 4) if value > error else 0.0

    def measure(self, point: Points) -> Measured:
        """u^T A v and u^T Q v over ||u|| ||v||, with their errors.

        The gates are those of the exact G(x), G(y). With d = W u, e = W v of the open rows and the
        errors that u and v bring along, sum d e errs by the sum of |d| err(e) + |e| err(d) +
        err(d) err(e). r and s err by an angle of at most pi/2 err/||r||, which moves Q by 1/pi of it
        (Fact 2); u^T Q v moves by at most half of err(u) ||v|| + ||u|| err(v) (Fact 1). Lengths known to
        a relative p, q <= 1/100 change a quotient by less than 1.5 (p + q) of it. 0 where a vector is
        0 or known to fewer than two digits.
        """
        flat, _ = secants.codes(point, _LETTERS, self.net.dims[0])
        u, v = self._pairs.enclosed(flat)
        turned, directions, both = 0.0, [], np.ones(len(self._whole.W), dtype=bool)
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
                               + 4 * rounding.UNIT * np.abs(d * e)) * over * 1.05 + shrunk * abs(gram)
        expectation = float(u.value @ expected_gram(*directions) @ v.value) * over
        expectation_error = (rounding.expectation_error(n) + 2 * rounding.gamma(n + 4) * math.sqrt(n)
                             + turned + shrunk)
        if gram < 0:
            gram, expectation = -gram, -expectation
        return Measured(math.ldexp(gram, self._scale), math.ldexp(gram_error * (1 + 1e-6), self._scale),
                        expectation, expectation_error * (1 + 1e-6))

    def parts(self, points: Points) -> dict[str, np.ndarray]:
        """The R2WDC is one inequality."""
        return {"r2wdc": self.deviation(points)}

    # -- search ----------------------------------------------------------------------------

    def freeze(self, points: Points, near: Frozen | None = None, sign: float | None = None) -> Frozen:
        """Unit u and v, and their form; value 0 where a gate is within rounding."""
        r, s, both, sure = self._gated.both(points)
        u, v = self._pairs.vectors(points)
        found = self._pairs.frozen(u, v, self._gated.apply(r, s, both, v), sign)
        return replace(found, value=np.ldexp(found.value * sure, self._scale))

    def circle(self, points: Points, block: Block, tangent: np.ndarray, frozen: Frozen) -> Best:
        """sign <D u, v> along the circle of one block, all else held (Fact 11)."""
        if block in PAIRS:
            found = self._pairs.circle(points, block, tangent, self._target(points, block, frozen))
        else:
            found = self._gated.circle(block[0], points, tangent, frozen)
        return found.scaled(self._scale)

    def tangents(
        self, points: Points, block: Block, frozen: Frozen, rng: np.random.Generator
    ) -> Sequence[np.ndarray]:
        """Of pairs: toward the maximizer over the present cones; of codes: soft gates, pulled back."""
        if block in PAIRS:
            return self._pairs.tangents(points, block, self._target(points, block, frozen), rng)
        return self._gated.tangents(block[0], points, frozen, rng)

    def free_step(self, points: Points, frozen: Frozen) -> Points:
        """Both pairs toward the singular pair of their cones, as far as pays."""
        moved = self._pairs.free_step(points, frozen.sign, self._applies(points))
        return {"x": points["x"], "y": points["y"], **moved}

    def seeds(self, rng: np.random.Generator, n: int, near: Points | None = None,
              deadline: float = math.inf) -> Points:
        """Pairs of :meth:`SecantPairs.jumped`; x and y equal, close, nearly opposite or independent."""
        if near is not None:
            return near
        k = self.net.dims[0]
        x, y = unit(rng.standard_normal((n, k))), unit(rng.standard_normal((n, k)))
        kind, spread = rng.integers(4, size=(n, 1)), 10.0 ** rng.uniform(-4, 0, (n, 1))
        y = np.where(kind == 0, x, np.where(kind == 1, unit(x + spread * y), y))
        y = np.where(kind == 2, unit(-x + spread * y), y)
        return self._pairs.jumped({"x": x, "y": y, **self._pairs.seeds(rng, n)}, rng, self._applies)

    # -- theorems --------------------------------------------------------------------------

    def starts(self) -> Iterator[Start]:
        """Images of the axes, x = y, u = v; for k = 1 the maximizers."""
        for plane in self._planes:
            yield Start(plane.point(), "Fact 14: k = 1, two rays")
        for point in secants.simple_pairs(self.net.dims[0]):
            for x in (point["x1"], -point["x1"]):
                yield Start({"x": x, "y": x, **point}, "images of the latent axes")

    def caps(self) -> Iterator[Cap]:
        """Fact 12: max(||W_i P||^2, alpha/2), P on the inputs that are not provably dead."""
        chosen = differences.live(self._pairs.layers, self._pairs.k)
        if not chosen.any():
            yield Cap(0.0, "every input of the layer is dead: there are no range differences", empty=True)
            return
        caps = [plane.cap() for plane in self._planes]
        if caps:
            yield max(caps, key=lambda cap: cap.value)
        square = math.ldexp(proved_norm(np.ascontiguousarray(self._gated.rows[:, chosen])), self._scale)
        yield Cap(max(square, self.alpha / 2), "Fact 12: max(||W_i P||^2, alpha/2), P on the "
                  f"{int(chosen.sum())} inputs not provably dead")

    def dominated_by(self) -> Iterator[Condition]:
        """Fact 12: the WDC of W_i, restricted to the inputs that are not provably dead."""
        chosen = differences.live(self._pairs.layers, self._pairs.k)
        if not chosen.any():
            return
        try:
            found = WDC(self._whole.W[:, chosen], self.alpha, self.layer)
        except InvalidInput:  # the living part is beyond the scales of a WDC, the whole is not
            found = self._whole
        yield found

    # -- regions ---------------------------------------------------------------------------

    def regions(self, deadline: float = math.inf) -> Groups | None:
        """Groups of activation cones; None for layer 1, beyond latent dimension 3, or for too many cones."""
        return None if self._cones is None else self._cones.regions(deadline)

    def forms(self, regions: Regions) -> tuple[Form, ...]:
        """The cap; what is known of a group is in :meth:`refine`."""
        return (constant_form(len(regions), min((cap.value for cap in self.caps()), default=math.inf)),)

    def refine(self, regions: Regions) -> Refinement:
        """Pencils on the spans of the differences (Fact 13)."""
        assert isinstance(regions, Groups)
        if self._cones is not None:
            yield from self._cones.refine(regions)

    def gated(self) -> tuple[Gated, ...]:
        """No gated sum of directions."""
        return ()

    # -- derived data ------------------------------------------------------------------------

    def with_alpha(self, alpha: float) -> R2WDC:
        """The same layer with another alpha."""
        return R2WDC(self.net, self.layer, alpha)

    def describe(self) -> dict[str, Any]:
        """See :class:`Condition`; small networks travel along, up to the layer."""
        layers = self.net.layers[: self.layer]
        small = sum(W.size for W in layers) <= hashes.EMBED
        return {
            "kind": "R2WDC", "alpha": self.alpha, "layer": self.layer, "shape": list(layers[-1].shape),
            "sha256": self._sha256, "options": {"dims": list(self.net.dims[: self.layer + 1])},
            **({"network": [hashes.encode(W) for W in layers]} if small else {}),
        }

    def _applies(self, points: Points) -> Apply:
        """v (B, n) to (A_{r,s} - alpha Q_{r,s}) v."""
        r, s, both, _ = self._gated.both(points)
        return lambda v: self._gated.apply(r, s, both, v)

    def _target(self, points: Points, block: Block, frozen: Frozen) -> np.ndarray:
        """sign D v for the pair of u, sign D u for that of v: D is symmetric."""
        held = frozen.v if block == PAIRS[0] else frozen.u
        return frozen.sign[:, None] * self._applies(points)(held)

    @cached_property
    def _planes(self) -> tuple[Plane, ...]:
        """Of k = 1, where they are affordable: one for each pair of images."""
        W = self._whole.W
        rays = Rays.of(self._pairs.layers, W) if self.net.dims[0] == 1 else None
        return () if rays is None else tuple(rays.gated(W, self.alpha))

    @cached_property
    def _cones(self) -> GatedCones | None:
        if self.layer == 1 or self._pairs.k > LATENT:
            return None
        scale = math.ldexp(1.0, self._scale)
        return GatedCones(self._pairs.layers, self._gated.rows, self._gated.alpha, scale, self._pairs.k)

    @cached_property
    def _sha256(self) -> str:
        return hashes.hash_arrays(self.net.layers[: self.layer])
