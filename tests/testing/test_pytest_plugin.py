"""The plugin in test runs of its own: options, marker, cache, summary, two processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points

import numpy as np
import pytest

import wdccheck as wc
import wdccheck.pytest_plugin
import wdccheck.testing
import wdccheck.verification.results  # all that inner runs use: what they import first is forgotten
from examples.checks import proved
from examples.commands import hear_ctrl_c

pytest_plugins = ["pytester"]
INSTALLED = any(point.name == "wdccheck" for point in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "wdccheck.pytest_plugin")
SUITE = """
import numpy as np
import pytest
import wdccheck as wc

W = np.random.default_rng(0).standard_normal((30, 2)) / np.sqrt(30)  # epsilon is about 0.48
{}
"""
HOLDS = "def test_one(wdccheck):\n    wdccheck.assert_holds(wc.WDC(W), 0.9)\n"
VIOLATED = "def test_two(wdccheck):\n    wdccheck.assert_holds(wc.WDC(W), 0.1)\n"
OPEN = """
V = np.random.default_rng(0).standard_normal((400, 20)) / 20  # epsilon is at least 0.6

@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("wdccheck.engines.loop.default_engines",
                        lambda *_, **__: (wc.Spectral(), wc.MonteCarlo(64)))

def test_open(wdccheck):
    assert wdccheck.assert_holds(wc.WDC(V), 1.0).upper > 1.0
