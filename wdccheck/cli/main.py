"""The command line. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from wdccheck.cli.bracket import bracket_group
from wdccheck.cli.estimate import estimate
from wdccheck.cli.options import instead, limit, search_options
from wdccheck.cli.outcome import (
    BUG,
    DONE,
    INTERRUPTED,
    PIPE_CLOSED,
    STATUS,
    UNDECIDED,
    UNSAVED,
    UNUSABLE,
    finish_report,
    or_printed,
)
from wdccheck.cli.outlets import outlets
from wdccheck.cli.outputs import Output, apart, folder, writable
from wdccheck.cli.sweep import plot_command, sweep_command
from wdccheck.cli.verify import verify
from wdccheck.cli.weight_files import files_read, network, no_file, weight_options
from wdccheck.errors import InvalidInput, NotSaved, UnsoundBound, WdccheckError
from wdccheck.kinds import KINDS
from wdccheck.result_files import printable, text_of
from wdccheck.running.signals import Held, Interruptions, from_keyboard
from wdccheck.version import VERSION

__all__ = ["cli", "main"]

_PAGES = ("report.html", "report.json", "report.md")
_ROWS = tuple(f"{kind.slug}[.-]*json" for kind in KINDS)  # wdc-1.json, wdc-1.alpha.json, rric.json


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="wdccheck")
def cli() -> None:
    """Two-sided, proved bounds on the conditions of generative priors: WDC, R2WDC, RRIC, joint-WDC."""


@cli.command(epilog=STATUS)
@click.argument("weights", type=click.Path(), required=False)
@click.option("--measurements", type=click.Path(), metavar="A",
              help="Measurements A, as many columns as outputs, a file of one array; by default drawn.")
@click.option("--pair", nargs=2, type=click.Path(), metavar="B C",
              help="Two networks for blind demodulation ([HJ] Theorem 3), instead of WEIGHTS.")
@click.option("--isometry", is_flag=True,
              help="Also bracket the least and the largest |A u|^2/|u|^2, in half of the last row's time.")
@click.option("--out", type=click.Path(readable=False), metavar="DIR",
              help="Write report.html, report.json and report.md into this folder.")
@weight_options
@search_options(
    "best", "Folder with one file per row; a later call resumes from it.",
    limit("--ratio", "eps/alpha of every row (of one without an alpha, eps)"),
    instead("--eps", "--ratio NUMBER in its place (it compares eps/alpha of every row)"))
def certify(
    weights: str | None, measurements: str | None, pair: tuple[str, str] | None, isometry: bool,
    out: str | None, alpha: float | str, gap: float | None, ratio: float | None, time_limit: float, seed: int,
    checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """Bracket every condition of a network: WDC and R2WDC of each layer, and the RRIC.

    WEIGHTS is a file of NumPy, MATLAB, safetensors, PyTorch, ONNX or Keras, whatever its name (one array of
    shape (n_out, n_in) per layer, in natural order of their names, or a graph, which is followed); by default
    the trained generator of digits that comes with this package. With --pair, B and C are such files:
    WDC of every layer, and the joint-WDC of the last ones.
    """
    from wdccheck.certification.of_network import certify as certify_network
    from wdccheck.certification.of_pair import certify_pair, check_pair
    from wdccheck.data import generator
    from wdccheck.weights.files import read_matrix

    apart(Output("--json", json_path), Output("--out", out, _PAGES),
          Output("--checkpoint", checkpoint, _ROWS), read=files_read(weights, measurements, *pair or ()))
    writable("--json", json_path)
    if pair and isometry:
        raise InvalidInput("--isometry", "one network with measurements", "--pair")
    if pair and not (weights is None is measurements):
        raise InvalidInput("--pair", "no WEIGHTS and no --measurements beside it",
                           str(measurements if weights is None else weights))
    if not pair and weights is None:
        no_file()
    said = quiet or json_path != "-"  # the report says what was read
    nets = [network(path, said) for path in pair or ([] if weights is None else [weights])] or [generator()]
    A = None if measurements is None else read_matrix(measurements)
    if pair:
        check_pair(pair, *nets)
    folder(out, "--out", *_PAGES)
    folder(checkpoint, "--checkpoint", "row.json")
    if pair:
        report = certify_pair(*nets, alpha=alpha, gap=gap, ratio=ratio, time_limit=time_limit,
                              workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    else:
        report = certify_network(nets[0], A, alpha=alpha, gap=gap, ratio=ratio, time_limit=time_limit,
                                 workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint,
                                 isometry=isometry)
    with Held():  # what is known is delivered whole
        status = finish_report(report, ratio, json_path)
        if out is not None:
            command = shlex.join(["wdccheck", *(click.get_current_context().obj or ())])
            or_printed(partial(report.write, out, command), text_of(report.to_dict()))
    return status


for command in (bracket_group, estimate, sweep_command, plot_command, verify):
    cli.add_command(command)


@cli.command()
def info() -> None:
    """Versions, kernel, cores and linear algebra: what a bug report needs."""
    import platform
    from importlib.metadata import version

    import numpy  # noqa: F401 - loads the library that is named below
    from threadpoolctl import threadpool_info

    from wdccheck._kernels import kernel, reason
    from wdccheck.running.parallel import available

    click.echo(f"wdccheck {VERSION}, kernel {kernel()}{reason and f' ({reason})'}")
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
    >>> from wdccheck.cli.main import main
    >>> main(["--version"])
    wdccheck, version 0.1.0
    0
    """
    with outlets() as (out, _), Interruptions() as heard, warnings.catch_warnings():
        told = _Told()
        warnings.simplefilter("always", NotSaved)
        warnings.showwarning = told
        status = _status(list(sys.argv[1:] if argv is None else argv), heard)
        out.flush()
        if isinstance(out.error, BrokenPipeError):
            return PIPE_CLOSED
        if out.error is not None and out.error.strerror:
            click.echo(f"wdccheck: standard output: {out.error.strerror}", err=True)
        return UNSAVED if told.not_saved and status != BUG else status


def _status(arguments: list[str], heard: Interruptions) -> int:
    """Run a command; its exit status."""
    try:
        # not cli.main: it would turn Ctrl-C into exit status 1
        with cli.make_context("wdccheck", [*arguments], obj=tuple(arguments)) as context:
            status = int(cli.invoke(context) or DONE)
        return heard.status if status == INTERRUPTED else status
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return UNUSABLE
    except WdccheckError as error:
        click.echo(f"wdccheck: {printable(str(error))}", err=True)
        return BUG if isinstance(error, UnsoundBound) else UNUSABLE
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(arguments, heard)
    except Exception as error:  # else Python would exit with 1, which means "proved violated" here
        if from_keyboard(error) or (heard.number and isinstance(error, ImportError)):  # amid an import
            return _interrupted(arguments, heard)
        traceback.print_exc()
        return BUG


def _interrupted(arguments: list[str], heard: Interruptions) -> int:
    """What a command says that had nothing to deliver yet; `verify` has an answer of its own."""
    if arguments[:1] == ["verify"]:
        click.echo("not proved: interrupted")
        return UNDECIDED
    click.echo("wdccheck: interrupted", err=True)
    return heard.status


class _Told:
    """Warnings as lines on standard error, and whether one was of a file that could not be written."""

    def __init__(self) -> None:
        self.not_saved = False

    def __call__(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        self.not_saved |= issubclass(category, NotSaved)
        click.echo(f"wdccheck: warning: {message}", err=True)
