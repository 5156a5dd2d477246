"""The pytest plugin: the fixture `wdccheck`, its marker and options, its cache, its summary.

Loaded by pytest in every test run of every project that has this package installed: what is heavy is
imported when a test first uses the fixture. PYTEST_DONT_REWRITE: it asserts nothing itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import time
import warnings
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from wdccheck.brackets import Bracket
    from wdccheck.protocol.condition import Condition
    from wdccheck.protocol.limit import Limit

__all__ = ["Checks", "wdccheck"]

_UNDECIDED = ("fail", "skip", "warn")
_PROPERTY = "wdccheck"  # of a test's report: one line per bracket
_MARKER = "wdccheck(time_limit=None, rng=0, workers=1, undecided='fail'): how the fixture wdccheck works"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--wdccheck-...`, for the tests that use the fixture."""
    group = parser.getgroup("wdccheck", "wdccheck: the fixture of that name")
    group.addoption("--wdccheck-time-limit", type=_seconds, metavar="SECONDS",
                    help="Of one bracket; by default each engine has its own budget, in all about a minute.")
    group.addoption("--wdccheck-seed", type=_seed, default=0, metavar="N", help="Default: 0.")
    group.addoption("--wdccheck-undecided", choices=_UNDECIDED, default="fail",
                    help="What a test does where neither side is proved. Default: fail.")
    group.addoption("--wdccheck-cache", metavar="DIR",
                    help="Folder of the brackets found; by default one in pytest's own cache.")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, also for `--strict-markers`."""
    config.addinivalue_line("markers", _MARKER)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Every bracket of the run."""
    lines = dict.fromkeys(
        f"{report.nodeid}  {text}" for reports in terminalreporter.stats.values() for report in reports
        if getattr(report, "when", None) == "teardown"  # which every test has, once, and it comes last
        for name, text in report.user_properties if name == _PROPERTY)
    if lines and terminalreporter.verbosity >= 0:
        terminalreporter.section("wdccheck: brackets")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def wdccheck(request: pytest.FixtureRequest) -> Checks:
    """Assertions about conditions, with the options of the command line and a cache of brackets."""
    config, settings = request.config, dict[str, Any]()
    for name, option in (("time_limit", "time_limit"), ("rng", "seed"), ("undecided", "undecided")):
        settings[name] = config.getoption(f"wdccheck_{option}")
    for marker in reversed(list(request.node.iter_markers("wdccheck"))):
        settings |= marker.kwargs
        if marker.args or set(marker.kwargs) - {"time_limit", "rng", "workers", "undecided"}:
            raise pytest.UsageError(f"known are {_MARKER.partition(':')[0]}, found {marker!r}")
    if settings["undecided"] not in _UNDECIDED:
        raise pytest.UsageError(f"undecided: one of {_UNDECIDED} required, found {settings['undecided']!r}")
    return Checks(request.node, _folder(config), **settings)