"""


@pytest.fixture
def suite(pytester):
    """Write a test file and run it; what pytest prints, as one string, and the outcomes."""

    def run(text, *options, inprocess=True):
        pytester.makepyfile(test_it=SUITE.format(text))
        runner = pytester.runpytest_inprocess if inprocess else pytester.runpytest_subprocess
        result = runner(*PLUGIN, "--strict-markers", "-W", "error::UserWarning", *options)
        shown = result.stdout.str()
        return shown + result.stderr.str(), result.parseoutcomes() if " in " in shown else {}

    return run


def entries(pytester):
    return sorted((pytester.path / ".pytest_cache" / "d" / "wdccheck").glob("*.json"))


def test_a_proof_is_found_once_and_kept(suite, pytester):
    shown, outcomes = suite(HOLDS)
    assert outcomes == {"passed": 1}
    assert re.search(r"wdccheck: brackets =+\ntest_it\.py::test_one  WDC\(30x2, alpha=1\): .*; eps <= 0\.9: "
                     r"holds \([\d.]+ s\)", shown)
    (entry,) = entries(pytester)
    assert proved(wc.verify(entry))
    written = entry.stat().st_mtime_ns
    shown, outcomes = suite(HOLDS)
    assert outcomes == {"passed": 1} and "holds (from the cache)" in shown
    assert entry.stat().st_mtime_ns == written
    assert "from the cache" not in suite(HOLDS, "--cache-clear")[0]


def test_another_question_goes_on_from_what_is_kept(suite, pytester):
    suite(HOLDS)
    shown, _ = suite(HOLDS + "    assert wdccheck.assert_holds(wc.WDC(W), 0.6).upper <= 0.6\n")
    assert "eps <= 0.9: holds (from the cache)" in shown
    assert re.search(r"eps <= 0\.6: holds \([\d.]+ s\)", shown)
    assert len(entries(pytester)) == 1
    without_target = "def test_three(wdccheck):\n    assert wdccheck.bracket(wc.WDC(W)).gap < 0.02\n"
    assert "from the cache" not in suite(without_target)[0]
    assert "from the cache" in suite(without_target)[0]


def test_a_ratio_is_compared_with_eps_over_alpha(suite):
    shown, outcomes = suite(HOLDS.replace("wc.WDC(W), 0.9", "wc.WDC(W, 2.0), ratio=0.6"))
    assert outcomes == {"passed": 1} and "; eps/alpha <= 0.6 at alpha = 2: holds (" in shown
    shown, outcomes = suite(HOLDS.replace("wc.WDC(W), 0.9", "wc.WDC(W, 2.0), ratio=0.6"))
    assert outcomes == {"passed": 1} and "holds (from the cache)" in shown
    assert suite(HOLDS.replace("0.9", "0.9, ratio=0.9"))[1] == {"failed": 1}


def test_other_weights_and_another_alpha_have_entries_of_their_own(suite, pytester):
    shown, outcomes = suite(HOLDS + "    wdccheck.assert_holds(wc.WDC(W, 1.1), 1.0)\n"
                                    "    wdccheck.assert_holds(wc.WDC(W / 2), 1.0)\n")
    assert outcomes == {"passed": 1} and len(entries(pytester)) == 3
    assert "from the cache" not in shown


@pytest.mark.parametrize("change", [
    lambda data: data | {"wdccheck": "0.0.1"},
    lambda data: data | {"kernel": "other"},
    lambda data: data | {"lower": data["upper"]},
    lambda data: data | {"witness": None},
    lambda data: data | {"witness": {"r": data["witness"]["r"]}},
    lambda data: data | {"witness": data["witness"] | {"s": {"hex": ["0x1p0"], "value": [1.0]}}},
    lambda data: data | {"condition": data["condition"] | {"sha256": "0" * 64}},
    lambda data: data | {"condition": data["condition"] | {"alpha": 2.0}, "upper": data["upper"]},
    lambda data: {"schema": 1},
    lambda data: [],
], ids=["version", "kernel", "lower", "no witness", "letters", "length", "hash", "alpha", "fields", "list"])
def test_an_entry_that_is_not_to_be_believed_is_found_again(change, suite, pytester):
    suite(HOLDS)
    (entry,) = entries(pytester)
    good = json.loads(entry.read_text())
    entry.write_text(json.dumps(change(good)))
    shown, outcomes = suite(HOLDS)
    assert outcomes == {"passed": 1} and "from the cache" not in shown
    again = json.loads(entry.read_text())
    assert [again[key] for key in ("wdccheck", "lower", "upper")] == [
        good[key] for key in ("wdccheck", "lower", "upper")]


def test_a_folder_of_ones_own_and_none(suite, pytester):
    suite(HOLDS, "--wdccheck-cache", "kept/here", "-p", "no:cacheprovider")
    assert len(list((pytester.path / "kept" / "here").glob("wdc-*.json"))) == 1
    assert "from the cache" in suite(HOLDS, "--wdccheck-cache", "kept/here")[0]
    shown, outcomes = suite(HOLDS, "-p", "no:cacheprovider")
    assert outcomes == {"passed": 1} and "from the cache" not in shown
    (pytester.path / "file").write_text("")
    assert "--wdccheck-cache: a folder required" in suite(HOLDS, "--wdccheck-cache", "file")[0]


def test_a_failure_says_where_how_to_see_it_again_and_what_next(suite, pytester):
    shown, outcomes = suite(VIOLATED)
    assert outcomes == {"failed": 1}
    for part in ("WDC with alpha = 1.0: eps <= 0.1 is violated: eps >= ", " r = [", " (hex)",
                 'again: condition.deviation({"r": r, "s": s})',
                 "next: no budget changes this; ask for ",
                 "; eps <= 0.1: violated"):
        assert part in shown
    assert "wdccheck/testing/" not in shown and "pytest_plugin.py" not in shown  # the test's own line only
    command = re.search(r"check it: wdccheck (verify \S+)", shown)[1]
    done = subprocess.run([sys.executable, "-m", "wdccheck", *command.split()], cwd=pytester.path,
                          capture_output=True, text=True)
    assert done.returncode == 0 and "lower bound: proved" in done.stdout


def test_undecided_fails_unless_asked_otherwise(suite):
    shown, outcomes = suite(OPEN)
    assert outcomes == {"failed": 1} and "Undecided" in shown and "upper has to fall by" in shown
    shown, outcomes = suite(OPEN, "--wdccheck-undecided=skip", "-rs")
    assert outcomes == {"skipped": 1}
    assert "undecided whether eps <= 1: " in shown and "; eps <= 1: undecided" in shown
    shown, outcomes = suite(OPEN, "--wdccheck-undecided=warn", "-W", "default")
    assert outcomes == {"passed": 1, "warnings": 1}
    assert re.search(r"test_it\.py:\d+: UndecidedWarning", shown)
    assert suite(OPEN, "--wdccheck-undecided=perhaps")[1] == {}


def test_violated_is_never_skipped(suite):
    for choice in ("skip", "warn"):
        assert suite(VIOLATED, f"--wdccheck-undecided={choice}")[1] == {"failed": 1}


def test_the_marker_overrides_the_command_line(suite):
    marked = OPEN.replace("def test_open", "@pytest.mark.wdccheck(undecided='skip')\ndef test_open")
    assert suite(marked)[1] == {"skipped": 1}
    seeds = """
@pytest.mark.wdccheck(rng=5)
class TestSeeds:
    def test_outer(self, wdccheck):
        assert wdccheck.bracket(wc.WDC(W), target=0.9).engines[0].seed == 5
    @pytest.mark.wdccheck(rng=7, workers=1, time_limit=60)
    def test_inner(self, wdccheck):
        assert wdccheck.bracket(wc.WDC(W), target=0.9).engines[0].seed == 7
def test_option(wdccheck):
    assert wdccheck.bracket(wc.WDC(W), target=0.9).engines[0].seed == 3
"""
    assert suite(seeds, "--wdccheck-seed=3", "-p", "no:cacheprovider")[1] == {"passed": 3}


@pytest.mark.parametrize("marker", ["seed=1", "3", "undecided='pass'"])
def test_a_marker_that_means_nothing_is_an_error(marker, suite):
    shown, outcomes = suite(f"@pytest.mark.wdccheck({marker})\n{HOLDS}")
    assert outcomes == {"errors": 1} and "undecided" in shown


@pytest.mark.parametrize("option", ["--wdccheck-time-limit=0", "--wdccheck-time-limit=soon",
                                    "--wdccheck-time-limit=nan", "--wdccheck-seed=-1"])
def test_an_option_that_means_nothing_is_refused(option, suite):
    shown, outcomes = suite(HOLDS, option)
    assert outcomes == {} and option.partition("=")[0] in shown


def test_the_time_limit_reaches_the_run(suite):
    text = """
