"""`wdccheck bracket KIND`: one condition, a command for every kind."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from wdccheck.cli.options import instead, limit, search_options
from wdccheck.cli.outcome import STATUS, finish_row
from wdccheck.cli.outputs import Output, apart, writable
from wdccheck.cli.weight_files import files_read, layer_number, networks, weight_options
from wdccheck.errors import InvalidInput, ScaleWarning
from wdccheck.kinds import KINDS, Kind
from wdccheck.running.signals import Held

if TYPE_CHECKING:
    from wdccheck.protocol.condition import Condition

__all__ = ["bracket_group"]

SO_FAR = "File of the bracket so far; a later call resumes from it."

_ARGUMENTS = {"layer": "WEIGHTS", "network": "NET", "B": "B", "C": "C"}
_ISOMETRY = click.option(
    "--isometry", is_flag=True,
    help="Also bracket the least and the largest |A u|^2/|u|^2; half of the time goes to them.")
_LAYER = click.option("--layer", type=click.IntRange(min=1), help="Which layer, counted from 1.")


@click.group(name="bracket")
def bracket_group() -> None:
    """Bracket one condition."""


def _measurements(kind: Kind) -> Callable[[Any], Any]:
    """The option for the matrix that the kind is about."""
    letter, more = "A", ""
    if kind.orthonormal:
        letter, more = "U", "; real or complex, its rows or its columns orthonormal"
    return click.option(
        "--measurements", type=click.Path(), metavar=letter, required=True,
        help=f"The matrix {letter}: a file of one array, as many columns as NET has outputs{more}.")


def _command(kind: Kind) -> click.Command:
    """The command of a kind: its files as arguments, and what else it needs as options."""
    def run(**given: Any) -> int:
        return _bracketed(kind, **given)

    files = [_ARGUMENTS[need] for need in kind.needs if need in ("network", "B", "C")] or ["WEIGHTS"]
    decorators: list[Callable[[Any], Any]] = [
        *(click.argument(name.lower(), metavar=name, type=click.Path()) for name in files),
        *([_LAYER] if kind.per_layer else []), *([_measurements(kind)] if kind.measured else []),
        *([_ISOMETRY] if kind.sides else []), weight_options,
        search_options("1" if kind.scaled else None, SO_FAR, *_limits(kind))]
    for decorate in reversed(decorators):
        run = decorate(run)
    return click.command(name=kind.slug, epilog=STATUS, help=kind.help)(run)


def _limits(kind: Kind) -> list[Callable[[Any], Any]]:
    """What may be compared with a number: eps/alpha where there is an alpha."""
    eps = limit("--eps", "eps")
    return [eps, limit("--ratio", "eps/alpha") if kind.scaled else
            instead("--ratio", "--eps NUMBER in its place (this condition has no alpha)")]


def _bracketed(
    kind: Kind, *, gap: float | None, eps: float | None, time_limit: float, seed: int,
    checkpoint: str | None, json_path: str | None, workers: int, quiet: bool, alpha: float | str = 1.0,
    ratio: float | None = None, layer: int | None = None, measurements: str | None = None,
    isometry: bool = False, **paths: str,
) -> int:
    from wdccheck.certification.of_condition import certify_condition
    from wdccheck.certification.of_range import isometry as range_isometry
    from wdccheck.certification.over_alpha import alpha_file
    from wdccheck.conditions.built import build
    from wdccheck.weights.files import read_matrix

    writable("--json", json_path)
    writable("--checkpoint", checkpoint)
    apart(Output("--json", json_path), Output("--checkpoint", checkpoint),
          Output("--checkpoint", alpha_file(checkpoint)), read=files_read(measurements, *paths.values()))
    if eps is not None and ratio is not None:
        raise InvalidInput("--eps and --ratio", "one of them", "both")
    nets = networks(kind, paths.values(), layer, quiet or json_path != "-")  # the result says what they are
    layers = [net.layers[0] for net in nets] if kind.paired else list(nets[0].layers)
    if kind.per_layer:
        number = layer_number(layer, len(layers))
        layers = layers[:number] if kind.over_range else layers[number - 1: number]
    A = None if measurements is None else read_matrix(measurements, complex_too=kind.orthonormal)
    condition = build(kind.name, layers, measurements=A, layer=layer)
    if click.get_current_context().get_parameter_source("alpha") is ParameterSource.DEFAULT:
        _warn_of_scale(condition)
    begun = time.monotonic()
    row = certify_condition(
        condition, alpha=alpha, gap=gap, eps=eps, ratio=ratio, rng=seed, workers=workers,
        time_limit=time_limit / 2 if isometry else time_limit, progress=not quiet, checkpoint=checkpoint)
    if isometry and not row.interrupted:
        left = max(time_limit - (time.monotonic() - begun), 0.01)
        row = replace(row, isometry=range_isometry(A, nets[0], time_limit=left, workers=workers, rng=seed,
                                                   progress=not quiet))
    with Held():  # what is known is delivered whole
        return finish_row(row, eps, ratio, json_path, *nets)


def _warn_of_scale(condition: Condition) -> None:
    """Say so where alpha = 1, which nobody chose, is far from the scale of the weights."""
    from wdccheck.protocol.condition import Scaled

    scale = condition.natural_alpha() if isinstance(condition, Scaled) else math.nan
    if math.isfinite(scale) and scale > 0 and not 0.5 <= scale <= 2:
        warnings.warn(
            f"alpha is 1, since none is given, but the scale of these weights is about {scale:.3g}: "
            f"--alpha best finds the alpha of the least eps/alpha, --alpha {scale:.3g} takes this scale",
            ScaleWarning, stacklevel=2)


for _kind in KINDS:
    bracket_group.add_command(_command(_kind))