class Checks:
    """What the fixture `wdccheck` is.

    Parameters
    ----------
    item : pytest.Item
        The test.
    folder : Path or None
        The folder of the cache.
    time_limit, rng, workers : as of ``wc.bracket``
    undecided : {"fail", "skip", "warn"}
    """

    def __init__(self, item: pytest.Item, folder: Path | None, *, time_limit: float | None = None,
                 rng: int = 0, workers: int = 1, undecided: str = "fail") -> None:
        self._item, self._folder, self._undecided = item, folder, undecided
        self._time_limit, self._rng, self._workers = time_limit, rng, workers

    def bracket(self, condition: Condition, *, target: float | None = None) -> Bracket:
        """As ``wc.bracket``; it goes on from what the cache has, and returns at once if that is enough."""
        from wdccheck.protocol.limit import Limit

        return self._bracket(condition, None if target is None else Limit.of(None, target))

    def _bracket(self, condition: Condition, limit: Limit | None) -> Bracket:
        from wdccheck.engines.loop import bracket
        from wdccheck.protocol.condition import checked

        condition, target = checked(condition), None if limit is None else limit.eps
        path, begun, took = self._path(condition), time.monotonic(), "from the cache"
        known = None if path is None else _kept(condition, path)
        if known is None or not _settled(known, target):
            known = bracket(condition, rng=self._rng, workers=self._workers, time_limit=self._time_limit,
                            target=target, checkpoint=path)
            took = f"{time.monotonic() - begun:.1f} s"
            if known.interrupted:
                raise KeyboardInterrupt
        self._record(known, limit, took)
        return known

    def assert_holds(
        self, condition_or_bracket: Condition | Bracket, eps: float | None = None, *,
        ratio: float | None = None, certificate: str | os.PathLike[str] | None = None,
    ) -> Bracket:
        """As ``wc.testing.assert_holds``, through the cache."""
        __tracebackhide__ = True
        from wdccheck.testing import assert_holds

        return self._check(assert_holds, condition_or_bracket, eps, ratio, certificate)

    def assert_violated(
        self, condition_or_bracket: Condition | Bracket, eps: float | None = None, *,
        ratio: float | None = None, certificate: str | os.PathLike[str] | None = None,
    ) -> Bracket:
        """As ``wc.testing.assert_violated``, through the cache."""
        __tracebackhide__ = True
        from wdccheck.testing import assert_violated

        return self._check(assert_violated, condition_or_bracket, eps, ratio, certificate)

    def _check(self, check: Callable[..., Bracket], given: Any, eps: float | None, ratio: float | None,
               certificate: Any) -> Bracket:
        __tracebackhide__ = True
        from wdccheck.brackets import Bracket
        from wdccheck.engines.loop import recalled
        from wdccheck.errors import NotProved, Undecided, UndecidedWarning
        from wdccheck.stops import Reason
        from wdccheck.testing.assertions import limit_of

        path, limit = None, limit_of(given, eps, ratio)
        if certificate is not None and not isinstance(given, Bracket):
            given, certificate = recalled(given, certificate), None
            self._record(given, limit, "from a certificate")
        elif not isinstance(given, Bracket):
            given, path = self._bracket(given, limit), self._path(given)
        try:
            return check(given, eps, ratio=ratio, certificate=certificate)
        except NotProved as error:
            if isinstance(error, Undecided) and self._undecided == "skip":
                pytest.skip(str(error))
            if isinstance(error, Undecided) and self._undecided == "warn":
                warnings.warn(str(error), UndecidedWarning, stacklevel=3)
                return given
            if path is not None:
                error.add_note(f"check it: wdccheck verify {shlex.quote(os.path.relpath(path))}")
            stop = given.stopped.get("lower" if check.__name__ == "assert_violated" else "upper")
            if isinstance(error, Undecided) and stop is not None and stop.reason is Reason.TIME:
                error.add_note("more time: --wdccheck-time-limit, or @pytest.mark.wdccheck(time_limit=...)")
            raise

    def _record(self, known: Bracket, limit: Limit | None, took: str) -> None:
        verdict = "" if limit is None else f"; {limit}: {known.verdict(limit.eps).value}"
        self._item.user_properties.append((_PROPERTY, f"{repr(known)[1:-1]}{verdict} ({took})"))

    def _path(self, condition: Condition) -> Path | None:
        """The file of a condition: its name tells apart whatever may change a bracket."""
        from wdccheck.version import made_by

        if self._folder is None:
            return None
        about = {key: value for key, value in condition.describe().items()
                 if key in ("kind", "alpha", "layer", "shape", "sha256", "options")}
        text = json.dumps([*made_by().values(), about], sort_keys=True)
        return self._folder / f"{about['kind'].lower()}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"


def _kept(condition: Condition, path: Path) -> Bracket | None:
    """The bracket in the cache, if it is to be believed; else its file is removed."""
    from wdccheck import result_files
    from wdccheck.engines.loop import recalled
    from wdccheck.errors import InvalidInput
    from wdccheck.version import made_by

    try:
        data = result_files.read(path)
        if all(data.get(name) == value for name, value in made_by().items()):
            return recalled(condition, path)
    except InvalidInput:
        pass  # none yet, or not one of this condition
    path.unlink(missing_ok=True)
    return None


def _settled(known: Bracket, target: float | None) -> bool:
    """Whether the same question would not be worked on again; a limit is no answer."""
    from wdccheck.brackets import Verdict
    from wdccheck.stops import Reason

    if target is not None:
        return known.verdict(target) is not Verdict.UNDECIDED
    early = {Reason.TARGET, Reason.TIME, Reason.MEMORY, Reason.INTERRUPTED}
    return math.isfinite(known.upper) and not early & {stop.reason for stop in known.stopped.values()}


def _folder(config: pytest.Config) -> Path | None:
    """Where brackets are kept: the folder asked for, or one in pytest's cache unless that is off."""
    asked = config.getoption("wdccheck_cache")
    try:
        if asked is not None:
            folder = Path(asked)
            folder.mkdir(parents=True, exist_ok=True)
        elif (cache := getattr(config, "cache", None)) is not None:
            folder = Path(cache.mkdir("wdccheck"))
        else:
            return None
    except OSError as error:
        if asked is None:
            return None
        raise pytest.UsageError(f"--wdccheck-cache: a folder required, found {asked}: {error}") from None
    return folder if os.access(folder, os.W_OK) else None


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ArgumentTypeError(f"a number of seconds > 0 required, found {text!r}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ArgumentTypeError(f"an integer >= 0 required, found {text!r}")
    return value
