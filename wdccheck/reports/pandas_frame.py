"""Rows as a pandas DataFrame, where pandas is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wdccheck.errors import InvalidInput

__all__ = ["frame"]


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Any:
    """One line per mapping.

    Raises
    ------
    InvalidInput
        pandas is not installed.

    Examples
    --------
    >>> from wdccheck.reports.pandas_frame import frame
    >>> frame([{"k": 2}, {"k": 3}]).shape
    (2, 1)
    """
    try:
        import pandas
    except ImportError:
        raise InvalidInput("to_frame", "pandas (pip install 'wdccheck[pandas]')", "no such package") from None
    return pandas.DataFrame([dict(row) for row in rows], columns=None if columns is None else list(columns))
