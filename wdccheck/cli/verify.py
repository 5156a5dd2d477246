"""The command `verify`: what became of every statement of a saved result, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from wdccheck.cli.options import number, run_options
from wdccheck.cli.outcome import DONE, UNDECIDED, VIOLATED
from wdccheck.cli.weight_files import network, weight_options
from wdccheck.result_files import printable
from wdccheck.running.signals import Held

if TYPE_CHECKING:
    from wdccheck.checker import Check

__all__ = ["verify"]


@click.command()
@click.argument("file", type=click.Path())
@click.option("--weights", type=click.Path(), multiple=True,
              help="The network or layer, if FILE does not carry it; twice for a pair.")
@click.option("--measurements", type=click.Path(), metavar="A", help="A, if FILE does not carry it.")
@click.option("--no-rerun", is_flag=True, help="Do not prove the upper bounds again.")
@click.option("--time-limit", type=number(True), metavar="SECONDS", help="For all fresh runs together.")
@weight_options
@run_options
def verify(
    file: str, weights: tuple[str, ...], measurements: str | None, no_rerun: bool, time_limit: float | None,
    workers: int, quiet: bool,
) -> int:
    """Check a saved result again.

    Witnesses are evaluated again by independent code; a fresh run of the recorded engines with the
    recorded work has to prove the upper bounds. Every statement ends in one of four words: proved, here
    and now; refuted; not proved; recorded, which is not looked at. Exit status: 0 all bounds proved,
    1 refuted, 2 unusable, 3 something was not proved, or not looked at because of --no-rerun. Ctrl-C and
    SIGTERM make it 3, too: what was proved by then is printed, the rest is not proved.
    """
    from wdccheck.verification.results import verify as verify_file
    from wdccheck.weights.files import read_matrix

    A = None if measurements is None else read_matrix(measurements, complex_too=True)
    checks = verify_file(file, weights=[network(path, quiet) for path in weights] or None, measurements=A,
                         rerun=not no_rerun, workers=workers, time_limit=time_limit, progress=not quiet)
    with Held():  # what is known is delivered whole
        for check in checks:
            click.echo(printable(f"{check.what}: {check.outcome} ({check.detail})"))
    return _status(checks)


def _status(checks: Iterable[Check]) -> int:
    outcomes = {str(check.outcome) for check in checks if check.counts}
    if "refuted" in outcomes:
        return VIOLATED
    return DONE if outcomes <= {"proved"} else UNDECIDED
