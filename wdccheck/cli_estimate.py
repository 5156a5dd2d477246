"""`wdccheck estimate`: statements about random directions, which are no bounds."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import click

from wdccheck.delivery import DONE, UNDECIDED
from wdccheck.errors import InvalidInput, PoorFit
from wdccheck.options import workers_option
from wdccheck.printing import WIDTH

if TYPE_CHECKING:
    from wdccheck.conditions.condition import Condition

__all__ = ["estimate"]

_FILES = {"wdc": 1, "r2wdc": 1, "rric": 1, "joint-wdc": 2}


@click.command()
@click.argument("kind", type=click.Choice(list(_FILES)))
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--layer", type=click.IntRange(min=1), help="Which layer, counted from 1 (wdc, r2wdc).")
@click.option("--measurements", type=click.Path(), metavar="A", help="The matrix A of the RRIC.")
@click.option("--alpha", type=float, help="Scale, 1 by default; the RRIC has none.")
@click.option("--quantile", "quantiles", type=float, multiple=True, metavar="P",
              help="A quantile of the deviation; 0.99 if nothing is asked for.")
@click.option("--above", "levels", type=float, multiple=True, metavar="LEVEL",
              help="The probability of a deviation above LEVEL.")
@click.option("--extreme", "extremes", type=float, multiple=True, metavar="P",
              help="A quantile beyond the sample, or with 1 where the distribution ends.")
@click.option("--samples", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--confidence", type=float, default=0.95, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@workers_option
def estimate(
    kind: str, files: tuple[str, ...], layer: int | None, measurements: str | None, alpha: float | None,
    quantiles: tuple[float, ...], levels: tuple[float, ...], extremes: tuple[float, ...], samples: int,
    confidence: float, seed: int, workers: int,
) -> int:
    """Estimate the deviation at uniform random directions: no bound on epsilon.

    FILES are those of `wdccheck bracket KIND`. Exit status: 0 done, 2 unusable input or arguments, 3 an
    extreme-value estimate was refused since its fit is poor.
    """
    from wdccheck import estimates

    condition, status = _condition(kind, files, layer, measurements, alpha), DONE
    asked = [*((estimates.quantile, p) for p in quantiles), *((estimates.exceedance, x) for x in levels),
             *((estimates.extreme, p) for p in extremes)]
    for make, number in asked or [(estimates.quantile, 0.99)]:
        try:
            text = str(make(condition, number, samples=samples, confidence=confidence, rng=seed,
                            workers=workers))
        except PoorFit as error:
            text, status = f"refused, since {'; '.join(error.reasons)}", UNDECIDED
            if math.isfinite(error.estimate.value):
                text += f"; what is refused is this: {error.estimate}"
        click.echo(textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    return status


def _condition(
    kind: str, files: tuple[str, ...], layer: int | None, measurements: str | None, alpha: float | None
) -> Condition:
    from wdccheck.conditions.joint_wdc import JointWDC
    from wdccheck.conditions.r2wdc import R2WDC
    from wdccheck.conditions.rric import RRIC
    from wdccheck.conditions.wdc import WDC
    from wdccheck.weights import read_matrix, read_network

    if len(files) != _FILES[kind]:
        raise InvalidInput("FILES", f"{_FILES[kind]} of {kind}", str(len(files)))
    if (measurements is not None) != (kind == "rric"):
        raise InvalidInput("--measurements", "A for rric, and nothing for the others", str(measurements))
    if kind == "rric" and alpha is not None:
        raise InvalidInput("--alpha", "none for rric", str(alpha))
    alpha = 1.0 if alpha is None else alpha
    if kind == "joint-wdc":
        return JointWDC(read_matrix(files[0]), read_matrix(files[1]), alpha)
    net = read_network(files[0])
    if measurements is not None:
        return RRIC(read_matrix(measurements), net)
    if layer is None and net.depth == 1:
        layer = 1
    if layer is None or layer > net.depth:
        raise InvalidInput("--layer", f"an integer from 1 to {net.depth}", str(layer or "none"))
    return WDC(net.layers[layer - 1], alpha, layer) if kind == "wdc" else R2WDC(net, layer, alpha)
