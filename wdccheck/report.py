"""`certify` brackets every layer of a network; a `Report` says it as text, HTML, JSON or a table."""

from __future__ import annotations

import html
import math
import os
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck import certificate, parallel, thresholds
from wdccheck.arrays import alpha_value
from wdccheck.brackets import Bracket, Reason, Stop, Verdict
from wdccheck.calibration import kept_calibration
from wdccheck.conditions.joint_wdc import JointWDC
from wdccheck.conditions.wdc import WDC
from wdccheck.errors import InvalidInput
from wdccheck.network import ReLUNetwork
from wdccheck.printing import up
from wdccheck.progress import Event, Progress, Terminal, resolve
from wdccheck.rows import Row
from wdccheck.solve import Rng, bracket, default_engines, seed_sequence
from wdccheck.spectral import Spectral
from wdccheck.upper.branch_and_bound import BranchAndBound

__all__ = ["Report", "Row", "certify", "certify_layer"]

CALIBRATION_SHARE = 0.2  # of a layer's time
CLOSED = 0.002  # a layer counts as closed at this gap relative to `upper`, unless another is given

Layer = WDC | JointWDC
Shown = Progress | Callable[[Event], None] | bool | None


@dataclass(frozen=True, eq=False)
class Report:
    """Every layer of a network, bracketed.

    Attributes
    ----------
    rows : tuple of Row
        One per layer that was begun.
    dims : tuple of int
        n_0, ..., n_d of the network.
    sha256 : str
        Hash of the network.
    seed : str
        Entropy of the random numbers.
    interrupted : bool
        Whether Ctrl-C cut the report short.
    """

    rows: tuple[Row, ...]
    dims: tuple[int, ...]
    sha256: str
    seed: str
    interrupted: bool = False

    @property
    def threshold(self) -> float | None:
        """What [HV] Lemma 8 asks of eps/alpha at this depth; None for one layer."""
        return thresholds.explicit(len(self.dims) - 1)

    def verdict(self, eps: float) -> Verdict:
        """Whether every layer satisfies ``epsilon/alpha <= eps``: holds, violated or not known."""
        verdicts = {row.verdict(eps) for row in self.rows}
        if Verdict.VIOLATED in verdicts:
            return Verdict.VIOLATED
        complete = len(self.rows) == len(self.dims) - 1
        return Verdict.HOLDS if complete and verdicts == {Verdict.HOLDS} else Verdict.UNDECIDED

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON data: infinity becomes null."""
        import wdccheck

        return {
            "wdccheck": wdccheck.__version__,
            "kernel": wdccheck.kernel(),
            "network": {"dims": list(self.dims), "sha256": self.sha256},
            "seed": self.seed,
            "interrupted": self.interrupted,
            "threshold": self.threshold,
            "rows": [{**row.to_dict(self.threshold), "bracket": row.bracket.to_dict()}
                     for row in self.rows],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON, atomically; ``wc.verify`` checks such a file."""
        certificate.write(path, self.to_dict())

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises
        ------
        InvalidInput
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise InvalidInput("to_frame", "pandas (pip install 'wdccheck[pandas]')",
                               "no such package") from None
        return pandas.DataFrame([row.to_dict(self.threshold) for row in self.rows])

    def to_text(self) -> str:
        """The report as `wdccheck certify` prints it."""
        dims = "-".join(str(n) for n in self.dims)
        head = [
            textwrap.fill(f"WDC of the ReLU network {dims}, sha256 {self.sha256[:8]}, seed {self.seed}", 100),
            "eps: the largest ||A_{r,s} - alpha Q_{r,s}|| over all directions r, s ([HV] Def. 2). Every",
            "bound is proved; printed digits are rounded outward.",
        ]
        blocks = ["\n".join(head), *(row.to_text(self.threshold) for row in self.rows)]
        if self.interrupted:
            begun, depth = len(self.rows), len(self.dims) - 1
            blocks.append(f"interrupted: {begun} of {depth} layers begun; what stands above is proved")
        others = [t for t in thresholds.thresholds(len(self.dims) - 1) if t.value is None]
        blocks.append("\n".join(["theorems without a margin",
                                 *(f"    {t.theorem}: {t.reason}" for t in others)]))
        return "\n\n".join(blocks)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_text())}</pre>"


