"""One row of a report, and what all rows share: the time, the seed, where they are kept."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wdccheck.brackets import Bracket
from wdccheck.certification.first_layer import first_layer
from wdccheck.certification.of_range import isometry
from wdccheck.certification.over_alpha import Task, goal_of, scaled_row
from wdccheck.conditions.r2wdc.definition import R2WDC
from wdccheck.conditions.wdc.definition import WDC
from wdccheck.engines.loop import Rng, seed_sequence
from wdccheck.errors import InvalidInput
from wdccheck.linalg.inputs import alpha_value
from wdccheck.protocol.condition import Condition, Scaled
from wdccheck.reports.isometry import Isometry
from wdccheck.reports.row import Row
from wdccheck.running import parallel
from wdccheck.running.progress import Event, Progress, Terminal, resolve
from wdccheck.weights.network import ReLUNetwork

__all__ = ["RowSettings", "Shown", "certify_condition", "check_alpha", "gathered"]

RESERVE = 0.03  # of the whole time: engines end a block of work that they have begun

Shown = Progress | Callable[[Event], None] | bool | None


def gathered(rows: Iterable[Row]) -> tuple[tuple[Row, ...], bool]:
    """The rows up to the first that was interrupted, and whether one was; nothing at all raises."""
    found: list[Row] = []
    try:
        for row in rows:
            found.append(row)
            if row.interrupted:
                return tuple(found), True
    except KeyboardInterrupt:
        if not found:
            raise
        return tuple(found), True
    return tuple(found), False


@dataclass(frozen=True, eq=False)
class RowSettings:
    """What the rows of a report share."""

    gap: float | None
    ratio: float | None
    deadline: float
    workers: int
    seed: np.random.SeedSequence
    progress: Shown
    folder: Path | None

    @staticmethod
    def of(
        gap: float | None, ratio: float | None, time_limit: float | None, workers: int, rng: Rng,
        progress: Shown, checkpoint: str | os.PathLike[str] | None,
    ) -> RowSettings:
        """Arguments of ``certify``, checked; the clock starts."""
        _check_time(time_limit)
        goal_of(1.0, None, ratio)
        deadline = math.inf if time_limit is None else time.monotonic() + (1 - RESERVE) * time_limit
        return RowSettings(gap, ratio, deadline, parallel.available(workers), seed_sequence(rng), progress,
                      None if checkpoint is None else _folder(checkpoint))

    def row(
        self, condition: Condition, alpha: float | str, jobs: int, *, of: str = "", above: Row | None = None,
    ) -> Row:
        """One row, with an equal share of the time left for `jobs` rows."""
        share = None if math.isinf(self.deadline) else max((self.deadline - time.monotonic()) / jobs, 0.01)
        about = Row(Bracket(condition.describe()), of=of)
        file = "-".join([about.kind.lower(), *(str(x) for x in (of, about.layer) if x)])
        title = about.name
        found = certify_condition(
            condition, alpha=alpha, gap=self.gap, ratio=self.ratio, time_limit=share,
            workers=self.workers, rng=self.seed, above=above, shared=bool(of),
            progress=Terminal(f"{title}: ") if self.progress is True else self.progress,
            checkpoint=None if self.folder is None else self.folder / f"{file}.json")
        return replace(found, of=of)

    def isometry(self, A: Any, net: ReLUNetwork) -> Isometry:
        """Both isometry constants in the time left."""
        share = None if math.isinf(self.deadline) else max(self.deadline - time.monotonic(), 0.01)
        return isometry(A, net, time_limit=share, workers=self.workers, rng=self.seed, progress=self.progress)


def certify_condition(
    condition: Condition, *, alpha: float | str = "best", gap: float | None = None,
    eps: float | None = None, ratio: float | None = None, time_limit: float | None = None, workers: int = 1,
    rng: Rng = 0, progress: Shown = None, checkpoint: str | os.PathLike[str] | None = None,
    above: Row | None = None, shared: bool = False,
) -> Row:
    """One row of a report; `checkpoint` is a file here.

    Parameters
    ----------
    condition : Condition
        Where it has a scale, `alpha` replaces it.
    eps, ratio : float, optional
        Stop once it is decided whether ``epsilon <= eps``, or ``epsilon/alpha <= ratio``, of its minimum
        over alpha where `alpha` is "best"; without a scale, both are epsilon's. At most one of them.
    above : Row, optional
        The row of the WDC of the layer, where the condition is its R2WDC (Fact 12).
    shared : bool
        Whether other rows share the alpha: `ratio` is compared at it, also where it is sought.

    Raises
    ------
    InvalidInput
        An argument cannot be used.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.certification.of_condition import certify_condition
    >>> certify_condition(wc.WDC(np.eye(2)), alpha=1.0, time_limit=5).ratio_lower <= 1
    True
    """
    check_alpha(alpha)
    _check_time(time_limit)
    goal_of(1.0, eps, ratio)
    if isinstance(condition, R2WDC) and condition.layer == 1:
        row = certify_condition(
            WDC(condition.net.layers[0], layer=1), alpha=alpha, gap=gap, eps=eps, ratio=ratio,
            time_limit=time_limit, workers=workers, rng=rng, progress=progress, checkpoint=checkpoint)
        return first_layer(row, condition)
    task = Task(gap, eps, ratio, time_limit, parallel.available(workers), rng, resolve(progress), checkpoint,
                shared)
    if isinstance(condition, Scaled):
        return scaled_row(condition, alpha, task, above)
    return Row(task.bracket(condition, 1.0))


def check_alpha(alpha: float | str) -> None:
    """Refuse what is neither "best" nor a scale."""
    if isinstance(alpha, str):
        if alpha != "best":
            raise InvalidInput("alpha", "a positive finite number or 'best'", repr(alpha)[:60])
    else:
        alpha_value(alpha)


def _check_time(time_limit: float | None) -> None:
    if time_limit is not None and not (isinstance(time_limit, int | float) and time_limit > 0):
        raise InvalidInput("time_limit", "a number of seconds > 0, or None", repr(time_limit)[:60])


def _folder(folder: str | os.PathLike[str]) -> Path:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("checkpoint", "a folder", f"{folder}: {error.strerror}") from None
    return Path(folder)
