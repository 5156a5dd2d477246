"""The committed results: their hashes, their witnesses, and what the README files say of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import proved, stands
from wdccheck import result_files
from wdccheck.brackets import Bracket
from wdccheck.certification.of_network import drawn_measurements
from wdccheck.data import generator
from wdccheck.reports.markdown import typeset
from wdccheck.reports.row import Row
from wdccheck.rounded_text import between, shortest
from wdccheck.weights.files import read_network

ROOT = Path(__file__).parents[2] / "certificates"
FOLDERS = ["digits", "contractive", "demodulation"]
every_folder = pytest.mark.parametrize("folder", FOLDERS)


def rows(folder):
    return result_files.read(ROOT / folder / "report.json")["rows"]


def networks(folder):
    if folder == "digits":
        return {"": generator()}
    if folder == "contractive":
        return {"": read_network(ROOT / folder / "weights.npz")}
    return {name: read_network(ROOT / folder / f"{name}.npz") for name in "BC"}


def conditions(folder):
    """The conditions of the rows, made from the committed weights alone."""
    nets, kept = networks(folder), rows(folder)
    A = drawn_measurements(next(iter(nets.values())), 0)
    for row in kept:
        net, layer, alpha = nets.get(row["of"]), row["layer"], row["alpha"]
        if row["kind"] == "WDC":
            yield wc.WDC(net.layers[layer - 1], alpha, layer=layer)
        elif row["kind"] == "R2WDC":
            yield wc.R2WDC(net, layer, alpha)
        elif row["kind"] == "RRIC":
            yield wc.RRIC(A, net)
        else:
            yield wc.JointWDC(nets["B"].layers[-1], nets["C"].layers[-1], alpha)


@every_folder
def test_a_report_is_of_the_committed_weights(folder):
    data = result_files.read(ROOT / folder / "report.json")
    kept = data["pair"] if folder == "demodulation" else {"": data["network"]}
    assert kept == {name: {"dims": list(net.dims), "sha256": net.sha256}
                    for name, net in networks(folder).items()}
    assert not data["interrupted"]
    for row, condition in zip(data["rows"], conditions(folder), strict=True):
        assert row["bracket"]["condition"] == condition.describe()


@every_folder
def test_witnesses_reevaluate(folder):
    for row, condition in zip(rows(folder), conditions(folder), strict=True):
        known = Bracket.from_dict(row["bracket"])
        value = float(condition.deviation(known.witness))
        assert known.lower <= value <= known.lower * (1 + 1e-9)


@every_folder
def test_independent_code_agrees(folder):
    checks = wc.verify(ROOT / folder / "report.json", rerun=False)
    assert len(checks) == sum(3 + 2 * (row["alpha"] is not None) for row in rows(folder)) + 2
    assert stands(checks)


@pytest.mark.slow
@every_folder
def test_upper_bounds_are_proved_again(folder):
    assert proved(wc.verify(ROOT / folder / "report.json", workers=-1))


def test_of_the_digits_the_wdc_is_closed_and_vacuous_in_layer_2():
    first, second, restricted, open_, _ = rows("digits")
    assert first["least_upper"] <= 1.005 * first["least_lower"]
    assert open_["least_upper"] == 0.5 and open_["least_lower"] > 0.49
    assert first["upper_by"].startswith("BranchAndBound")
    assert second["vacuous"]
    assert second["ratio_upper"] == pytest.approx(second["ratio_lower"], rel=1e-9) == 0.5
    assert second["upper_by"].startswith("Fact 9")
    assert (restricted["kind"], restricted["upper"]) == ("R2WDC", first["upper"])


def test_the_contractive_layer_is_vacuous_as_a_wdc_only():
    _, wdc, _, restricted, _ = rows("contractive")
    (n, k) = wdc["shape"]
    assert n < 2 * k and wdc["vacuous"] and wdc["ratio_lower"] == pytest.approx(0.5)
    assert restricted["kind"] == "R2WDC" and not restricted["vacuous"]
    assert restricted["ratio_lower"] < 0.5


def test_the_demodulation_pair_is_closed():
    for row in rows("demodulation"):
        assert row["ratio_upper"] <= 1.03 * row["ratio_lower"] + 1e-9


def test_the_weights_are_those_of_the_script():
    spec = importlib.util.spec_from_file_location("regenerate", ROOT / "regenerate.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = [script.contractive(), *script.demodulation()]
    kept = [*networks("contractive").values(), *networks("demodulation").values()]
    assert [net.sha256 for net in made] == [net.sha256 for net in kept]


@every_folder
def test_the_table_quotes_the_files(folder):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in rows(folder):
        found = Row.from_dict(row)
        line = next(x for x in text.splitlines() if x.startswith(f"| [{folder}]")
                    and f"| {found.name} " in x and f"| {typeset(between(*found.headline))} |" in x)
        at = typeset(between(found.ratio_lower, found.ratio_name, found.ratio_upper))
        assert row["alpha"] is None or f"| α = {shortest(row['alpha'])}: {at} |" in line


@pytest.mark.parametrize(
    "name", ["gaussian-100x3", "gaussian-50x4", "signs-40x3", "axes-8x4", "gaussian-200x10"])
def test_the_bracket_of_a_matrix_is_of_it_and_reevaluates(name):
    kept = wc.load(ROOT / "matrices" / f"{name}.json")
    condition = wc.WDC(np.load(ROOT / "matrices" / f"{name}.npy"))
    assert kept.condition == condition.describe()
    assert kept.lower <= float(condition.deviation(kept.witness)) <= kept.lower * (1 + 1e-9)
    assert stands(wc.verify(ROOT / "matrices" / f"{name}.json", rerun=False))
    assert between(kept.lower, "ε", kept.upper).replace("<=", "≤") in (ROOT / "README.md").read_text("utf-8")
