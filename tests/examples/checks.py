"""What `verify` says, in short: the outcomes of the checks that count."""

from __future__ import annotations

from collections.abc import Iterable

from wdccheck.checker import Check

__all__ = ["outcomes", "proved", "refuted", "stands"]


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
