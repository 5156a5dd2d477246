"""How commands read weight files: the options about what the theory does not cover, and the order found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wdccheck.errors import InvalidInput

if TYPE_CHECKING:
    from wdccheck.weights.network import ReLUNetwork

__all__ = ["layer_number", "matrix", "network", "weight_options"]

Command = TypeVar("Command", bound=Callable[..., Any])
_KEY = "wdccheck.cli.weight_files"


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    context.meta.setdefault(_KEY, {})[parameter.name] = value


_OPTIONS = [
    click.option("--ignore-bias", is_flag=True, expose_value=False, callback=_keep,
                 help="Drop the biases: bounds of another network."),
    click.option("--lift-bias", is_flag=True, expose_value=False, callback=_keep,
                 help="Make relu(Wx + b) a bias-free layer on (x, 1)."),
    click.option("--fold-batchnorm", is_flag=True, expose_value=False, callback=_keep,
                 help="Multiply batch norm into the layer beside it."),
    click.option("--last-activation", type=click.Choice(["relu", "ignore"]), default="relu",
                 expose_value=False, callback=_keep,
                 help="'ignore': take a ReLU after the last layer, whatever is there."),
]


def weight_options(command: Command) -> Command:
    """The options of every command that reads a network; they are kept for :func:`network`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def network(path: str, quiet: bool) -> ReLUNetwork:
    """The network of a file, under the options of the command; the order found goes to standard error."""
    from wdccheck.weights.files import read_network

    given: dict[str, Any] = click.get_current_context().meta[_KEY]
    net = read_network(
        path, ignore_bias=given["ignore_bias"], lift_bias=given["lift_bias"],
        fold_batchnorm=given["fold_batchnorm"], last_activation=given["last_activation"])
    if net.origin is not None and not quiet:
        click.echo(net.origin.to_text(), err=True)
    return net


def matrix(path: str, quiet: bool) -> ReLUNetwork:
    """A network of one layer.

    Raises
    ------
    InvalidInput
        The file holds several.
    """
    net = network(path, quiet)
    if net.depth > 1:
        raise InvalidInput(path, "one array", f"{net.depth}")
    return net


def layer_number(given: int | None, depth: int) -> int:
    """The layer that ``--layer`` means; a file of one layer needs no number.

    Raises
    ------
    InvalidInput
        There is no such layer, or there are several.
    """
    if (given or 1) > depth or (given is None and depth > 1):
        raise InvalidInput("--layer", f"an integer from 1 to {depth}", str(given or "none"))
    return given or 1
