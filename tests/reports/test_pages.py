"""The pages of a report: complete, well-formed, self-contained, the same bytes each time."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import wdccheck as wc
from examples.checks import stands
from examples.pages import CERTIFICATES, Page, loaded
from wdccheck import result_files
from wdccheck.brackets import Work
from wdccheck.reports import drawings, meaning
from wdccheck.reports import witness as scenes
from wdccheck.reports.markdown import typeset
from wdccheck.reports.report import Weights
from wdccheck.reports.row import Row
from wdccheck.stops import Reason, Stop

FOLDERS = ["digits", "contractive", "demodulation"]
every_folder = pytest.mark.parametrize("name", FOLDERS)


@every_folder
def test_the_page_is_whole_and_needs_nothing_else(name):
    report = loaded(name)
    text = report.to_html("wdccheck certify")
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & set(page.seen)
    assert not {"src", "href", "xlink:href", "onload"} & {name for name, _ in page.values}
    assert "url(" not in text and "://" not in text and "@import" not in text
    assert page.seen.count("h2") == len(report.rows) + 2
    for row in report.rows:
        assert f"{row.name}, {row.size}" in page.text
        assert typeset(row.state) in page.text
    assert all(one.sha256 in page.text for one in report.networks.values())
    assert "prefers-color-scheme:dark" in text
    for svg in re.findall(r"<svg.*?</svg>", text):
        ET.fromstring(svg)
        assert "nan" not in svg and "inf" not in svg
    # every witness is drawn: the gates and the spectrum of each row, and the one panel
    assert "not drawn" not in page.text
    places = sum((2 if row.kind == "RRIC" else 1) for row in report.rows if row.shape[1] > 1)
    assert page.seen.count("svg") == 1 + 2 * len(report.rows) + places


@every_folder
def test_the_same_report_gives_the_same_bytes(name):
    one, two = loaded(name), loaded(name)
    assert one.to_html("x") == two.to_html("x") and one.to_markdown("x") == two.to_markdown("x")


@every_folder
def test_a_loaded_report_is_the_one_that_was_saved(name, tmp_path):
    kept = result_files.read(CERTIFICATES / name / "report.json")
    again = json.loads(json.dumps({"schema": 2, **loaded(name).to_dict()}))
    assert again == kept
    loaded(name).write(tmp_path)
    assert stands(wc.verify(tmp_path / "report.json", rerun=False))


@every_folder
def test_the_drawn_spectrum_is_the_one_of_the_witness(name):
    for row in loaded(name).rows:
        shown = scenes.scene(row, {})
        largest = float(np.abs(shown.spectrum).max())
        assert largest >= row.ratio_lower * (1 - 1e-9)
        if row.kind in ("WDC", "joint-WDC"):
            assert largest == pytest.approx(row.ratio_lower, rel=1e-8)
        for pair in shown.pairs:
            assert pair.gates.shape == (2, len(shown.rows))
            signs = shown.rows @ pair.directions.T > 0
            assert (pair.gates == signs.T).mean() > 0.8  # walls are decided exactly, here in floats


def test_markdown_names_every_row_and_cannot_be_broken_by_names():
    report = loaded("digits")
    text = report.to_markdown("wdccheck certify 'a`b``c' '<b>|'")
    assert all(f"## {row.name}, {row.size}" in text for row in report.rows)
    assert "```wdccheck certify 'a`b``c' '<b>|'```" in text.replace("``` ", "```").replace(" ```", "```")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in table} == {6}


def test_names_from_outside_are_escaped():
    name = '<script>alert("x")</script>&amp;.npz'
    text = loaded("digits").to_html(f"wdccheck certify '{name}'")
    page = Page(text)
    assert "script" not in page.seen and name in page.text
    report = loaded("digits")
    forged = replace(report.rows[0].bracket, lower_by="<img src=x>", upper_by="</dd><script>")
    rows = (replace(report.rows[0], bracket=forged), *report.rows[1:])
    seen = Page(replace(report, rows=rows, program={"wdccheck": "<b>", "kernel": "<b>"}).to_html()).seen
    assert not {"img", "script", "b"} & set(seen)


def test_without_weights_the_reason_stands_in_place_of_the_drawing():
    report = loaded("contractive")
    layers = [scenes.scene(row, {}).rows for row in report.rows[:2]]
    bare = tuple(replace(row, bracket=replace(row.bracket, condition={
        name: value for name, value in row.bracket.condition.items()
        if name not in ("weights", "network", "measurements")})) for row in report.rows)
    poor = replace(report, rows=bare)
    assert Page(poor.to_html()).text.count("not at hand: the file does not carry") == len(bare)
    rich = replace(poor, networks={"": Weights(report.dims, report.sha256, layers=tuple(layers))})
    text = Page(rich.to_html()).text
    assert text.count("The witness is not drawn") == 0
    assert text.count("The spectrum is not drawn: the measurements are not at hand") == 1


def test_what_does_not_fit_is_not_drawn():
    row = loaded("digits").rows[0]
    for witness in ({"r": np.ones(3)}, {"r": np.ones(4), "s": np.ones(4)}):
        odd = replace(row, bracket=replace(row.bracket, witness=witness))
        assert scenes.scene(odd, {}) == "the witness and the weights do not fit together"
    nothing = replace(row, bracket=replace(row.bracket, witness=None, lower=0.0))
    assert "no witness" in scenes.scene(nothing, {})


def test_scales_do_not_matter():
    W = np.random.default_rng(0).standard_normal((9, 3))
    plain, tiny = (scenes.scene(Row(wc.bracket(wc.WDC(c * W, c * c), wc.MonteCarlo(samples=64))), {})
                   for c in (1.0, 2.0**-200))
    assert np.allclose(plain.spectrum, tiny.spectrum, rtol=0, atol=1e-14)
    assert drawings.directions(tiny.rows, tiny.pairs[0]) == drawings.directions(plain.rows, plain.pairs[0])


def test_error_bars_without_bounds_and_without_anything():
    bars = [drawings.Bar("a", 0.0, math.inf, "nothing"), drawings.Bar("b <", 0.0, 0.0, "&")]
    root = ET.fromstring(drawings.error_bars(bars, [], "eps"))
    assert "b <" in "".join(root.itertext())
    ends = drawings.error_bars([drawings.Bar("a", 1e-200, 1e200, "")], [(1e-5, "asked")], "eps")
    assert all(0 <= float(x) <= 400 for x in re.findall(r'cx="([-\d.e]+)"', ends))


def test_the_words_follow_the_bounds():
    row = loaded("digits").rows[0]

    def said(lower, upper):
        known = replace(row.bracket, lower=lower * row.alpha, upper=upper * row.alpha)
        least = replace(row.least, lower=lower, upper=upper)
        return [meaning.meaning(one) for one in (replace(row, least=least),
                                                 replace(row, bracket=known, scope="pair"))]

    assert all("nothing is lost" in text for text in said(0.1, 0.4))
    assert all("not decided" in text for text in said(0.1, 0.5))
    assert all("promises nothing" in text for text in said(0.5, 0.5))
    assert "to one part in a million no alpha" in said(0.4999999, 0.5)[0]
    assert "not decided" in said(0.499, 0.5)[0]
    assert "promises nothing" in meaning.meaning(loaded("digits").rows[1])
    rric = loaded("digits").rows[4]
    small = replace(rric, bracket=replace(rric.bracket, lower=0.1, upper=0.5))
    assert "never have the same measurements" in meaning.meaning(small)


def test_what_would_make_a_row_pass():
    digits, contractive = loaded("digits").rows, loaded("contractive").rows
    text = " ".join(meaning.passing(digits[0], 2))
    assert "Lemma 8" in text and re.search(r"\d{5} times too large", text) and "Estimate, not a bound" in text
    assert "less than 2k" not in text
    assert "less than 2k = 48" in " ".join(meaning.passing(contractive[1], 2))
    assert "Lemma 5.3" in " ".join(meaning.passing(digits[2], 2))
    assert "No theorem asks" in " ".join(meaning.passing(digits[4], 2))
    assert "two layers" in " ".join(meaning.passing(digits[0], 1))
    tiny = replace(digits[0], least=replace(digits[0].least, lower=0.0, upper=1e-6))
    assert "It passes" in " ".join(meaning.passing(tiny, 2))
    loose = replace(digits[0], least=replace(digits[0].least, lower=0.0))
    assert "Not decided" in " ".join(meaning.passing(loose, 2))


def test_what_would_close_a_row():
    digits, contractive = loaded("digits").rows, loaded("contractive").rows
    open_ = replace(digits[0], least=replace(digits[0].least, lower=0.3, upper=0.45))

    def said(row=open_, **known):
        return meaning.closing(replace(row, bracket=replace(row.bracket, **known)))

    assert all(meaning.closing(row).startswith("Nothing") for row in digits[:2])
    assert "cannot be estimated" in meaning.closing(contractive[3])
    late = {"stopped": {"upper": Stop(Reason.TIME, "900 nodes; the round for 1 was not finished")},
            "lower": 0.3, "upper": 0.6, "engines": (Work("BranchAndBound()", 0, 10**6, "nodes", 10.0),)}
    assert "4e6 to 1e12 of them, 40 seconds to 100 days" in said(**late)
    assert "nothing can be extrapolated" in said(**late | {"upper_by": "Fact 9"})
    early = {"upper": Stop(Reason.TIME, "the cones were not all found")}
    assert "A longer time limit may" in said(**late | {"engines": (), "stopped": early})
    for reason, detail, word in (
            (Reason.TARGET, "", "decided"), (Reason.INTERRUPTED, "", "--checkpoint"),
            (Reason.CAP_ONLY, "a closed formula", "No branch and bound"),
            (Reason.EXHAUSTED, "depth", "can go no further (depth). More time raises the lower bound only")):
        assert word in said(lower=0.3, upper=0.6, stopped={"upper": Stop(reason, detail)})
    above = late | {"upper_by": "Fact 12: WDC of layer 2", "stopped": {"upper": Stop(Reason.CAP_ONLY)}}
    assert "another row" in said(replace(contractive[3], scope="pair"), **above)


def test_the_bounds_are_looked_at_before_the_reason():
    row = replace(loaded("digits").rows[4], scope="given")  # no alpha
    for reason in (Reason.CAP_ONLY, Reason.TIME, Reason.NODES, Reason.EXHAUSTED):
        for lower, upper, closed in ((0.5, 0.5 + 1e-12, True), (0.0, 1e-12, True), (0.0, 0.0, True),
                                     (0.4, 0.5, False)):
            known = replace(row.bracket, lower=lower, upper=upper, stopped={"upper": Stop(reason)})
            found = replace(row, bracket=known)
            assert (found.state == "closed") is closed
            assert meaning.closing(found).startswith("Nothing") is closed


def test_time_is_not_advised_where_it_does_not_help():
    known = wc.bracket(wc.WDC(np.random.default_rng(0).standard_normal((60, 9))), wc.Spectral())
    for reason in (Reason.TIME, Reason.NODES):
        row = Row(replace(known, stopped={"upper": Stop(reason, "900 nodes")},
                          engines=(Work("BranchAndBound()", 0, 900, "nodes", 1.0),)))
        text = meaning.closing(row)
        assert "Dimension 9 is too large" in text and "More time raises the lower bound only" in text
