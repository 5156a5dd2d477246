"""What is known of one epsilon: a bracket, the work behind it, and a verdict."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from wdccheck import result_files
from wdccheck.errors import UnsoundBound
from wdccheck.protocol.limit import Limit
from wdccheck.result_files import schema
from wdccheck.rounded_text import between, quotient, shortest
from wdccheck.seeds import Seed, decode_seed, encode_seed
from wdccheck.stops import Reason, Stop
from wdccheck.version import made_by

__all__ = ["Bracket", "Verdict", "Work", "decode_witness", "encode_witness", "load", "merge"]


class Verdict(Enum):
    """The three answers to "is epsilon, or epsilon/alpha, at most this?".

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.MonteCarlo(samples=64))    # upper = inf
    >>> result.verdict(0.5), result.verdict(2.0)
    (<Verdict.VIOLATED: 'violated'>, <Verdict.UNDECIDED: 'undecided'>)
    """

    HOLDS = "holds"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Work:
    """What one engine did: enough to do it again.

    Attributes
    ----------
    engine : str
        repr of the engine with its parameters.
    seed : int or SeedSequence
        The `rng` that gives the run's random numbers again.
    work : int
        Units of work done (samples, starts, nodes).
    unit : str
        What is counted.
    seconds : float
        Wall time.
    """

    engine: str
    seed: Seed
    work: int
    unit: str
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Bracket:
    """``lower <= epsilon <= upper``, with a witness for the one and a reason for the other.

    Attributes
    ----------
    condition : mapping
        What was bounded: ``kind, alpha, layer, shape, sha256, options`` and, for small
        layers, the weights themselves, so that a saved result can be re-evaluated alone.
    lower, upper : float
        The bounds. `upper` is inf when no engine gave one.
    witness : mapping or None
        Letter to 1-D float64 array: ``lower <= deviation(witness) <= lower*(1 + 1e-9)``.
    part : str or None
        Which inequality attains `lower`, where a condition has several.
    lower_by, upper_by : str
        The engine or the theorem that gave each side.
    stopped : mapping
        ``"lower"`` and ``"upper"`` to a :class:`Stop`.
    engines : tuple of Work
        What was run.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> result.lower <= 1.0 <= result.upper
    True
    >>> result.verdict(0.5).value
    'violated'
    """

    condition: Mapping[str, Any]
    lower: float = 0.0
    upper: float = math.inf
    witness: Mapping[str, np.ndarray] | None = None
    part: str | None = None
    lower_by: str = "nothing yet"
    upper_by: str = "nothing yet"
    stopped: Mapping[str, Stop] = field(default_factory=dict)
    engines: tuple[Work, ...] = ()

    def __repr__(self) -> str:
        shape = "x".join(str(n) for n in self.condition.get("shape", ()))
        scale = "" if self.alpha is None else f", alpha={shortest(self.alpha)}"
        name = f"{self.condition.get('kind')}({shape}{scale})"
        by = (re.sub(r"\(.*", "", engine) for engine in (self.lower_by, self.upper_by))
        return f"<{name}: {between(self.lower, 'eps', self.upper)}; by {' and '.join(by)}>"

    def __post_init__(self) -> None:
        for side in ("lower", "upper"):  # a NumPy scalar of fewer digits would compare in its own precision
            object.__setattr__(self, side, float(getattr(self, side)))

    @property
    def alpha(self) -> float | None:
        """The scale alpha of the condition; None where it has none."""
        return self.condition.get("alpha")

    @property
    def ratio_lower(self) -> float:
        """A float at most ``lower / alpha``; `lower` where there is no alpha."""
        return self.lower if self.alpha is None else quotient(self.lower, self.alpha, 0.0)

    @property
    def ratio_upper(self) -> float:
        """A float at least ``upper / alpha``; `upper` where there is no alpha."""
        return self.upper if self.alpha is None else quotient(self.upper, self.alpha, math.inf)

    @property
    def gap(self) -> float:
        """``upper - lower``."""
        return self.upper - self.lower

    @property
    def closed(self) -> bool:
        """Whether both sides meet, to one part in 10**9."""
        return self.upper <= self.lower * (1 + 1e-9)

    @property
    def interrupted(self) -> bool:
        """Whether the keyboard, or lost workers, cut the search short."""
        return any(stop.reason is Reason.INTERRUPTED for stop in self.stopped.values())

    @property
    def cut_short(self) -> bool:
        """Whether the search ended for a reason that says nothing of the bounds: interruption, or memory."""
        reasons = {stop.reason for stop in self.stopped.values()}
        return bool(reasons & {Reason.INTERRUPTED, Reason.MEMORY})

    def verdict(self, eps: float | None = None, *, ratio: float | None = None) -> Verdict:
        """Whether ``epsilon <= eps``, or ``epsilon/alpha <= ratio``: holds, violated, or not known.

        Exactly one of the two is given; where there is no alpha, `eps`. Both are compared exactly.
        """
        limit = Limit.of(self.alpha, eps, ratio).eps
        if self.upper <= limit:
            return Verdict.HOLDS
        return Verdict.VIOLATED if self.lower > limit else Verdict.UNDECIDED

    def to_dict(self) -> dict[str, Any]:
        """The bracket as plain JSON data (schema 2)."""
        return {
            "condition": dict(self.condition),
            "lower": result_files.encode_float(self.lower),
            "upper": result_files.encode_float(self.upper),
            "witness": None if self.witness is None else encode_witness(self.witness),
            "part": self.part,
            "lower_by": self.lower_by,
            "upper_by": self.upper_by,
            "stopped": {
                side: {"reason": stop.reason.value, "detail": stop.detail}
                for side, stop in self.stopped.items()
            },
            "engines": [
                {"repr": w.engine, "seed": encode_seed(w.seed), "work": w.work, "unit": w.unit,
                 "seconds": w.seconds}
                for w in self.engines
            ],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], source: str = "result") -> Bracket:
        """Inverse of :meth:`to_dict`; refuses what is malformed, naming it."""
        schema.check_bracket(data, source)
        return _decode(data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bracket as JSON, atomically; :func:`load` reads it back."""
        result_files.write(path, {**made_by(), **self.to_dict()})


