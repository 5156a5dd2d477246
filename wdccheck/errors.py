"""What can go wrong: one class per kind, the message on it."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CertificateMismatch",
    "InvalidInput",
    "NotProved",
    "OutOfTime",
    "PoorFit",
    "TransposedWarning",
    "Undecided",
    "UndecidedWarning",
    "UnsoundBound",
    "VacuousWarning",
    "WdccheckError",
]


class WdccheckError(Exception):
    """Base class of everything this package raises on purpose."""


class InvalidInput(WdccheckError, ValueError):
    """An argument or a file cannot be used.

    Parameters
    ----------
    thing : str
        What is at fault: the name of an argument, or a file and the array in it.
    required : str
        What it has to be.
    found : str
        What it is.
    """

    def __init__(self, thing: str, required: str, found: str) -> None:
        super().__init__(f"{thing}: {required} required, found {found}")
        self.thing, self.required, self.found = thing, required, found

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.thing, self.required, self.found)


class CertificateMismatch(InvalidInput):
    """A result was offered for other weights, another alpha or another condition."""


class NotProved(WdccheckError, AssertionError):
    """An assertion about a condition is violated or undecided; the message says which.

    Attributes
    ----------
    bracket : Bracket or None
        What is known; ``error.bracket.save(path)`` keeps it.
    """

    def __init__(self, message: str, bracket: Any = None) -> None:
        super().__init__(message)
        self.bracket = bracket

    def __reduce__(self) -> tuple[type, tuple[str, Any]]:
        return type(self), (str(self), self.bracket)


class Undecided(NotProved):
    """Neither the assertion nor its opposite is proved: more work may decide it."""


class PoorFit(WdccheckError):
    """An estimate is refused, since the model that it rests on does not fit the sample.

    Attributes
    ----------
    estimate : Tail
        The refused numbers.
    reasons : tuple of str
        Why they are refused.
    """

    def __init__(self, estimate: Any, reasons: tuple[str, ...]) -> None:
        super().__init__(f"extreme-value estimate refused: {'; '.join(reasons)}. "
                         "The refused numbers are the attribute `estimate` of this error")
        self.estimate, self.reasons = estimate, reasons

    def __reduce__(self) -> tuple[type, tuple[Any, tuple[str, ...]]]:
        return type(self), (self.estimate, self.reasons)


class OutOfTime(WdccheckError):
    """A preparation was cut short by its deadline; what is known so far stays valid."""


class UnsoundBound(WdccheckError, AssertionError):
    """A lower bound exceeds an upper bound: always a bug of this package.

    Attributes
    ----------
    first, second : Bracket
        The two results that contradict each other.
    """

    def __init__(self, message: str, first: Any, second: Any) -> None:
        super().__init__(message)
        self.first, self.second = first, second

    def __reduce__(self) -> tuple[type, tuple[str, Any, Any]]:
        return type(self), (str(self), self.first, self.second)


class VacuousWarning(UserWarning):
    """No alpha makes epsilon/alpha smaller than 1/2 (Fact 4): the condition says nothing."""


class TransposedWarning(UserWarning):
    """A weight matrix has fewer rows than columns, as a transposed one would."""


class UndecidedWarning(UserWarning):
    """An assertion is undecided, and was asked to be no more than a warning then."""
