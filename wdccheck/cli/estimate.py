"""`wdccheck estimate`: statements about random directions, which are no bounds."""

from __future__ import annotations

import math
import textwrap
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from wdccheck.cli.options import number, run_options
from wdccheck.cli.outcome import DONE, UNDECIDED, or_printed
from wdccheck.cli.outputs import Output, apart, writable
from wdccheck.cli.weight_files import files_read, layer_number, networks, weight_options
from wdccheck.errors import InvalidInput, PoorFit
from wdccheck.kinds import KINDS, with_slug
from wdccheck.rounded_text import WIDTH, wrapped
from wdccheck.running.signals import Held

if TYPE_CHECKING:
    from wdccheck.estimates import Estimate
    from wdccheck.protocol.condition import Condition
    from wdccheck.weights.network import ReLUNetwork

__all__ = ["estimate"]

_SLUGS = [kind.slug for kind in KINDS]


@click.command()
@click.argument("kind", type=click.Choice(_SLUGS))
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--layer", type=click.IntRange(min=1), help="Which layer, counted from 1.")
@click.option("--measurements", type=click.Path(), metavar="A", help="The matrix of measurements.")
@click.option("--alpha", type=float, help="Scale, 1 by default, where there is one.")
@click.option("--quantile", "quantiles", type=float, multiple=True, metavar="P",
              help="A quantile of the deviation; 0.99 if nothing is asked for.")
@click.option("--above", "levels", type=float, multiple=True, metavar="LEVEL",
              help="The probability of a deviation above LEVEL.")
@click.option("--extreme", "extremes", type=float, multiple=True, metavar="P",
              help="A quantile beyond the sample, or with 1 where the distribution ends.")
@click.option("--samples", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--time-limit", type=number(True), metavar="SECONDS", default="180", show_default=True,
              help="For everything together; fewer samples if it does not suffice.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "json_path", metavar="FILE|-",
              help="Write the estimates as JSON too; to standard output alone if '-'.")
@weight_options
@run_options
def estimate(
    kind: str, files: tuple[str, ...], layer: int | None, measurements: str | None, alpha: float | None,
    quantiles: tuple[float, ...], levels: tuple[float, ...], extremes: tuple[float, ...], samples: int,
    confidence: float, time_limit: float, seed: int, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """Estimate the deviation at uniform random directions: no bound on epsilon.

    FILES are those of `wdccheck bracket KIND`. Exit status: 0 done, 2 unusable input or arguments, 3 an
    extreme-value estimate was refused since its fit is poor.
    """
    from wdccheck import estimates

    begun = time.monotonic()
    writable("--json", json_path)
    apart(Output("--json", json_path), read=files_read(measurements, *files))
    nets = _networks(kind, files, layer, measurements, alpha, quiet or json_path != "-")
    condition = _condition(kind, nets, layer, measurements, 1.0 if alpha is None else alpha)
    asked = [*((estimates.quantile, p) for p in quantiles), *((estimates.exceedance, x) for x in levels),
             *((estimates.extreme, p) for p in extremes)] or [(estimates.quantile, 0.99)]
    made: list[tuple[Estimate, tuple[str, ...]]] = []
    ended: BaseException | None = None
    for done, (make, value) in enumerate(asked):
        left = max(time_limit - (time.monotonic() - begun), 0.01) / (len(asked) - done)
        try:
            made.append((make(condition, value, samples=samples, confidence=confidence, rng=seed,
                              workers=workers, time_limit=left), ()))
        except PoorFit as error:
            made.append((error.estimate, error.reasons))
        except (KeyboardInterrupt, InvalidInput) as error:  # of too few samples in the time, for one
            if not made:
                raise
            ended = error
            break
    with Held():  # what is known is delivered whole
        _deliver(condition, made, nets, json_path)
    if ended is not None:
        raise ended
    return UNDECIDED if any(reasons for _, reasons in made) else DONE


def _deliver(
    condition: Condition, made: list[tuple[Estimate, tuple[str, ...]]], nets: list[ReLUNetwork],
    path: str | None,
) -> None:
    """Estimates as text, and as JSON where they are wanted; those that were refused say why."""
    from wdccheck import result_files
    from wdccheck.version import made_by

    about = condition.describe()
    data = {
        **made_by(),
        "weights": [net.origin.to_dict() for net in nets if net.origin is not None],
        "condition": {name: about[name] for name in ("kind", "alpha", "layer", "shape", "sha256", "options")},
        "estimates": [{**_finite(asdict(found)), "refused": list(reasons)} for found, reasons in made]}
    if path == "-":
        click.echo(result_files.text_of(data), nl=False)
        return
    for found, reasons in made:
        text = str(found)
        if reasons:
            text = f"refused, since {'; '.join(reasons)}" + (
                f"; what is refused is this: {found}" if math.isfinite(found.value) else "")
        click.echo(textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    for line in (line for net in nets if net.origin is not None for line in net.origin.lines()):
        click.echo("\n".join(wrapped(line)))
    if path is not None:
        or_printed(partial(result_files.write, path, data), result_files.text_of(data))


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    """Numbers that JSON lacks become null."""
    return {name: _finite(value) if isinstance(value, dict)
            else None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in data.items()}


def _networks(
    slug: str, files: tuple[str, ...], layer: int | None, measurements: str | None, alpha: float | None,
    quiet: bool,
) -> list[ReLUNetwork]:
    """What FILES hold, after a look at what goes together."""
    kind = with_slug(slug)
    count = 2 if kind.paired else 1
    if len(files) != count:
        raise InvalidInput("FILES", f"{count} of {slug}", str(len(files)))
    if (measurements is not None) != kind.measured:
        with_A = ", ".join(one.slug for one in KINDS if one.measured)
        raise InvalidInput("--measurements", f"A for {with_A}, and nothing for the others", str(measurements))
    if not kind.scaled and alpha is not None:
        raise InvalidInput("--alpha", f"none for {slug}", str(alpha))
    return networks(kind, files, layer, quiet)


def _condition(
    slug: str, nets: list[ReLUNetwork], layer: int | None, measurements: str | None, alpha: float
) -> Condition:
    from wdccheck.conditions.built import build
    from wdccheck.weights.files import read_matrix

    kind, net = with_slug(slug), nets[0]
    if kind.paired:
        return build(kind.name, [one.layers[0] for one in nets], alpha=alpha)
    if measurements is not None:
        A = read_matrix(measurements, complex_too=kind.orthonormal)
        return build(kind.name, net.layers, measurements=A)
    number = layer_number(layer, net.depth)
    chosen = net.layers[:number] if kind.over_range else net.layers[number - 1: number]
    return build(kind.name, chosen, alpha=alpha, layer=number)
