"""A `Report` holds the rows of `certify`, and says them as text, HTML, JSON or a table."""

from __future__ import annotations

import html
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck import result_files
from wdccheck.brackets import Verdict
from wdccheck.errors import InvalidInput
from wdccheck.kinds import KINDS, named
from wdccheck.reports import html as report_html
from wdccheck.reports import markdown, thresholds
from wdccheck.reports.margins import asks, theorems
from wdccheck.reports.markdown import Content
from wdccheck.reports.pandas_frame import frame
from wdccheck.reports.row import Row
from wdccheck.result_files import schema
from wdccheck.rounded_text import WIDTH, wrapped
from wdccheck.seeds import Seed, decode_seed, encode_seed, seed_text
from wdccheck.version import made_by
from wdccheck.weights.network import ReLUNetwork
from wdccheck.weights.origin import Origin

__all__ = ["Report", "Weights"]


@dataclass(frozen=True)
class Weights:
    """Which network: n_0, ..., n_d, and the hash of its layers; where known, its file and the layers."""

    dims: tuple[int, ...]
    sha256: str
    origin: Origin | None = None
    layers: tuple[np.ndarray, ...] = field(default=(), repr=False, compare=False)

    @staticmethod
    def of(net: ReLUNetwork) -> Weights:
        """Those of a network, with its layers: pictures of witnesses need them."""
        return Weights(tuple(net.dims), net.sha256, net.origin, net.layers)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Weights:
        """What :meth:`to_dict` gives; without the layers."""
        origin = Origin.from_dict(data["origin"]) if "origin" in data else None
        return Weights(tuple(int(n) for n in data["dims"]), str(data["sha256"]), origin)

    def __str__(self) -> str:
        return f"{'-'.join(str(n) for n in self.dims)}, sha256 {self.sha256[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        data = {"dims": list(self.dims), "sha256": self.sha256}
        return data if self.origin is None else {**data, "origin": self.origin.to_dict()}


