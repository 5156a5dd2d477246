"""The command line. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wdccheck import __version__
from wdccheck.errors import InvalidInput, UnsoundBound, WdccheckError
from wdccheck.options import run_options, search_options

if TYPE_CHECKING:
    from wdccheck.report import Report
    from wdccheck.rows import Row

__all__ = ["cli", "main"]

DONE, VIOLATED, UNUSABLE, UNDECIDED, BUG, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 70, 130, 141
STATUS = """\b
Exit status:
  0    done; with --eps: proved
  1    with --eps: proved violated
  2    unusable input or arguments
  3    with --eps: undecided
  70   an error of this program: please report it
  130  interrupted; the bounds so far are printed, and saved with --json or --checkpoint"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wdccheck")
def cli() -> None:
    """Two-sided, proved bounds on the weight distribution condition (WDC) of ReLU networks."""


@cli.command(epilog=STATUS)
@click.argument("weights", type=click.Path(), required=False)
@search_options("best", "Folder with one file per layer (layer1.json, ...); a later call resumes from it.")
def certify(
    weights: str | None, alpha: float | str, gap: float | None, eps: float | None, time_limit: float,
    seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """Bracket every layer of a network.

    WEIGHTS is a .npz file (one array of shape (n_out, n_in) per layer, in natural order of their
    names) or a .npy file (one layer); by default the trained generator of digits that comes with
    this package.
    """
    from wdccheck.data import generator
    from wdccheck.report import certify as certify_network
    from wdccheck.weights import read_network

    _writable(json_path)
    report = certify_network(
        generator() if weights is None else read_network(weights), alpha=alpha, gap=gap, target=eps,
        time_limit=time_limit, workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return _finish(report, report.to_dict(), eps, json_path, report.interrupted)


@cli.group(name="bracket")
def bracket_group() -> None:
    """Bracket one condition of one layer."""


@bracket_group.command(epilog=STATUS)
@click.argument("weights", type=click.Path())
@click.option("--layer", type=click.IntRange(min=1), help="Which layer of a .npz file, counted from 1.")
@search_options("1", "File of the bracket so far; a later call resumes from it.")
def wdc(
    weights: str, layer: int | None, alpha: float | str, gap: float | None, eps: float | None,
    time_limit: float, seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The WDC of one matrix: WEIGHTS is a .npy or .npz file of shape (n_out, n_in)."""
    from wdccheck.conditions.wdc import WDC
    from wdccheck.report import certify_layer
    from wdccheck.weights import read_network

    _writable(json_path)
    layers = read_network(weights).layers
    if (layer or 1) > len(layers) or (layer is None and len(layers) > 1):
        raise InvalidInput("--layer", f"an integer from 1 to {len(layers)}", str(layer or "none"))
    row = certify_layer(
        WDC(layers[(layer or 1) - 1], layer=layer), alpha=alpha, gap=gap, target=eps, time_limit=time_limit,
        workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return _finish_row(row, eps, json_path)


@bracket_group.command(name="joint-wdc", epilog=STATUS)
@click.argument("first", metavar="B", type=click.Path())
@click.argument("second", metavar="C", type=click.Path())
@search_options("1", "File of the bracket so far; a later call resumes from it.")
def joint_wdc(
    first: str, second: str, alpha: float | str, gap: float | None, eps: float | None, time_limit: float,
    seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The joint-WDC of two matrices with equally many rows: B and C are .npy or one-array .npz files."""
    from wdccheck.conditions.joint_wdc import JointWDC
    from wdccheck.report import certify_layer
    from wdccheck.weights import read_matrix

    _writable(json_path)
    row = certify_layer(
        JointWDC(read_matrix(first), read_matrix(second)), alpha=alpha, gap=gap, target=eps,
        time_limit=time_limit, workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return _finish_row(row, eps, json_path)


@cli.command()
@click.argument("file", type=click.Path())
@click.option("--weights", type=click.Path(), help="The network or layer, if FILE does not carry it.")
@click.option("--no-rerun", is_flag=True, help="Leave the upper bounds unchecked.")
@run_options
def verify(file: str, weights: str | None, no_rerun: bool, workers: int, quiet: bool) -> int:
    """Check a saved result again.

    Witnesses are re-evaluated by independent code; upper bounds are proved again by a fresh run of
    the recorded engines with the recorded work. Exit status: 0 all confirmed, 1 refuted or not to be
    reproduced, 2 unusable, 3 something could not be checked.
    """
    from wdccheck.audit import verify as verify_file
    from wdccheck.weights import read_network

    given = None if weights is None else read_network(weights)
    checks = verify_file(file, weights=given, rerun=not no_rerun, workers=workers, progress=not quiet)
    words = {True: "confirmed", False: "FAILED", None: "not checked"}
    for check in checks:
        click.echo(f"{check.what}: {words[check.passed]} ({check.detail})")
    if no_rerun:
        click.echo("upper bounds: not checked (--no-rerun)")
    if any(check.passed is False for check in checks):
        return VIOLATED
    return DONE if all(check.passed for check in checks) else UNDECIDED


@cli.command()
def info() -> None:
    """Versions, kernel, cores and linear algebra: what a bug report needs."""
    import platform
    from importlib.metadata import version

    import numpy  # noqa: F401 - loads the library that is named below
    from threadpoolctl import threadpool_info

    from wdccheck import kernel
    from wdccheck.parallel import available

    click.echo(f"wdccheck {__version__}, kernel {kernel()}")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    click.echo(", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "joblib", "click", "tqdm")))
    click.echo(f"{available(-1)} cores")
    for library in threadpool_info():
        click.echo(f"{library['internal_api']} {library['version']}, {library['num_threads']} threads")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Examples
    --------
    >>> from wdccheck.cli import main
    >>> main(["--version"])
    wdccheck, version 0.1.0
    0
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            arguments = list(sys.argv[1:] if argv is None else argv)
            # not cli.main: it would turn Ctrl-C and a closed pipe into exit status 1
            with cli.make_context("wdccheck", arguments) as context:
                status = cli.invoke(context)
        sys.stdout.flush()
        return int(status or DONE)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return UNUSABLE
    except WdccheckError as error:
        click.echo(f"wdccheck: {error}", err=True)
        return BUG if isinstance(error, UnsoundBound) else UNUSABLE
    except (KeyboardInterrupt, click.Abort):
        click.echo("wdccheck: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # else Python complains when it closes stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception:  # else Python would exit with 1, which means "proved violated" here
        traceback.print_exc()
        return BUG


def _finish(result: Report | Row, data: dict[str, Any], eps: float | None, path: str | None,
            interrupted: bool) -> int:
    """Deliver a result and return its exit status."""
    from wdccheck import certificate

    status, text = DONE, result.to_text()
    if eps is not None:
        verdict = result.verdict(eps).value
        status = {"holds": DONE, "violated": VIOLATED, "undecided": UNDECIDED}[verdict]
        text += f"\n\neps/alpha <= {eps!r}: {verdict}"
    if path == "-":
        text = json.dumps({"schema": certificate.SCHEMA, **data}, indent=1, allow_nan=False)
    elif path is not None:
        certificate.write(path, data)
    click.echo(text)
    return INTERRUPTED if interrupted else status


def _finish_row(row: Row, eps: float | None, path: str | None) -> int:
    """The same for one condition."""
    from wdccheck import kernel
    from wdccheck.brackets import Reason

    provenance = {"wdccheck": __version__, "kernel": kernel()}
    interrupted = any(stop.reason is Reason.INTERRUPTED for stop in row.bracket.stopped.values())
    return _finish(row, {**provenance, **row.bracket.to_dict()}, eps, path, interrupted)


def _writable(path: str | None) -> None:
    """Refuse a file that cannot be written before minutes are spent on its content."""
    if path is None or path == "-":
        return
    target = Path(path)
    if target.is_dir() or not (target.parent.is_dir() and os.access(target.parent, os.W_OK)):
        raise InvalidInput("--json", "a file in a writable folder, or -", path)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"wdccheck: warning: {message}", err=True)
