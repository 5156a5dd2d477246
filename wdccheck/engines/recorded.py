"""The engine that a result records: all engines by name, so that a run can be done again."""

from __future__ import annotations

import ast
from typing import Any

from wdccheck.engines.ascent import Ascent
from wdccheck.engines.branch_and_bound import BranchAndBound
from wdccheck.engines.monte_carlo import MonteCarlo
from wdccheck.engines.sdp import SDP
from wdccheck.engines.spectral import Spectral
from wdccheck.errors import InvalidInput

__all__ = ["ENGINES", "engine_from_repr"]

ENGINES = {engine.__name__: engine for engine in (MonteCarlo, Ascent, Spectral, BranchAndBound, SDP)}


def engine_from_repr(text: str) -> Any:
    """The engine whose repr is `text`: a known name with literal keyword arguments, never evaluated.

    Raises
    ------
    InvalidInput
        Any other text.

    Examples
    --------
    >>> from wdccheck.engines.recorded import engine_from_repr
    >>> engine_from_repr("MonteCarlo(samples=10)")
    MonteCarlo(samples=10)
    """
    refused = InvalidInput("engine", "the repr of " + ", ".join(sorted(ENGINES)), repr(text)[:80])
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args):
            raise refused
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        return ENGINES[call.func.id](**arguments)
    except (SyntaxError, ValueError, TypeError, KeyError, MemoryError, RecursionError):
        raise refused from None
