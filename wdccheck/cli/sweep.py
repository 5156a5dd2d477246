"""`wdccheck sweep` brackets random weights over a product of lists; `wdccheck plot` draws the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wdccheck.cli.options import number, run_options
from wdccheck.cli.outcome import BUG, DONE, INTERRUPTED, UNDECIDED
from wdccheck.cli.outputs import Output, apart
from wdccheck.errors import InvalidInput
from wdccheck.kinds import KINDS
from wdccheck.running.signals import Held

if TYPE_CHECKING:
    from wdccheck.reports.row import Row
    from wdccheck.studies.studies import Study

__all__ = ["plot_command", "sweep_command"]

_SLUGS = [kind.slug for kind in KINDS]
_MEASURED = [kind.slug for kind in KINDS if kind.measured]
_PAIRED = [kind.slug for kind in KINDS if kind.paired]

_STATUS = """\b
Exit status:
  0    done
  2    unusable arguments, or a folder of another sweep
  3    some cells failed: the column `error` says why
  70   an error of this program: please report it
  74   a file could not be written: the table is printed
  130  interrupted (143 by SIGTERM): the rows so far; with --out, the same command goes on from there"""


def _list(convert: Callable[[str], Any], word: str | None = None) -> Callable[[str], list[Any]]:
    """An option's type: values between commas."""

    def split(value: str) -> list[Any]:
        try:
            return [part if part == word else convert(part) for part in value.split(",")]
        except ValueError:
            kind = {int: "integers", float: "numbers"}.get(convert, "names")  # type: ignore[call-overload]
            raise click.BadParameter(f"{kind} between commas required, found {value!r}") from None

    return split


_INTEGERS = _list(int)


@click.command(name="sweep", epilog=_STATUS)
@click.option("--condition", type=_list(str), metavar="LIST", default=_SLUGS[0], show_default=True,
              help=f"Of {', '.join(_SLUGS)}.")
@click.option("--distribution", type=_list(str), metavar="LIST", default="gaussian", show_default=True,
              help="Of gaussian, sphere, rademacher, truncated, sparse, orthogonal.")
@click.option("--k", type=_INTEGERS, metavar="LIST", default="3", show_default=True,
              help="Latent dimensions.")
@click.option("--n", type=_INTEGERS, metavar="LIST", help="Outputs of the last layer.")
@click.option("--expansion", type=_list(float), metavar="LIST", help="n/k, instead of --n.")
@click.option("--depth", type=_INTEGERS, metavar="LIST", default="1", show_default=True,
              help="Layers; the last is bracketed.")
@click.option("--hidden", type=_INTEGERS, metavar="LIST",
              help="Outputs of the layers before it; by default they grow by one factor from k to n.")
@click.option("--m", type=_INTEGERS, metavar="LIST", help=f"Measurements, for {', '.join(_MEASURED)}.")
@click.option("--l", type=_INTEGERS, metavar="LIST", help=f"Rows of both matrices, for {', '.join(_PAIRED)}.")
@click.option("--alpha", type=_list(float, "best"), metavar="LIST", default="1", show_default=True,
              help="Scales; 'best' minimizes eps/alpha.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True,
              help="Repetitions of every cell, each with other weights.")
@click.option("--gap", type=number(False), metavar="NUMBER", default="0", help="Close enough: upper - lower.")
@click.option("--rtol", type=number(False), metavar="NUMBER", default="0.02", show_default=True,
              help="Close enough: the same, over upper.")
@click.option("--budget", type=click.IntRange(min=1), metavar="NODES", help="Work of a cell.")
@click.option("--time-limit", type=number(True), metavar="SECONDS", help="Time of a cell.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the study.")
@click.option("--out", type=click.Path(), metavar="DIR",
              help="Folder of results.csv and a file per cell; a later call resumes from it.")
