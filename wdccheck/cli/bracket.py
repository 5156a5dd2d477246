"""`wdccheck bracket`: one condition of one layer, of a pair of matrices, of measurements."""

from __future__ import annotations

import click

from wdccheck.cli.options import search_options
from wdccheck.cli.outcome import STATUS, finish_row, writable
from wdccheck.cli.weight_files import layer_number, matrix, network, weight_options

__all__ = ["bracket_group"]

SO_FAR = "File of the bracket so far; a later call resumes from it."


@click.group(name="bracket")
def bracket_group() -> None:
    """Bracket one condition."""


@bracket_group.command(epilog=STATUS)
@click.argument("weights", type=click.Path())
@click.option("--layer", type=click.IntRange(min=1), help="Which layer, counted from 1.")
@weight_options
@search_options("1", SO_FAR)
def wdc(
    weights: str, layer: int | None, alpha: float | str, gap: float | None, eps: float | None,
    time_limit: float, seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The WDC of one matrix: WEIGHTS is a file of weights (docs/weight-files.md)."""
    from wdccheck.certification.of_condition import certify_condition
    from wdccheck.conditions.wdc.definition import WDC

    writable(json_path)
    net = network(weights, quiet)
    row = certify_condition(
        WDC(net.layers[layer_number(layer, net.depth) - 1], layer=layer), alpha=alpha, gap=gap, target=eps,
        time_limit=time_limit, workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return finish_row(row, eps, json_path, net)


@bracket_group.command(name="joint-wdc", epilog=STATUS)
@click.argument("first", metavar="B", type=click.Path())
@click.argument("second", metavar="C", type=click.Path())
@weight_options
@search_options("1", SO_FAR)
def joint_wdc(
    first: str, second: str, alpha: float | str, gap: float | None, eps: float | None, time_limit: float,
    seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The joint-WDC of two matrices with equally many rows: B and C are files of one matrix."""
    from wdccheck.certification.of_condition import certify_condition
    from wdccheck.conditions.joint_wdc.definition import JointWDC

    writable(json_path)
    pair = [matrix(path, quiet) for path in (first, second)]
    row = certify_condition(
        JointWDC(pair[0].layers[0], pair[1].layers[0]), alpha=alpha, gap=gap, target=eps,
        time_limit=time_limit, workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return finish_row(row, eps, json_path, *pair)


@bracket_group.command(epilog=STATUS)
@click.argument("net", type=click.Path())
@click.option("--layer", type=click.IntRange(min=1), help="Which layer, counted from 1.")
@weight_options
@search_options("1", SO_FAR)
def r2wdc(
    net: str, layer: int | None, alpha: float | str, gap: float | None, eps: float | None,
    time_limit: float, seed: int, checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The R2WDC of one layer: NET holds this layer and those before it."""
    from wdccheck.certification.of_condition import certify_condition
    from wdccheck.conditions.r2wdc.definition import R2WDC

    writable(json_path)
    found = network(net, quiet)
    row = certify_condition(
        R2WDC(found, layer_number(layer, found.depth)), alpha=alpha, gap=gap, target=eps,
        time_limit=time_limit, workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return finish_row(row, eps, json_path, found)


@bracket_group.command(epilog=STATUS)
@click.argument("net", type=click.Path())
@click.option("--measurements", type=click.Path(), metavar="A", required=True,
              help="The matrix A: a file of one array, as many columns as NET has outputs.")
@weight_options
@search_options(None, SO_FAR)
def rric(
    net: str, measurements: str, gap: float | None, eps: float | None, time_limit: float, seed: int,
    checkpoint: str | None, json_path: str | None, workers: int, quiet: bool,
) -> int:
    """The RRIC of measurements of the outputs of a network: NET is a file of weights."""
    from wdccheck.certification.of_condition import certify_condition
    from wdccheck.conditions.rric.definition import RRIC
    from wdccheck.weights.files import read_matrix

    writable(json_path)
    found = network(net, quiet)
    row = certify_condition(
        RRIC(read_matrix(measurements), found), gap=gap, target=eps, time_limit=time_limit,
        workers=workers, rng=seed, progress=not quiet, checkpoint=checkpoint)
    return finish_row(row, eps, json_path, found)
