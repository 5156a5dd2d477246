"""One condition of a report: its bracket, the scale it was bracketed at, and both as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wdccheck import result_files
from wdccheck.brackets import Bracket, Verdict
from wdccheck.kinds import named
from wdccheck.linalg.inputs import limit_value
from wdccheck.protocol.limit import Limit
from wdccheck.reports import thresholds
from wdccheck.rounded_text import between, down, item, up
from wdccheck.stops import Reason

if TYPE_CHECKING:
    from wdccheck.engines.calibration import Calibration

__all__ = ["Row"]

_STATE = {Reason.EXACT: "closed", Reason.GAP: "closed", Reason.CAP_ONLY: "upper is a cap",
          Reason.TIME: "time is up", Reason.INTERRUPTED: "interrupted", Reason.TARGET: "decided"}


@dataclass(frozen=True, eq=False)
class Row:
    """What is known of one condition.

    Attributes
    ----------
    bracket : Bracket
        ``lower <= eps <= upper`` at the row's alpha.
    calibration : Calibration or None
        How alpha was chosen; None where it was given, or where there is none.
    of : str
        Which network of a pair the layer belongs to, "B" or "C"; empty otherwise.
    note : str
        Where alpha comes from, if neither from the caller nor from a calibration.
    """

    bracket: Bracket
    calibration: Calibration | None = None
    of: str = ""
    note: str = ""

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
        if self.layer is None:
            return ""
        return f"layer {self.layer}" + (f" of {self.of}" if self.of else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, k); for a pair (l, n, p), for measurements (m, n)."""
        return tuple(self.bracket.condition["shape"])

    @property
    def size(self) -> str:
        """The shape in words."""
        n, *widths = self.shape
        return " and ".join(f"{n} x {k}" for k in widths)

    @property
    def alpha(self) -> float | None:
        """The scale; None for the RRIC, whose ratio is epsilon itself."""
        return None if self.bracket.alpha is None else float(self.bracket.alpha)

    @property
    def chosen(self) -> str:
        """Where alpha comes from, in words; empty where the caller gave it."""
        if self.calibration is None:
            return self.note
        return (f"for which {self._vacuous} is proved" if self.calibration.vacuous
                else "chosen to minimize eps/alpha")

    @property
    def scale(self) -> float:
        """What epsilon is compared with, alpha, or 1 where there is none."""
        return 1.0 if self.alpha is None else self.alpha

    @property
    def ratio_name(self) -> str:
        """What a verdict is about."""
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
    def empty(self) -> bool:
        """Whether it is a supremum over nothing."""
        reasons = {stop.reason for stop in self.bracket.stopped.values()}
        return self.bracket.upper == 0 and Reason.EMPTY in reasons

    @property
    def state(self) -> str:
        """What has become of the row, in a word or two."""
        if self.empty:
            return "nothing to bound"
        if self.calibration is not None and self.calibration.vacuous:
            return "vacuous"
        stop = self.bracket.stopped.get("upper")
        return "" if stop is None else _STATE.get(stop.reason, f"stopped by {stop.reason.value}")

    def limit(self, ratio: float) -> Limit:
        """What a verdict compares: epsilon/alpha with `ratio`, or epsilon where there is no alpha."""
        return Limit(limit_value("ratio", ratio), self.alpha)

    def verdict(self, ratio: float) -> Verdict:
        """Whether what is bounded is within :meth:`limit`, compared exactly."""
        return self.bracket.verdict(self.limit(ratio).eps)

    def to_dict(self, threshold: float | None = None) -> dict[str, Any]:
        """The row as plain JSON data; `margin` is the least factor by which eps is too large."""
        known, chosen = self.bracket, self.calibration
        if self.kind not in thresholds.EXPLICIT or self.of:  # the explicit threshold is not for these
            threshold = None
        return {
            "kind": self.kind,
            "layer": self.layer,
            "of": self.of,
            "shape": list(self.shape),
            "alpha": self.alpha,
            "lower": known.lower,
            "upper": result_files.encode_float(known.upper),
            "gap": result_files.encode_float(known.gap),
            "ratio_lower": self.ratio_lower,
            "ratio_upper": result_files.encode_float(self.ratio_upper),
            "margin": None if threshold is None else thresholds.margin(self.ratio_lower, threshold),
            "lower_by": known.lower_by,
            "upper_by": known.upper_by,
            "stopped": {side: str(stop) for side, stop in known.stopped.items()},
            "ratio_lower_any_alpha": None if chosen is None else chosen.lower,
            "vacuous": None if chosen is None else chosen.vacuous,
            "note": self.note,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], source: str = "row") -> Row:
        """Inverse of :meth:`to_dict` with the bracket beside it."""
        from wdccheck.engines.calibration import Calibration

        known, lower = Bracket.from_dict(data["bracket"], source), data["ratio_lower_any_alpha"]
        chosen = None if lower is None or known.alpha is None else Calibration(
            float(known.alpha), float(lower), bool(data["vacuous"]), float(known.alpha))
        return Row(known, chosen, str(data["of"]), str(data.get("note", "")))

    def to_line(self) -> str:
        """The row as one line of a table."""
        scale = "" if self.alpha is None else f"alpha {self.alpha:.6g}"
        place = self.place or ("last layers" if named(self.kind).paired else self.size)
        line = f"{self.kind:<11}{place:<14} {scale:<16}{self._ratio():<40} {self.state}"
        return line.rstrip()

    def to_text(self) -> str:
        """The row as `wdccheck` prints it, at most 100 columns wide."""
        known = self.bracket
        scale = "" if self.alpha is None else f", alpha = {self.alpha:.12g}"
        title = f"{self.name}: {self.size}{scale}" + (f", {self.chosen}" if self.chosen else "")
        if self.empty:
            return "\n".join([title, *item("eps = 0", str(known.stopped["upper"].detail))])
        lines = [title, f"    {between(known.lower, 'eps', known.upper):<40}  gap {up(known.gap, 3)}"]
        if self.alpha is not None:
            lines.append(f"    {self._ratio()}")
        lines += [*_side("lower", known.lower_by, known), *_side("upper", known.upper_by, known),
                  *self._calibrated(self._vacuous)]
        return "\n".join(lines)

    def _ratio(self) -> str:
        return between(self.ratio_lower, self.ratio_name, self.ratio_upper)

    @property
    def _vacuous(self) -> str:
        """epsilon/alpha of any large alpha."""
        return str(named(self.kind).critical)

    def _calibrated(self, least: str) -> list[str]:
        chosen = self.calibration
        if chosen is None:
            return []
        text = f"none brings eps/alpha below {down(chosen.lower, 9 if chosen.vacuous else 5)}"
        if chosen.vacuous:
            text += f", and every larger one gives {least}: the {self.kind} is vacuous here"
            text += ", it says nothing of this layer" if named(self.kind).per_layer else ""
        return item("any alpha", text)


def _side(side: str, engine: str, known: Bracket) -> list[str]:
    stop = known.stopped.get(side)
    name = re.sub(r"\b(\w+)\([^()]*=[^()]*\)$", r"\1", engine)  # an engine's parameters are in the JSON
    return item(side, name + (f"; stopped by {stop}" if stop else ""))