def load(path: str | os.PathLike[str]) -> Bracket:
    """Read a bracket written by :meth:`Bracket.save`.

    Raises
    ------
    InvalidInput
        The file is missing, malformed or of another schema.

    Examples
    --------
    >>> import tempfile, os, numpy as np, wdccheck as wc
    >>> path = os.path.join(tempfile.mkdtemp(), "eye.json")
    >>> wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).save(path)
    >>> wc.load(path).condition["kind"]
    'WDC'
    """
    return Bracket.from_dict(result_files.read(path), str(path))


def merge(first: Bracket, second: Bracket) -> Bracket:
    """Largest lower, smallest upper, ties to the earlier.

    Raises
    ------
    UnsoundBound
        The two contradict each other.
    """
    merged = first
    if second.lower > first.lower or (first.witness is None and second.witness is not None):
        merged = replace(merged, lower=second.lower, witness=second.witness, part=second.part,
                         lower_by=second.lower_by)
    if second.upper < first.upper:
        merged = replace(merged, upper=second.upper, upper_by=second.upper_by)
    stopped = {**first.stopped, **second.stopped}
    merged = replace(merged, stopped=stopped)
    if merged.lower > merged.upper:
        raise UnsoundBound(
            f"{merged.condition.get('kind')}: lower {merged.lower!r} (by {merged.lower_by}) exceeds "
            f"upper {merged.upper!r} (by {merged.upper_by}); please report this",
            first, second,
        )
    return merged


def encode_witness(witness: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """A witness as plain JSON data: decimals to read, hexadecimals that are exact."""
    return {
        letter: {"value": [float(x) for x in value], "hex": [float(x).hex() for x in value]}
        for letter, value in witness.items()
    }


def decode_witness(data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Inverse of :func:`encode_witness`, of data whose form has been checked."""
    return {letter: np.array([float.fromhex(x) for x in entry["hex"]], dtype=np.float64)
            for letter, entry in data.items()}


def _decode(data: Mapping[str, Any]) -> Bracket:
    upper, witness = data["upper"], data["witness"]
    return Bracket(
        condition=dict(data["condition"]), lower=data["lower"], upper=math.inf if upper is None else upper,
        witness=None if witness is None else decode_witness(witness),
        part=data["part"], lower_by=data["lower_by"], upper_by=data["upper_by"],
        stopped={side: Stop(Reason(stop["reason"]), stop["detail"])
                 for side, stop in data["stopped"].items()},
        engines=tuple(Work(w["repr"], decode_seed(w["seed"]), w["work"], w["unit"], float(w["seconds"]))
                      for w in data["engines"]),
    )
