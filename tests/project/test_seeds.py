"""What a result records as its seed gives its random numbers again."""

import json

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from wdccheck.certification.of_network import drawn_measurements
from wdccheck.errors import Undecided
from wdccheck.estimates import quantile
from wdccheck.reports.report import Report
from wdccheck.seeds import decode_seed, encode_seed, seed_of, seed_text
from wdccheck.testing import assert_holds

W = np.random.default_rng(0).standard_normal((30, 3)) / np.sqrt(30)
SEQUENCES = (np.random.SeedSequence(7, spawn_key=(1, 2)), np.random.SeedSequence([3, 2**80]),
             np.random.SeedSequence(7).spawn(3)[2], np.random.SeedSequence(np.arange(3)))


def short(rng):
    return wc.bracket(wc.WDC(W), wc.MonteCarlo(samples=64), rng=rng)


def same(first, second):
    return all(np.array_equal(value, second.witness[letter]) for letter, value in first.witness.items())


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_is_recorded_whole(sequence, tmp_path):
    found = short(sequence)
    found.save(tmp_path / "result.json")
    recorded = wc.load(tmp_path / "result.json").engines[0].seed
    assert same(found, short(recorded)) and not same(found, short(0))
    assert encode_seed(recorded) == encode_seed(found.engines[0].seed) == encode_seed(seed_of(sequence))
    written = eval(seed_text(recorded), {"SeedSequence": np.random.SeedSequence})
    assert encode_seed(written) == encode_seed(recorded)


def test_an_integer_is_recorded_as_one(tmp_path):
    for rng in (5, np.random.SeedSequence(5), np.int64(5)):
        assert short(rng).engines[0].seed == 5
    short(2**90).save(tmp_path / "result.json")
    assert json.loads((tmp_path / "result.json").read_text())["engines"][0]["seed"] == str(2**90)
    recorded = short(np.random.default_rng(1)).engines[0].seed
    assert same(short(np.random.default_rng(1)), short(recorded))


def test_a_report_draws_its_measurements_from_the_whole_sequence(tmp_path):
    first, second = np.random.SeedSequence(7).spawn(2)
    net = wc.ReLUNetwork([np.eye(2), np.ones((4, 2))])
    assert not np.array_equal(drawn_measurements(net, first), drawn_measurements(net, second))
    made, path = wc.certify(net, alpha=1.0, time_limit=2, rng=first), tmp_path / "report.json"
    made.save(path)
    assert "seed SeedSequence(7, spawn_key=(0,))" in made.to_text() == str(Report.load(path))
    assert not [check for check in wc.verify(path, rerun=False) if check.outcome == "refuted"]
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "seed": encode_seed(second)}))
    assert [check for check in wc.verify(path, rerun=False) if check.outcome == "refuted"]


def test_estimates_and_assertions_name_the_sequence():
    sequence = np.random.SeedSequence(7, spawn_key=(1,))
    found, other = (quantile(wc.WDC(W), 0.5, samples=100, rng=rng) for rng in (sequence, 0))
    again = quantile(wc.WDC(W), 0.5, samples=100, rng=found.seed)
    assert found.value == again.value != other.value
    with pytest.raises(Undecided, match=r"rng=SeedSequence\(7, spawn_key=\(1,\)\)"):
        assert_holds(wc.WDC(np.random.default_rng(0).standard_normal((60, 9)) / 8), 0.99, time_limit=0.2,
                     rng=sequence)


@pytest.mark.parametrize("seed", ["x", "01", "-1", "[1, x]", "[01]", "", {"entropy": "1"}, 5, [1],
                                  {"entropy": ["1"], "spawn_key": [1]}, {"entropy": "1", "spawn_key": "1"}])
def test_a_malformed_seed_is_refused(seed, tmp_path):
    path = tmp_path / "result.json"
    short(0).save(path)
    data = json.loads(path.read_text())
    data["engines"][0]["seed"] = seed
    path.write_text(json.dumps(data))
    refused(lambda: wc.load(path), "seed")


def test_schema_1_held_lists_as_text():
    assert encode_seed(decode_seed("[1, 2]")) == {"entropy": ["1", "2"], "spawn_key": []}
    refused(lambda: short(np.random.SeedSequence(["0x1f"])), "SeedSequence of integers")
