"""Options that commands share, and the types of their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from wdccheck.errors import InvalidInput

__all__ = ["instead", "limit", "number", "run_options", "search_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def number(positive: bool, word: str | None = None) -> Callable[[str], float | str]:
    """An option's type: a finite number >= 0, or > 0, or a certain word."""

    def convert(value: str) -> float | str:
        if value == word:
            return value
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and (number > 0 or (number == 0 and not positive)):
            return number
        required = f"a finite number {'> 0' if positive else '>= 0'}" + (f" or {word!r}" if word else "")
        raise click.BadParameter(f"{required} required, found {value!r}")

    return convert


def _workers(value: str) -> int:
    """An option's type: an integer >= 1, or -1."""
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number >= 1 or number == -1:
        return number
    raise click.BadParameter(f"an integer >= 1, or -1 for every core, required, found {value!r}")


def limit(option: str, about: str) -> Callable[[Any], Any]:
    """`--eps` or `--ratio`: what is compared with its number, so that the exit status tells."""
    return click.option(option, type=number(False), metavar="NUMBER",
                        help=f"Decide whether {about} is at most this, then stop.")


def instead(option: str, other: str) -> Callable[[Any], Any]:
    """An option that is not here: its use is refused, and names the one that is."""
    def refuse(context: click.Context, _: click.Parameter, found: str | None) -> None:
        if found is not None and not context.resilient_parsing:
            raise InvalidInput(option, other, found)

    return click.option(option, hidden=True, expose_value=False, callback=refuse)


def search_options(
    alpha: str | None, checkpoint: str, *limits: Callable[[Any], Any]
) -> Callable[[Command], Command]:
    """The options that `certify` and `bracket` share.

    `alpha` is its default, None where there is none; `limits` are `--eps` and `--ratio`.
    """
    scale = click.option(
        "--alpha", type=number(True, "best"), metavar="best|NUMBER", default=alpha, show_default=True,
        help="Scale of a layer; 'best' minimizes eps/alpha.")
    options = [
        *([] if alpha is None else [scale]),
        click.option("--gap", type=number(False), metavar="NUMBER",
                     help="Close enough: upper - lower of eps."),
        *limits,
        click.option("--time-limit", type=number(True), metavar="SECONDS", default="180", show_default=True,
                     help="For everything together."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Seed of the random numbers."),
        click.option("--checkpoint", type=click.Path(), help=checkpoint),
        click.option("--json", "json_path", metavar="FILE|-",
                     help="Write the result as JSON too; to standard output alone if '-'."),
    ]
    return _apply([*options, *_RUN_OPTIONS])


def _apply(options: list[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _connected(context: click.Context, _: click.Parameter, address: str | None) -> None:
    """Work on a cluster until the command ends."""
    if address is not None and not context.resilient_parsing:
        from wdccheck.running.parallel import cluster

        context.with_resource(cluster(address))


_RUN_OPTIONS: list[Callable[[Any], Any]] = [
    click.option("--workers", type=_workers, metavar="N", default="-1", show_default=True,
                 help="Processes; -1: every core."),
    click.option("--scheduler", metavar="ADDRESS", expose_value=False, callback=_connected,
                 help="Work on all cores of a Dask cluster instead: tcp://HOST:8786."),
    click.option("--quiet", is_flag=True, help="No progress on standard error."),
]


def run_options(command: Command) -> Command:
    """The options of every command that runs engines."""
    return _apply(_RUN_OPTIONS)(command)
