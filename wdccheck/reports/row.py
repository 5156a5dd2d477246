"""One condition of a report: its bracket, the scale it was bracketed at, and both as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wdccheck import result_files
from wdccheck.brackets import Bracket, Verdict
from wdccheck.engines.least_ratio import LeastRatio, least_upper
from wdccheck.engines.lines import NEARLY
from wdccheck.kinds import named
from wdccheck.linalg.inputs import limit_value
from wdccheck.protocol.limit import Limit
from wdccheck.reports import thresholds
from wdccheck.reports.closeness import CLOSED, meet
from wdccheck.reports.isometry import Isometry
from wdccheck.reports.side import side_lines
from wdccheck.rounded_text import between, down, item, shortest, up, wrapped
from wdccheck.stops import Reason

__all__ = ["Row"]

_HARDLY = 0.01  # of the vacuous value: a minimum this near says hardly anything
_STATE = {Reason.CAP_ONLY: "upper is a cap", Reason.TIME: "time is up", Reason.NODES: "nodes used up",
          Reason.BUDGET: "budget used up", Reason.EXHAUSTED: "proof exhausted",
          Reason.EXACT: "upper is exact", Reason.MEMORY: "out of memory",
          Reason.INTERRUPTED: "interrupted", Reason.TARGET: "decided"}


@dataclass(frozen=True, eq=False)
class Row:
    """What is known of one condition.

    Attributes
    ----------
    bracket : Bracket
        ``lower <= eps <= upper`` at the row's alpha.
    least : LeastRatio or None
        Bounds on the minimum of eps/alpha over all alpha; None where there is no alpha.
    of : str
        Which network of a pair the layer belongs to, "B" or "C"; empty otherwise.
    note : str
        Where alpha comes from, in words; empty where the caller gave it.
    scope : str
        What is asked: "best", the minimum over all alpha; "given", the bracket at the caller's alpha;
        "pair", the same at an alpha that the rows of a pair share.
    isometry : Isometry or None
        What the same measurements do to lengths, if that was asked for.
    """

    bracket: Bracket
    least: LeastRatio | None = None
    of: str = ""
    note: str = ""
    scope: str = "given"
    isometry: Isometry | None = None

    @property
    def interrupted(self) -> bool:
        """Whether one of its searches was."""
        return self.bracket.interrupted or (self.isometry is not None and self.isometry.interrupted)

    @property
    def kind(self) -> str:
        """The name of its kind (:mod:`wdccheck.kinds`)."""
        return str(self.bracket.condition["kind"])

    @property
    def layer(self) -> int | None:
        """Counted from 1, as in the papers; None for a lone matrix, a pair, measurements."""
        layer = self.bracket.condition.get("layer")
        return None if layer is None else int(layer)

    @property
    def name(self) -> str:
        """The condition and what it is of."""
        return f"{self.kind} of {self.place}" if self.place else self.kind

    @property
    def place(self) -> str:
        """The layer, and the network of a pair; empty where there is none."""
        return "" if self.layer is None else f"layer {self.layer}" + (f" of {self.of}" if self.of else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, k); for a pair (l, n, p), for measurements (m, n)."""
        return tuple(self.bracket.condition["shape"])

    @property
    def size(self) -> str:
        """The shape in words."""
        return " and ".join(f"{self.shape[0]} x {k}" for k in self.shape[1:])

    @property
    def alpha(self) -> float | None:
        """The scale; None for the RRIC, whose ratio is epsilon itself."""
        return None if self.bracket.alpha is None else float(self.bracket.alpha)

    @property
    def scale(self) -> float:
        """What epsilon is compared with, alpha, or 1 where there is none."""
        return 1.0 if self.alpha is None else self.alpha

    @property
    def ratio_name(self) -> str:
        """What is bounded at the row's alpha."""
        return "eps" if self.alpha is None else "eps/alpha"

    @property
    def ratio_lower(self) -> float:
        """A float at most ``lower / alpha``."""
        return self.bracket.ratio_lower

    @property
    def ratio_upper(self) -> float:
        """A float at least ``upper / alpha``."""
        return self.bracket.ratio_upper

    @property
    def dimension(self) -> int:
        """The largest dimension of a direction: of the input of a layer, of the latent codes of a range."""
        over_range = named(self.kind).over_range and self.layer != 1  # the range before layer 1 is all of R^k
        return int(self.bracket.condition["options"]["dims"][0]) if over_range else max(self.shape[1:])

    @property
    def empty(self) -> bool:
        """Whether it is a supremum over nothing."""
        reasons = {stop.reason for stop in self.bracket.stopped.values()}
        return self.bracket.upper == 0 and Reason.EMPTY in reasons

    @property
    def headline(self) -> tuple[float, str, float]:
        """The bounds that count, and what they are on: the minimum over alpha, unless a pair shares one."""
        if self.least is None or self.scope == "pair":
            return self.ratio_lower, self.ratio_name, self.ratio_upper
        return self.least.lower, "min eps/alpha", self.least.upper

    @property
    def bounds(self) -> str:
        """The headline as text."""
        lower, name, upper = self.headline
        return self.at_alpha if name == self.ratio_name else between(lower, name, upper)

    @property
    def at_alpha(self) -> str:
        """The bounds at the row's alpha as text."""
        if math.isinf(self.ratio_upper) and math.isfinite(self.bracket.upper):
            return f"{down(self.ratio_lower)} <= {self.ratio_name} (the upper bound is beyond floats)"
        return between(self.ratio_lower, self.ratio_name, self.ratio_upper)

    @property
    def vacuous(self) -> bool:
        """Whether no alpha brings eps/alpha below the value of every large one, but for a part in 10**6."""
        critical = float(named(self.kind).critical)
        return self.least is not None and self.least.lower >= critical * (1 - NEARLY)

    @property
    def settled(self) -> bool:
        """Whether the headline is closed; the minimum over alpha to twice the gap of a bracket at one."""
        lower, name, upper = self.headline
        return meet(lower, upper, CLOSED if name == self.ratio_name else 2 * CLOSED)

    @property
    def state(self) -> str:
        """What has become of the row, in a word or two; the bounds are looked at before the reasons."""
        if self.empty:
            return "nothing to bound"
        if self.scope != "pair" and self.least is not None:
            critical = float(named(self.kind).critical)
            short = 1 - self.least.lower / critical
            if self.vacuous:
                return "vacuous"
            if short <= _HARDLY:
                return f"vacuous to {up(100 * short, 2)} %"
        if self.settled:
            return "closed"
        stop, name = self.bracket.stopped.get("upper"), self.headline[1]
        done = stop is not None and stop.reason is Reason.GAP
        if done or meet(self.ratio_lower, self.ratio_upper):
            return "closed" if name == self.ratio_name else f"closed at alpha = {shortest(self.scale)}"
        if stop is None:
            return ""
        if self.capped:
            return _STATE[Reason.CAP_ONLY]
        here = stop.reason is Reason.TARGET and self._over_alpha and f"whether {name}" not in stop.detail
        return _STATE.get(stop.reason, str(stop.reason)) + (" at this alpha" if here else "")

    @property
    def capped(self) -> bool:
        """Whether branch and bound ran, and dimensions are so large that no time lowers a closed formula."""
        stop = self.bracket.stopped.get("upper")
        return (stop is not None and stop.reason in (Reason.TIME, Reason.NODES)
                and self.dimension > named(self.kind).reach and "BranchAndBound" not in self.bracket.upper_by)

    def asks(self, ratio: float) -> str:
        """What a verdict compares: with an alpha that was given, eps/alpha there; else its minimum."""
        limit = Limit(limit_value("ratio", ratio), self.alpha)
        return f"min {limit.words}" if self._over_alpha else str(limit)

    def verdict(self, ratio: float) -> Verdict:
        """Whether what :meth:`asks` says is proved, refuted, or neither; compared exactly."""
        limit = Limit(limit_value("ratio", ratio), self.alpha)
        if not self._over_alpha or self.least is None:
            return self.bracket.verdict(limit.eps)
        if self.least.upper <= limit.value:
            return Verdict.HOLDS
        return Verdict.VIOLATED if self.least.lower > limit.value else Verdict.UNDECIDED

    @property
    def _over_alpha(self) -> bool:
        return self.scope == "best" and self.least is not None

    def to_dict(self, threshold: float | None = None) -> dict[str, Any]:
        """The row as plain JSON data; `margin` is the least factor by which eps/alpha is too large."""
        known, least = self.bracket, self.least
        if self.kind not in thresholds.EXPLICIT or self.of:  # the explicit threshold is not for these
            threshold = None
        lowest = self.ratio_lower if least is None else least.lower
        return {
            "kind": self.kind,
            "layer": self.layer,
            "of": self.of,
            "shape": list(self.shape),
            "alpha": self.alpha,
            "scope": self.scope,
            "lower": known.lower,
            "upper": result_files.encode_float(known.upper),
            "gap": result_files.encode_float(known.gap),
            "ratio_lower": self.ratio_lower,
            "ratio_upper": result_files.encode_float(self.ratio_upper),
            "least_lower": None if least is None else least.lower,
            "least_upper": None if least is None else least.upper,
            "least_upper_by": None if least is None else least.upper_by,
            "margin": None if threshold is None else thresholds.margin(lowest, threshold),
            "vacuous": None if least is None else self.vacuous,
            "state": self.state,
            "lower_by": known.lower_by,
            "upper_by": known.upper_by,
            "stopped": {side: str(stop) for side, stop in known.stopped.items()},
            "note": self.note,
        }

    def to_json(self, threshold: float | None = None) -> dict[str, Any]:
        """The row with its bracket and the witnesses of the minimum: what :meth:`from_dict` reads."""
        least = None if self.least is None else self.least.to_dict()
        return {**self.to_dict(threshold), "least": least, "bracket": self.bracket.to_dict(),
                **({} if self.isometry is None else {"isometry": self.isometry.to_dict()})}

    @staticmethod
    def from_dict(data: Mapping[str, Any], source: str = "row") -> Row:
        """Inverse of :meth:`to_json`, of data whose form has been checked."""
        known, found = Bracket.from_dict(data["bracket"], source), None
        if data.get("least") is not None:
            found = LeastRatio.from_dict(data["least"])
        elif data.get("ratio_lower_any_alpha") is not None:  # schema 1
            found = LeastRatio(float(data["ratio_lower_any_alpha"]), *least_upper(known))
        shared = bool(data["of"]) or named(known.condition["kind"]).paired
        scope = "pair" if shared else "given" if found is None else "best"
        return Row(known, found, data["of"], data.get("note", ""), data.get("scope", scope),
                   Isometry.from_dict(data["isometry"], source) if "isometry" in data else None)

    def to_line(self) -> str:
        """The row as one line of a table."""
        place = self.place or ("last layers" if named(self.kind).paired else self.size)
        line = f"{self.kind:<11}{place:<16}{self.bounds:<40}  "
        if self.scope == "pair" and self.alpha is not None:
            line += f"alpha = {shortest(self.alpha)}  "
        return (line + self.state).rstrip()

    def to_text(self) -> str:
        """The row as `wdccheck` prints it, at most 100 columns wide."""
        known, title = self.bracket, f"{self.name}: {self.size}"
        if self.empty:
            return "\n".join([title, *item("eps = 0", str(known.stopped["upper"].detail))])
        lines = [title, *([] if self.least is None else self._minimum(self.least))]
        gap = f"gap {up(known.gap, 3)}"
        if self.alpha is not None:
            chosen = f"    at alpha = {shortest(self.alpha)}" + (f", {self.note}" if self.note else "")
            lines += [*wrapped(chosen), f"    {self.at_alpha}"]
        lines.append(f"    {between(known.lower, 'eps', known.upper):<40}  {gap}")
        lines += [*side_lines("lower", known.lower_by, known), *side_lines("upper", known.upper_by, known)]
        lines += self.isometry.to_lines() if self.isometry else []
        return "\n".join(lines)

    def _minimum(self, least: LeastRatio) -> list[str]:
        """The bounds on the minimum over alpha, and what gives them."""
        text = between(least.lower, "min eps/alpha", least.upper)
        lower = least.lower_by + (", at every alpha (Fact 4)" if least.witnesses else "")
        lines = [f"    {text}", *item("lower", lower), *item("upper", least.upper_by)]
        if self.vacuous:
            critical = named(self.kind).critical
            says = "the condition says nothing of this layer" if named(self.kind).per_layer else (
                "the condition says nothing here")
            lines += item("vacuous", f"to one part in a million no alpha brings eps/alpha below {critical}, "
                                     f"the value of a matrix of zeros: {says}")
        return lines