def certify(
    net: ReLUNetwork | Any, measurements: None = None, *, alpha: float | str = "best",
    gap: float | None = None, target: float | None = None, time_limit: float | None = 180,
    workers: int = 1, rng: Rng = 0, progress: Shown = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Report:
    """Bracket the WDC constant of every layer of a network.

    Parameters
    ----------
    net : ReLUNetwork or what it accepts
        Layers of shape (n_i, n_{i-1}).
    measurements : None
        Reserved for the RRIC, which this version does not bound.
    alpha : float or "best"
        The scale of every layer; "best" minimizes epsilon/alpha layer by layer (Fact 4).
    gap : float, optional
        ``upper - lower`` of epsilon at which a layer is closed enough; by default 0.2 % of `upper`.
    target : float, optional
        Stop a layer once it is decided whether ``epsilon/alpha <= target``.
    time_limit : float or None
        Seconds for all layers; what one leaves over goes to the next.
    workers : int
        Processes; -1 for every core.
    rng : int, SeedSequence or Generator
        Source of the random numbers.
    progress : bool, callable or Progress, optional
        True: live on stderr.
    checkpoint : path of a folder, optional
        Holds one file per layer; an interrupted call resumes from it.

    Returns
    -------
    Report

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> report = wc.certify([np.eye(2), np.eye(2)], alpha=1.0, time_limit=5)
    >>> [row.bracket.lower <= 1 <= row.bracket.upper for row in report.rows]
    [True, True]
    """
    if measurements is not None:
        raise InvalidInput("measurements", "None (the RRIC is not in this version)",
                           type(measurements).__name__)
    network = net if isinstance(net, ReLUNetwork) else ReLUNetwork(net)
    _check(alpha, time_limit)
    start, seed, rows = time.monotonic(), seed_sequence(rng), []
    for layer, W in enumerate(network.layers, 1):
        share = None
        if time_limit is not None:
            share = max((start + time_limit - time.monotonic()) / (network.depth - layer + 1), 0.01)
        rows.append(certify_layer(
            WDC(W, layer=layer), alpha=alpha, gap=gap, target=target, time_limit=share, workers=workers,
            rng=seed, progress=progress, checkpoint=_file(checkpoint, layer)))
        if _interrupted(rows[-1].bracket):
            break
    return Report(tuple(rows), tuple(network.dims), network.sha256, str(seed.entropy),
                  _interrupted(rows[-1].bracket))


def certify_layer(
    condition: Layer, *, alpha: float | str = "best", gap: float | None = None,
    target: float | None = None, time_limit: float | None = None, workers: int = 1, rng: Rng = 0,
    progress: Shown = None, checkpoint: str | os.PathLike[str] | None = None,
) -> Row:
    """One row of :func:`certify`; `checkpoint` is a file here.

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.report import certify_layer
    >>> certify_layer(wc.WDC(np.eye(2)), alpha=1.0, time_limit=5).ratio_lower <= 1
    True
    """
    _check(alpha, time_limit)
    start, shown, workers = time.monotonic(), _titled(progress, condition.layer), parallel.available(workers)
    chosen = None
    if alpha == "best":
        limit = None if time_limit is None else CALIBRATION_SHARE * time_limit
        shown.update(Event("calibration of alpha", 0.0, math.inf, 0, None, "rounds", 0.0))
        try:
            chosen = kept_calibration(condition, _alpha_file(checkpoint), limit, workers, rng)
        except KeyboardInterrupt:
            shown.close()
            return _closed_formulas(condition, rng)
    if chosen is not None:  # what is printed is the alpha that is used; up, lest 1/2 be no longer proved
        alpha = float(up(chosen.proved_alpha, 6))
    condition = condition.with_alpha(alpha_value(alpha))
    left = None if time_limit is None else max(time_limit - (time.monotonic() - start), 0.01)
    goal = None if target is None else target * condition.alpha
    proof = BranchAndBound(rtol=CLOSED) if gap is None else BranchAndBound(gap=gap, rtol=0.0)
    known = bracket(condition, *default_engines(condition, proof, goal), rng=rng, workers=workers,
                    time_limit=left, target=goal, checkpoint=checkpoint, progress=shown)
    return Row(known, chosen)


def _alpha_file(checkpoint: str | os.PathLike[str] | None) -> Path | None:
    try:
        return None if checkpoint is None else Path(checkpoint).with_suffix(".alpha.json")
    except (TypeError, ValueError):
        raise InvalidInput("checkpoint", "the name of a file", repr(checkpoint)[:60]) from None


def _closed_formulas(condition: Layer, rng: Rng) -> Row:
    """The row of a layer whose search for alpha was interrupted: at the alpha that its trace suggests."""
    # a Gaussian layer N(0, alpha/n) has trace(W^T W)/k near alpha; of a pair, the product
    layers = (condition.W,) if isinstance(condition, WDC) else (condition.B, condition.C)
    alpha = math.prod(float(np.sum(np.square(W)) / W.shape[1]) for W in layers)
    if not (math.isfinite(alpha) and alpha > 0):
        alpha = 1.0
    known = bracket(condition.with_alpha(alpha), Spectral(), rng=rng)
    stop = Stop(Reason.INTERRUPTED, "while alpha was sought; closed formulas only")
    return Row(replace(known, stopped={"lower": stop, "upper": stop}))


def _check(alpha: float | str, time_limit: float | None) -> None:
    if isinstance(alpha, str):
        if alpha != "best":
            raise InvalidInput("alpha", "a positive finite number or 'best'", repr(alpha)[:60])
    else:
        alpha_value(alpha)
    if time_limit is not None and not (isinstance(time_limit, int | float) and time_limit > 0):
        raise InvalidInput("time_limit", "a number of seconds > 0, or None", repr(time_limit)[:60])


def _file(folder: str | os.PathLike[str] | None, layer: int) -> Path | None:
    if folder is None:
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("checkpoint", "a folder", f"{folder}: {error.strerror}") from None
    return Path(folder) / f"layer{layer}.json"


def _titled(progress: Shown, layer: int | None) -> Progress:
    return resolve(Terminal(f"layer {layer}: ") if progress is True and layer else progress)


def _interrupted(known: Bracket) -> bool:
    return any(stop.reason is Reason.INTERRUPTED for stop in known.stopped.values())