@click.option("--plot", "figure", type=click.Path(), metavar="FILE", help="Draw it: .pdf, .png or .svg.")
@run_options
def sweep_command(
    condition: list[str], distribution: list[str], k: list[int], n: list[int] | None,
    expansion: list[float] | None, depth: list[int], hidden: list[int] | None, m: list[int] | None,
    l: list[int] | None, alpha: list[float | str], repeat: int, gap: float, rtol: float,  # noqa: E741
    budget: int | None, time_limit: float | None, seed: int, out: str | None, figure: str | None,
    workers: int, quiet: bool,
) -> int:
    """Bracket a condition of random weights for every combination of the lists.

    Lists are values between commas: --k 2,3,4 --n 50,100,200. Without --out, the table goes to standard
    output as CSV.
    """
    from wdccheck.studies.studies import sweep

    apart(Output("--out", out, ()), Output("--plot", figure))
    if figure is not None:
        _drawable(figure)
    study = sweep(
        condition, distribution=distribution, k=k, n=n, expansion=expansion, depth=depth, hidden=hidden,
        m=m, l=l, alpha=alpha, repeat=repeat, gap=gap, rtol=rtol, budget=budget, time_limit=time_limit,
        rng=seed, workers=workers, out=out, progress=not quiet)
    with Held():  # what is known is delivered whole
        _deliver(study, out)
    if study.interrupted:
        return INTERRUPTED
    if figure is not None and len(study.failed) < len(study.rows):
        _draw(study, None, [], (figure,))
    if any(str(row["error"]).startswith("UnsoundBound") for row in study.failed):
        return BUG
    return UNDECIDED if study.failed else DONE


def _deliver(study: Study, out: str | None) -> None:
    """Print the table, or say where it is, and which cells failed."""
    if study.interrupted and out is not None:
        click.echo(f"finished cells are kept in {out}: the same command goes on from there", err=True)
    elif out is None or not _holds(Path(out) / "results.csv", study):
        click.echo(study.to_csv(), nl=False)
    else:
        click.echo(f"{len(study.rows)} cells, {len(study.failed)} failed: {Path(out) / 'results.csv'}")
    for row in study.failed:
        which = ", ".join(f"{name} {row[name]}" for name in ("condition", "distribution", "k", "n", "m", "l")
                          if row[name] is not None)
        click.echo(f"{which}: {row['error']}", err=True)


def _holds(path: Path, study: Study) -> bool:
    """Whether the file has the table: a full disk keeps another one, or none."""
    try:
        return path.read_text(encoding="utf-8") == study.to_csv()
    except (OSError, ValueError):
        return False


@click.command(name="plot")
@click.argument("tables", metavar="RESULTS...", nargs=-1, required=True, type=click.Path())
@click.option("--kind", type=click.Choice(
    ["width", "expansion", "contraction", "measurements", "joint", "alphas", "trained"]),
    help="What to draw; by default what the table is about.")
@click.option("--beside", type=click.Path(), metavar="REPORT",
              help="A report of `wdccheck certify --json`, whose layers are drawn beside the random ones.")
@click.option("--out", type=click.Path(), metavar="FILE", multiple=True,
              help=".pdf, .png or .svg, also several; by default RESULTS with .png.")
def plot_command(
    tables: tuple[str, ...], kind: str | None, beside: str | None, out: tuple[str, ...],
) -> int:
    """Draw the results.csv of one or several sweeps.

    width: eps against n. expansion: eps sqrt(n/k) against n/k. contraction: R2WDC beside WDC.
    measurements: RRIC against m. joint: joint-WDC against l. alphas: eps/alpha against alpha. trained:
    the layers of a report (--beside) among random ones.
    """
    from wdccheck.studies.studies import Study

    if (kind == "trained") is (beside is None) and kind is not None:
        raise InvalidInput("--beside", "a report with --kind trained, and none otherwise",
                           str(beside or "none"))
    files = out or (str(Path(tables[0]).with_suffix(".png")),)
    apart(*(Output("--out", file) for file in files), read=(*tables, beside))
    for file in files:
        _drawable(file)
    study = Study(tuple(row for table in tables for row in Study.load(table).rows))
    for file in _draw(study, "trained" if beside else kind, [] if beside is None else _layers(beside), files):
        click.echo(file)
    return DONE


def _draw(study: Study, kind: str | None, layers: list[Row], files: tuple[str, ...]) -> list[str]:
    """Draw a study into files; those that could be written."""
    from wdccheck import plots, result_files

    ax = plots.figure()
    if kind == "trained":
        plots.trained(study, layers, ax)
    else:
        plots.draw(study, kind, ax)
    return [file for file in files
            if result_files.saved(partial(plots.save, ax, file), "the other files are written")]


def _layers(path: str) -> list[Row]:
    """The rows of a report."""
    from wdccheck import result_files
    from wdccheck.brackets import Bracket
    from wdccheck.reports.row import Row

    rows = result_files.read(path).get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "bracket" in row for row in rows):
        raise InvalidInput(path, "a report of `wdccheck certify --json`", "something else")
    return [Row(Bracket.from_dict(row["bracket"], path)) for row in rows]


def _drawable(file: str) -> None:
    """Refuse a figure that cannot be written before minutes are spent on what it shows."""
    from wdccheck import plots

    plots.check(file)
