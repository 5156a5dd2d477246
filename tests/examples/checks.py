"""What `verify` says, in short: the outcomes of the checks that count."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import wdccheck as wc
from wdccheck.checker import Check
from wdccheck.errors import InvalidInput

__all__ = ["denied", "outcomes", "proved", "refuted", "stands"]


def outcomes(checks: Iterable[Check]) -> list[str]:
    """In order."""
    return [str(check.outcome) for check in checks if check.counts]


def proved(checks: Iterable[Check]) -> bool:
    """Everything."""
    return set(outcomes(checks)) == {"proved"}


def stands(checks: Iterable[Check]) -> bool:
    """Everything that was looked at."""
    return set(outcomes(checks)) <= {"proved", "recorded"}


def refuted(checks: Iterable[Check]) -> list[Check]:
    """Those that are."""
    return [check for check in checks if check.outcome == "refuted"]


def denied(path: str | os.PathLike[str], **options: Any) -> bool:
    """Whether a file is refused, or something in it is refuted."""
    try:
        return bool(refuted(wc.verify(path, **options)))
    except InvalidInput:
        return True
