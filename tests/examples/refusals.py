"""What a refusal has to be."""

from __future__ import annotations

import pytest

from wdccheck.errors import InvalidInput


def refused(call, *fragments):
    """The call is refused in one line that has all fragments."""
    with pytest.raises(InvalidInput) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message
