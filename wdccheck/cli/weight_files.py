"""How commands read weight files: the options about what the theory does not cover, and the order found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wdccheck.errors import InvalidInput

if TYPE_CHECKING:
    from wdccheck.kinds import Kind
    from wdccheck.weights.network import ReLUNetwork

__all__ = ["files_read", "layer_number", "network", "networks", "no_file", "weight_options"]

Command = TypeVar("Command", bound=Callable[..., Any])
_KEY = "wdccheck.cli.weight_files"


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    context.meta.setdefault(_KEY, {})[parameter.name] = value


_OPTIONS = [
    click.option("--arrays", multiple=True, metavar="NAMES", expose_value=False, callback=_keep,
                 help="The arrays of the file that are the layers, in this order: names or patterns, as "
                      "'decoder.*', between commas or repeated."),
    click.option("--key", metavar="A.B", expose_value=False, callback=_keep,
                 help="The dictionary of a checkpoint that holds the arrays: B within A."),
    click.option("--from", "from_", metavar="NAME", expose_value=False, callback=_keep,
                 help="The value or node of a graph where the network begins."),
    click.option("--to", metavar="NAME", expose_value=False, callback=_keep, help="... and where it ends."),
    click.option("--transpose", is_flag=True, expose_value=False, callback=_keep,
                 help="The file stores matrices as (n_in, n_out)."),
    click.option("--check", nargs=2, type=click.Path(), metavar="X Y", expose_value=False, callback=_keep,
                 help="Two .npy files: refuse the file unless G(X) = Y up to 1e-4 of the largest output."),
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
    """The network of a file, under the options of the command; unless `quiet`, what it is goes to stderr."""
    from wdccheck.weights.files import read_network

    return _said(read_network(path, **_given()), quiet)


def networks(kind: Kind, paths: Iterable[str], layer: int | None, quiet: bool) -> list[ReLUNetwork]:
    """What a condition of this kind is about: networks, or single matrices as networks of one layer.

    Raises
    ------
    InvalidInput
        A file holds several matrices where one is needed.
    """
    alone = kind.paired or (kind.per_layer and not kind.over_range and layer is None)
    nets = [(_matrix if alone else network)(path, quiet) for path in paths]
    for path, net in zip(paths, nets, strict=True):
        if kind.paired and net.depth > 1:
            raise InvalidInput(path, "one array", f"{net.depth} (--arrays NAME takes one of this name out of "
                               "each file; certify --pair takes the last layers of both)")
    return nets


def _matrix(path: str, quiet: bool) -> ReLUNetwork:
    """The one matrix that ``--arrays`` chooses, whatever else the file holds.

    The whole network where nothing is chosen, or where an option acts on more than a matrix.
    """
    from wdccheck.weights.files import read_layer

    given = _given()
    if not given["arrays"] or given["lift_bias"] or given["fold_batchnorm"] or given["check"]:
        return network(path, quiet)
    chosen = {name: given[name] for name in ("arrays", "key", "transpose")}
    return _said(read_layer(path, **chosen), quiet)


def files_read(*paths: str | None) -> tuple[str | None, ...]:
    """These, and those of ``--check``."""
    return *paths, *(_given()["check"] or ())


def no_file() -> None:
    """Refuse options about a file where none is given.

    Raises
    ------
    InvalidInput
        Some are.
    """
    given = [name for name, value in _given().items() if value not in (None, False, "relu")]
    if given:
        option = "--" + given[0].rstrip("_").replace("_", "-")
        raise InvalidInput(option, "a file that it is about", "none: the bundled generator needs no options")


def _given() -> dict[str, Any]:
    """The options of the command, as arguments of :func:`~wdccheck.read_network`."""
    given = dict(click.get_current_context().meta[_KEY])
    return {**given, "arrays": given["arrays"] or None, "check": given["check"] or None}


def _said(net: ReLUNetwork, quiet: bool) -> ReLUNetwork:
    if net.origin is not None and not quiet:
        click.echo(net.origin.to_text(), err=True)
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