@dataclass(frozen=True, eq=False)
class Report:
    """Every condition of a network and its measurements, or of a demodulation pair, bracketed.

    Attributes
    ----------
    rows : tuple of Row
        One per condition that was begun. Of a network: WDC and R2WDC of every layer, RRIC. Of a
        pair: WDC of every layer of B, of every layer of C, the joint-WDC of the last layers.
    networks : mapping of str to Weights
        The one network under "", or those of a pair under "B" and "C".
    seed : int or SeedSequence
        The `rng` that gives the random numbers again.
    interrupted : bool
        Whether Ctrl-C cut the report short.
    measurements : mapping
        For a network, `shape` (m, n), and `drawn`, whether A was drawn from the seed.
    program : mapping of str to str
        `wdccheck` and `kernel`: the version and the kernel that made it.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> report = wc.certify([np.eye(2)], alpha=1.0, time_limit=5)
    >>> report.dims, [row.kind for row in report.rows], report.verdict(0.5).value
    ((2, 2), ['WDC', 'R2WDC', 'RRIC'], 'violated')
    """

    rows: tuple[Row, ...]
    networks: Mapping[str, Weights]
    seed: Seed
    interrupted: bool = False
    measurements: Mapping[str, Any] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=made_by)

    @property
    def dims(self) -> tuple[int, ...]:
        """n_0, ..., n_d of the network; of a pair, those of B."""
        return next(iter(self.networks.values())).dims

    @property
    def sha256(self) -> str:
        """Hash of the network; of a pair, that of B."""
        return next(iter(self.networks.values())).sha256

    @property
    def total(self) -> int:
        """The number of rows of a report that nothing cut short."""
        depths = [len(one.dims) - 1 for one in self.networks.values()]
        return sum(depths) + 1 if self._pair else 2 * depths[0] + 1

    @property
    def threshold(self) -> float | None:
        """What [HV] Lemma 8 and [C] Lemma 5.3 ask of eps/alpha at this depth; None for one layer, a pair."""
        return None if self._pair else thresholds.explicit(len(self.dims) - 1)

    def verdict(self, ratio: float) -> Verdict:
        """Whether every row has ``epsilon/alpha <= ratio`` (RRIC: epsilon): holds, violated or not known."""
        verdicts = {row.verdict(ratio) for row in self.rows}
        if Verdict.VIOLATED in verdicts:
            return Verdict.VIOLATED
        complete = len(self.rows) == self.total
        return Verdict.HOLDS if complete and verdicts == {Verdict.HOLDS} else Verdict.UNDECIDED

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON data: infinity becomes null."""
        networks = {name: one.to_dict() for name, one in self.networks.items()}
        subject = {"pair": networks} if self._pair else {
            "network": networks[""], "measurements": dict(self.measurements)}
        return {
            **self.program,
            **subject,
            "seed": encode_seed(self.seed),
            "interrupted": self.interrupted,
            "threshold": self.threshold,
            "rows": [row.to_json(self.threshold) for row in self.rows],
        }

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Report:
        """Read what :meth:`save` wrote; nothing is checked again, that is what ``wc.verify`` is for.

        Large layers are not in the file: their witnesses are not drawn.

        Raises
        ------
        InvalidInput
            The file is no report.

        Examples
        --------
        >>> import os, tempfile, numpy as np, wdccheck as wc
        >>> path = os.path.join(tempfile.mkdtemp(), "report.json")
        >>> wc.certify([np.eye(2)], alpha=1.0, time_limit=5).save(path)
        >>> wc.Report.load(path).to_html().startswith("<!DOCTYPE html>")
        True
        """
        data = result_files.read(path)
        schema.check_report(data, str(path))
        try:
            networks = data["pair"] if "pair" in data else {"": data["network"]}
            rows = [Row.from_dict(row, f"{path}: row {i}") for i, row in enumerate(data["rows"], 1)]
            sizes = {kind.name: kind.sizes for kind in KINDS}
            if not rows or any(sizes.get(row.kind) != len(row.shape) for row in rows) or not all(
                    isinstance(n, int) and n > 0 for row in rows for n in row.shape):
                raise InvalidInput(str(path), f"rows of {', '.join(sizes)}", "others, or none")
            return Report(
                tuple(rows),
                {str(name): Weights.from_dict(one) for name, one in networks.items()},
                decode_seed(data["seed"]), bool(data["interrupted"]), dict(data.get("measurements", {})),
                {name: str(data[name]) for name in ("wdccheck", "kernel")})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(str(path), "a report as written by certify", str(error)[:100]) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON, atomically; ``wc.verify`` checks such a file."""
        result_files.write(path, self.to_dict())

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises
        ------
        InvalidInput
            pandas is not installed.
        """
        return frame(row.to_dict(self.threshold) for row in self.rows)

    def to_text(self) -> str:
        """The report as `wdccheck certify` prints it: a table, what the theorems ask, the details."""
        subject, *others = self._head()
        head = [*textwrap.wrap(subject, WIDTH), *(line for one in others for line in wrapped(one))]
        blocks = ["\n".join(head), "\n".join(row.to_line() for row in self.rows)]
        if self.interrupted:
            blocks.append(self._cut())
        blocks.append("\n".join(["what the theorems ask", *theorems(self.rows, self._depths)]))
        for kind in dict.fromkeys(row.kind for row in self.rows):
            own = [row.to_text() for row in self.rows if row.kind == kind]
            blocks += [f"---- {named(kind).heading}", *own]
        return "\n\n".join(blocks)

    def to_html(self, command: str = "") -> str:
        """The report as a page that needs no other file: brackets, witnesses, what they mean.

        Parameters
        ----------
        command : str
            The command line or the call that made the report, quoted under "provenance".
        """
        return report_html.page(self._content(command), {n: one.layers for n, one in self.networks.items()})

    def to_markdown(self, command: str = "") -> str:
        """The same without drawings, as Markdown; `command` as for :meth:`to_html`."""
        return markdown.page(self._content(command))

    def write(self, folder: str | os.PathLike[str], command: str = "") -> None:
        """Write report.html, report.json and report.md into an existing folder, whole or not at all.

        Raises
        ------
        InvalidInput
            The folder cannot be written.
        """
        into = Path(folder)
        result_files.write_all({
            into / "report.json": result_files.text_of(self.to_dict()).encode(),
            into / "report.md": self.to_markdown(command).encode(),
            into / "report.html": self.to_html(command).encode()})

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_text())}</pre>"

    def _cut(self) -> str:
        if not self.interrupted:
            return ""
        return f"interrupted: {len(self.rows)} of {self.total} rows begun; the bounds on them are proved"

    def _head(self) -> list[str]:
        """What the rows are about: the networks and their files, the measurements."""
        names = [f"{name}: {one}" if name else f"ReLU network {one}" for name, one in self.networks.items()]
        begun = ["demodulation pair"] if self._pair else []
        lines = ["; ".join([*begun, *names, f"seed {seed_text(self.seed)}"])]
        if self.measurements:
            m, n = self.measurements["shape"]
            lines.append(f"measurements A: {m} x {n}" + (
                f", drawn N(0, 1/{m}) from the seed, since none were given" if self.measurements["drawn"]
                else ", given"))
        for one in self.networks.values():
            lines += one.origin.lines() if one.origin else []
        return [*lines, "Every bound is proved; printed digits are rounded outward."]

    def _content(self, command: str) -> Content:
        provenance = {
            "program": "wdccheck {wdccheck}, kernel {kernel}".format_map(self.program),
            **({"command": command} if command else {}), "seed": seed_text(self.seed),
            **{f"weights {name}".strip(): f"{'-'.join(map(str, one.dims))}, sha256 {one.sha256}"
               for name, one in self.networks.items()}}
        return Content(self._head(), self.rows, tuple(asks(self.rows, self._depths)),
                       None if self._pair else self._depths[0], provenance, self._cut())

    @property
    def _pair(self) -> bool:
        return len(self.networks) == 2

    @property
    def _depths(self) -> tuple[int, ...]:
        return tuple(len(one.dims) - 1 for one in self.networks.values())
