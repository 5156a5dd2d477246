"""What can go wrong: one class per kind, the message on it."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CertificateMismatch",
    "InvalidInput",
    "NotProved",
    "NotSaved",
    "OutOfTime",
    "PoorFit",
    "ScaleWarning",
    "TransposedWarning",
    "Undecided",
    "UndecidedWarning",
    "UnsoundBound",
    "VacuousWarning",
    "WdccheckError",
    "WorkersLost",
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

    Examples
    --------
    >>> import wdccheck as wc
    >>> wc.WDC([[1.0, float("nan")]])
    Traceback (most recent call last):
    wdccheck.errors.InvalidInput: W: finite numbers required, found nan or inf
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

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> try:
    ...     wc.testing.assert_holds(wc.WDC(np.eye(2)), 0.5)         # epsilon is 1
    ... except wc.NotProved as error:
    ...     print(error.bracket.verdict(0.5))
    Verdict.VIOLATED
    """

    def __init__(self, message: str, bracket: Any = None) -> None:
        super().__init__(message)
        self.bracket = bracket

    def __reduce__(self) -> tuple[type, tuple[str, Any]]:
        return type(self), (str(self), self.bracket)


class Undecided(NotProved):
    """Neither the assertion nor its opposite is proved: more work may decide it.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> known = wc.bracket(wc.WDC(np.eye(2)), wc.MonteCarlo(samples=64))      # no upper bound
    >>> try:
    ...     wc.testing.assert_holds(known, 2.0)
    ... except wc.Undecided:
    ...     print("undecided")
    undecided
    """


class PoorFit(WdccheckError):
    """An estimate is refused, since the model that it rests on does not fit the sample.

    Attributes
    ----------
    estimate : Tail
        The refused numbers.
    reasons : tuple of str
        Why they are refused.

    Examples
    --------
    >>> import wdccheck as wc
    >>> try:
    ...     wc.estimates.extreme(wc.WDC([[1.0], [-1.0]]))           # k = 1: two values
    ... except wc.PoorFit as error:
    ...     print(*error.reasons)
    most of the 400 largest deviations are equal, so there is no tail to fit
    """

    def __init__(self, estimate: Any, reasons: tuple[str, ...]) -> None:
        super().__init__(f"extreme-value estimate refused: {'; '.join(reasons)}. "
                         "The refused numbers are the attribute `estimate` of this error")
        self.estimate, self.reasons = estimate, reasons

    def __reduce__(self) -> tuple[type, tuple[Any, tuple[str, ...]]]:
        return type(self), (self.estimate, self.reasons)


class OutOfTime(WdccheckError):
    """A preparation was cut short by its deadline; what is known so far stays valid."""


class WorkersLost(WdccheckError):
    """The processes or the cluster that did the work are gone; what is known so far stays valid."""


class UnsoundBound(WdccheckError, AssertionError):
    """A lower bound exceeds an upper bound: always a bug of this package.

    Attributes
    ----------
    first, second : Bracket
        The two results that contradict each other.

    Examples
    --------
    >>> import numpy as np, wdccheck as wc
    >>> from wdccheck.brackets import merge
    >>> result = wc.bracket(wc.WDC(np.eye(2)), wc.Spectral())
    >>> forged = wc.Bracket(result.condition, lower=0.0, upper=0.9)     # epsilon is 1
    >>> try:
    ...     merge(result, forged)
    ... except wc.UnsoundBound as error:
    ...     print(error.second.upper)
    0.9
    """

    def __init__(self, message: str, first: Any, second: Any) -> None:
        super().__init__(message)
        self.first, self.second = first, second

    def __reduce__(self) -> tuple[type, tuple[str, Any, Any]]:
        return type(self), (str(self), self.first, self.second)


class VacuousWarning(UserWarning):
    """No alpha makes epsilon/alpha smaller than 1/2 (Fact 4): the condition says nothing."""


class NotSaved(UserWarning):
    """A file could not be written; the work goes on, and its result is printed or returned all the same."""


class ScaleWarning(UserWarning):
    """A command compares a layer with alpha = 1, which nobody chose, and its scale is far from 1."""


class TransposedWarning(UserWarning):
    """A weight matrix has fewer rows than columns, as a transposed one would."""


class UndecidedWarning(UserWarning):
    """An assertion is undecided, and was asked to be no more than a warning then."""
