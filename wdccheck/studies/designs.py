"""What a study computes: a product of lists, and each of its cells with a seed of its own."""

from __future__ import annotations

import hashlib
import itertools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from wdccheck.conditions.built import build
from wdccheck.errors import InvalidInput
from wdccheck.kinds import KINDS, Kind, with_slug
from wdccheck.linalg.inputs import alpha_value, count_value
from wdccheck.protocol.condition import Condition
from wdccheck.studies.ensembles import DISTRIBUTIONS, draw

__all__ = ["CONDITIONS", "Cell", "listed", "product"]

CONDITIONS = tuple(kind.slug for kind in KINDS)
"""Names of the conditions, as a design has them."""

Value = TypeVar("Value")

_CELLS = 10**6  # of a study


@dataclass(frozen=True)
class Cell:
    """One bracket of a study: the condition and where its weights come from.

    The network has `depth` layers and widths k, ..., n, those in between growing by one factor
    (rounded) or all equal to `hidden`; a condition of a layer is that of its last one. One of measurements
    has m of them, N(0, 1/m) or orthonormal, of its outputs; one of a pair has two matrices of shape (l, k).
    What does not apply is None.
    """

    condition: str
    distribution: str
    k: int
    n: int | None
    depth: int | None
    hidden: int | None
    m: int | None
    l: int | None  # noqa: E741 - the letter of [HJ]
    alpha: float | str | None
    repetition: int

    @property
    def name(self) -> str:
        """All values in a word that can be a file's name."""
        letters = {"n": "n", "depth": "d", "hidden": "h", "m": "m", "l": "l", "alpha": "a"}
        parts = [f"{letter}{value}" for field, letter in letters.items()
                 if (value := getattr(self, field)) is not None]
        return "-".join([self.condition, self.distribution, f"k{self.k}", *parts, f"r{self.repetition}"])

    def seed(self, root: int) -> int:
        """The seed of the cell, a function of its own values and of the `root` of the study.

        Neither the condition nor alpha nor m is among these values: cells that differ in them only are
        about the same weights.
        """
        values = (self.distribution, self.k, self.n, self.depth, self.hidden, self.l, self.repetition)
        words = np.frombuffer(hashlib.sha256(repr(values).encode()).digest(), dtype="<u4")
        key = tuple(int(word) for word in words)
        return int(np.random.SeedSequence(root, spawn_key=key).generate_state(1, np.uint64)[0]) >> 1

    def widths(self) -> tuple[int, ...]:
        """k, ..., n of the network."""
        depth, n = self.depth or 1, self.n or 1
        between = (round(self.k * (n / self.k) ** (i / depth)) for i in range(1, depth))
        return (self.k, *(self.hidden or max(1, width) for width in between), n)

    def build(self, seed: int) -> Condition:
        """The condition; with alpha = 1 where alpha is to be chosen."""
        alpha = self.alpha if isinstance(self.alpha, float) else 1.0
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        kind = with_slug(self.condition)
        if kind.paired:
            pair = [draw(self.distribution, self.l or 1, self.k, rng) for _ in range(2)]
            return build(kind.name, pair, alpha=alpha)
        layers = [draw(self.distribution, n, k, rng) for k, n in itertools.pairwise(self.widths())]
        if not kind.over_range:
            return build(kind.name, layers[-1:], alpha=alpha, layer=self.depth)
        A = _measurements(kind, self.m or 1, len(layers[-1]), seed) if kind.measured else None
        return build(kind.name, layers, alpha=alpha, measurements=A)


def _measurements(kind: Kind, m: int, n: int, seed: int) -> np.ndarray:
    """m of n outputs: N(0, 1/m), or uniform among those with orthonormal rows, or columns if m > n."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, m)))
    if not kind.orthonormal:
        return draw("gaussian", m, n, rng)
    return draw("orthogonal", m, n, rng) if m > n else draw("orthogonal", n, m, rng).T


def product(
    condition: Any, *, distribution: Any, k: Any, n: Any, expansion: Any, depth: Any, hidden: Any, m: Any,
    l: Any, alpha: Any, repeat: Any,  # noqa: E741
) -> tuple[Cell, ...]:
    """All cells of a design: each argument a value or a list of them; see ``sweep``.

    Raises
    ------
    InvalidInput
        A value is unusable, or one that a condition needs is missing.
    """
    if n is not None and expansion is not None:
        raise InvalidInput("n and expansion", "one of the two", "both")
    kinds = listed("condition", condition, _one_of(CONDITIONS))
    lists: dict[str, list[Any]] = {
        "distribution": listed("distribution", distribution, _one_of(tuple(DISTRIBUTIONS))),
        "k": listed("k", k, _size), "n": listed("n", n, _size),
        "expansion": listed("expansion", expansion, _expansion),
        "depth": listed("depth", depth, _size), "hidden": listed("hidden", hidden, _size),
        "m": listed("m", m, _size), "l": listed("l", l, _size), "alpha": listed("alpha", alpha, _alpha),
        "repetition": list(range(count_value("repeat", listed("repeat", repeat, _size)[0], _CELLS))),
    }
    for kind in kinds:
        about = with_slug(kind)
        needed = ("l",) if about.paired else ("n", "m") if about.measured else ("n",)
        for name in needed:
            if not lists[name] and not (name == "n" and lists["expansion"]):
                raise InvalidInput("n or expansion" if name == "n" else name,
                                   f"at least one value for {kind}", "none")
    axes: list[list[Any]] = [values or [None] for values in lists.values()]
    if (count := len(kinds) * math.prod(map(len, axes))) > _CELLS:
        raise InvalidInput("the lists", f"at most {_CELLS:,} combinations", f"{count:,}")
    found: dict[Cell, None] = {}  # what does not apply is dropped, so some cells come twice
    for kind in kinds:
        for values in itertools.product(*axes):
            found[_cell(kind, dict(zip(lists, values, strict=True)))] = None
    return tuple(found)


def _cell(kind: str, values: dict[str, Any]) -> Cell:
    """The cell of these values, without those that do not apply."""
    expansion = values.pop("expansion")
    if expansion is not None:
        values["n"] = max(1, round(expansion * values["k"]))
    about = with_slug(kind)
    unused: tuple[str, ...] = (("n", "depth", "hidden", "m") if about.paired else
                               ("l", "alpha") if about.measured else ("m", "l"))
    if values["depth"] == 1:
        unused = (*unused, "hidden")
    return Cell(kind, **{**values, **dict.fromkeys(unused)})


def listed(thing: str, values: Any, convert: Callable[[Any], Value]) -> list[Value]:
    """One value or several as a list without repetitions; None: none at all."""
    if values is None:
        return []
    several = isinstance(values, Iterable) and not isinstance(values, str)
    try:
        found = list(dict.fromkeys(convert(value) for value in (values if several else [values])))
    except (TypeError, ValueError, OverflowError) as error:
        required = error.required if isinstance(error, InvalidInput) else "integers >= 1"
        raise InvalidInput(thing, required, repr(values)[:60]) from None
    if not found:
        raise InvalidInput(thing, "at least one value", "none")
    return found


def _size(value: Any) -> int:
    number = operator.index(value)
    if isinstance(value, bool) or number < 1:
        raise ValueError
    return number


def _expansion(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0) or isinstance(value, str):
        raise InvalidInput("expansion", "positive finite numbers", repr(value))
    return number


def _alpha(value: Any) -> float | str:
    return value if value == "best" else alpha_value(value)


def _one_of(names: Sequence[str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in names:
            raise InvalidInput("name", f"one of {', '.join(names)}", repr(value))
        return str(value)

    return convert


