"""Fixtures that several test modules use, and how hard hypothesis tries."""

from __future__ import annotations

import os
import secrets

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

pytest.register_assert_rewrite("examples")

settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=400)  # pytest --hypothesis-profile=long
settings.load_profile("ci" if os.environ.get("CI") else "local")

SEED = "WDCCHECK_FUZZ_SEED"
_GATE = 2818842890  # where CI is set, as for hypothesis: it once found three defects


def pytest_configure():
    seed = _GATE if os.environ.get("CI") else secrets.randbelow(2**32)
    os.environ.setdefault(SEED, str(seed))  # workers inherit it


def pytest_terminal_summary(terminalreporter):
    reports = [one for some in terminalreporter.stats.values() for one in some]
    if any("test_fuzz.py::test_hostile" in getattr(one, "nodeid", "") for one in reports):
        terminalreporter.write_line(f"{SEED}={os.environ[SEED]} draws the same hostile input again")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """Of each of the processes that share the cores: more of them wait for each other most of the time."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture
def eye(tmp_path):
    path = tmp_path / "eye.npy"
    np.save(path, np.eye(2))
    return str(path)


@pytest.fixture
def net(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "net.npz"
    np.savez(path, W1=rng.standard_normal((20, 2)) / 4, W2=rng.standard_normal((12, 20)) / 3)
    return str(path)


@pytest.fixture
def quick(monkeypatch):
    """Closed formulas and a little sampling instead of the default engines."""
    import wdccheck as wc
    from wdccheck.certification import over_alpha

    monkeypatch.setattr(over_alpha, "default_engines",
                        lambda *_: (wc.Spectral(), wc.MonteCarlo(samples=200)))


@pytest.fixture
def sampled(monkeypatch):
    """Replace the deviations that estimates are made of by draws from a known distribution."""
    from wdccheck.estimates import sampling

    def use(draw):
        def deviations(condition, samples, rng, workers, time_limit):
            seed = np.random.SeedSequence(rng)
            return np.sort(draw(np.random.default_rng(seed), samples)), seed

        monkeypatch.setattr(sampling, "deviations", deviations)

    return use


@pytest.fixture
def short_climbs(monkeypatch):
    """Ascents of a few points and sweeps, where it does not matter how high they come."""
    from wdccheck.engines import ascent

    monkeypatch.setattr(ascent, "_plan", lambda *_: ascent._Plan(size=8, screen=4, sweeps=6, rounds=2))
