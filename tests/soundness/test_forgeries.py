"""Forged results of every kind: nothing false is proved, and nothing but a refusal is raised."""

from __future__ import annotations

import pytest

from examples.drawn_forgeries import forgeries


def test_no_forgery_is_proved(tmp_path):
    outcomes, failures = forgeries(10, 0, tmp_path)
    assert not failures and outcomes["refused"] and outcomes["refuted"]


@pytest.mark.slow
def test_no_forgery_of_many_is_proved(tmp_path):
    """`python tests/examples/drawn_forgeries.py` draws 36 000."""
    outcomes, failures = forgeries(500, 1, tmp_path)
    assert not failures
    assert min(outcomes[word] for word in ("refused", "refuted", "not proved", "proved")) > 10
