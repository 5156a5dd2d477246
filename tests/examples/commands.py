"""The command line, run as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

COMMAND = [sys.executable, "-m", "wdccheck"]
QUICK = ["--workers", "1", "--quiet", "--time-limit", "1"]


def start(*arguments, **options):
    # a shell starts background jobs deaf to Ctrl-C; these must hear it wherever the tests run
    return subprocess.Popen([*COMMAND, *map(str, arguments)], text=True, preexec_fn=hear_ctrl_c,
                            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


def hear_ctrl_c():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(*arguments, **options):
    """Exit status, standard output, standard error."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err