def test_time(wdccheck, monkeypatch):
    monkeypatch.setattr("wdccheck.engines.loop.bracket",
                        lambda c, **options: 1 / (options["time_limit"] - 7))
    with pytest.raises(ZeroDivisionError):
        wdccheck.bracket(wc.WDC(W))
"""
    assert suite(text, "--wdccheck-time-limit", "7")[1] == {"passed": 1}


@pytest.mark.parametrize(("side", "advice"), [("upper", True), ("lower", False)])
def test_more_time_is_advised_where_it_helps(suite, side, advice):
    text = f"""
def test_open(wdccheck, monkeypatch):
    from wdccheck.stops import Reason, Stop
    stopped = {{"lower": Stop(Reason.BUDGET), "upper": Stop(Reason.CAP_ONLY), "{side}": Stop(Reason.TIME)}}
    known = wc.Bracket(wc.WDC(W).describe(), 0.1, 2.0, stopped=stopped)
    monkeypatch.setattr("wdccheck.engines.loop.bracket",
                        lambda *_, **__: known)
    wdccheck.assert_holds(wc.WDC(W), 0.9)
"""
    shown, outcomes = suite(text)
    assert outcomes == {"failed": 1} and ("--wdccheck-time-limit" in shown) is advice


def test_brackets_and_certificates(suite, pytester):
    wc.bracket(wc.WDC(np.eye(2)), wc.Spectral()).save(pytester.path / "eye.json")
    text = """
from wdccheck.errors import CertificateMismatch
def test_certificate(wdccheck):
    wdccheck.assert_holds(wc.WDC(np.eye(2)), 1.01, certificate="eye.json")
    wdccheck.assert_violated(wdccheck.bracket(wc.WDC(np.eye(2)), target=0.5), 0.5)
    with pytest.raises(CertificateMismatch):
        wdccheck.assert_holds(wc.WDC(W), 1.01, certificate="eye.json")
    with pytest.raises(wc.InvalidInput, match="certificate"):
        wdccheck.assert_holds(wc.load("eye.json"), 1.01, certificate="eye.json")
"""
    shown, outcomes = suite(text)
    assert outcomes == {"passed": 1} and "holds (from a certificate)" in shown


def test_a_bare_matrix_is_refused_by_name(suite):
    shown, outcomes = suite(HOLDS.replace("wc.WDC(W)", "W"))
    assert outcomes == {"failed": 1} and "a condition such as WDC(W) required, found ndarray" in shown


def test_two_processes_share_cache_and_summary(suite, pytester):
    shown, outcomes = suite(HOLDS + VIOLATED, "-n", "2", inprocess=False)
    assert outcomes == {"passed": 1, "failed": 1}
    assert "test_one  WDC(30x2" in shown and "test_two  WDC(30x2" in shown and len(entries(pytester)) == 1


def test_the_report_of_a_ci_has_the_brackets(suite, pytester):
    suite(HOLDS, "--junitxml=report.xml")
    assert 'property name="wdccheck" value="WDC(30x2' in (pytester.path / "report.xml").read_text()


def test_ctrl_c_ends_the_run(pytester):
    pytester.makepyfile(test_it=SUITE.format("""
V = np.random.default_rng(0).standard_normal((400, 3)) / 20
def test_long(wdccheck):
    wc.bracket(wc.WDC(V), wc.Spectral(), wc.MonteCarlo(100))  # everything is imported
    open("begun", "w").close()
    wdccheck.assert_holds(wc.WDC(V), 1e-3 + wdccheck.bracket(wc.WDC(V)).lower)
def test_next():
    open("next", "w").close()
"""))
    command = [sys.executable, "-m", "pytest", *PLUGIN]
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True,
                          preexec_fn=hear_ctrl_c) as process:
        while not (pytester.path / "begun").exists():
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "KeyboardInterrupt" in shown
    assert not (pytester.path / "next").exists()
    assert len(entries(pytester)) == 1  # what was known by then


def test_nothing_heavy_is_loaded_for_those_who_do_not_use_it():
    code = ("import sys, pytest; before = set(sys.modules); import wdccheck.pytest_plugin; "
            "print(*sorted(set(sys.modules) - before))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["wdccheck", "wdccheck.pytest_plugin", "wdccheck.version"]


def test_a_suite_without_it_sees_nothing_of_it(suite):
    shown, outcomes = suite("def test_plain():\n    pass\n")
    assert outcomes == {"passed": 1} and "brackets" not in shown
    assert "brackets" not in suite(HOLDS, "-q")[0]
