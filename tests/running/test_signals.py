"""SIGINT and SIGTERM: one end of a command, later where it would do harm, again where Python drops it."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

from wdccheck.running import signals
from wdccheck.running.signals import Held, Interruptions, from_keyboard


@pytest.fixture(autouse=True)
def heard():
    """Python's own handlers, also where the tests run deaf to Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: seconds pass between two lines on a busy machine."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(signals, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_interrupt_and_the_status_says_which(number, clock):
    with Interruptions() as first:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(number)  # its echo
        clock.seconds += 2 * signals._ECHO
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert first.status == 128 + number
        with Interruptions() as inner:
            assert inner is first
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruptions(), Held():
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hooks = sys.unraisablehook, threading.excepthook
    with Interruptions():
        pass
    assert (sys.unraisablehook, threading.excepthook) == hooks


def test_nothing_ends_what_is_over():
    with Interruptions() as over:
        over.over()
        signal.raise_signal(signal.SIGTERM)


def test_held_signals_act_at_the_end_and_impatient_ones_at_once(clock):
    done = []
    with pytest.raises(KeyboardInterrupt), Held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
        clock.seconds += 2 * signals._ECHO
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    assert done == ["whole"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_that_a_finalizer_swallows_comes_again():
    class Thing:
        pass

    with Interruptions():
        thing = Thing()
        weakref.finalize(thing, signal.raise_signal, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            del thing
            time.sleep(5)


def test_what_an_interruption_leads_to():
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: 1 / 0)
            raise KeyboardInterrupt
    except ZeroDivisionError as error:
        assert from_keyboard(error)
    assert not from_keyboard(ValueError())
