"""What each line of a report in Markdown says, by rules that know nothing but the JSON; other lines fail."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction

import wdccheck as wc
from examples.sentences import (
    BETWEEN,
    REPORT,
    N,
    bounds,
    critical,
    headline,
    is_down,
    is_up,
    meet,
    place,
    says_bounds,
    says_state,
    says_why_alpha,
    size,
)
from wdccheck.kinds import named
from wdccheck.reports import thresholds
from wdccheck.reports.markdown import SOURCES

MET = rf"Nothing: the bounds of (min eps/alpha|eps/alpha|eps) meet(?:, up to {N})?\."
MET_HERE = (rf"At this alpha the bounds meet, up to {N}\. The minimum over all alpha is less well known: the "
            r"search for it \(--alpha best\) takes more time\.")
NO_CONSTANT = "the constants of those that use this condition are not given in the papers"


def says_meaning(row, text):
    kind, (lower, upper) = named(row["kind"]), bounds(row, headline(row))
    claim = text.removeprefix(f"It is {kind.measures}. {kind.best} ")
    below = upper is not None and Fraction(upper) < critical(row)
    if row["state"] == "nothing to bound":
        assert claim == "Here there is nothing to compare."
    elif row["vacuous"] and row["scope"] != "pair":
        assert claim == kind.hopeless
    else:
        assert claim == (kind.above if Fraction(lower) >= critical(row) else kind.below if below else
                         kind.between)


def says_too_large(row, theorem, needed, found, factor):
    assert theorem == thresholds.EXPLICIT[row["kind"]]
    is_down(found, row["least_lower"], 3)
    is_down(factor, row["margin"], 3)
    threshold = Fraction(row["least_lower"]) / Fraction(row["margin"])
    is_down(needed, float(threshold) * (1 + 1e-12), 3)
    assert Fraction(Decimal(factor)) * threshold <= Fraction(row["least_lower"]) * (1 + Fraction(1, 10**12))


def says_shape(row, n, twice):
    assert row["shape"] == [int(n), int(twice) // 2] and int(n) < int(twice)


def says_here(row, low, high, here):
    n, k = row["shape"]
    assert here == f"{n / k:.3g}" and float(low) < float(high)


def says_open(row, needed, proved=None):
    """The threshold lies within the bounds, or above them."""
    lower, upper = bounds(row, headline(row))
    if proved is None:
        assert lower < float(needed) * 1.01 and (upper is None or upper >= float(needed))
    else:
        is_up(proved, upper, 3)
        assert upper < float(needed) * 1.01


PASSING = [
    (rf"No theorem asks for a number here: (at least two layers are needed|{NO_CONSTANT})\.",
     lambda row, why: _true(row["margin"] is None)),
    (rf"(\[\w+\] Lemma \S+) needs eps/alpha < {N}; found is at least {N} at every alpha, {N} times too "
     r"large\. No further search changes that\.", says_too_large),
    (r"No weights of this shape can pass: n = (\d+) is less than 2k = (\d+), so some direction opens "
     r"fewer than k rows \(Fact 6\)\.", says_shape),
    (rf"Estimate, not a bound: a Gaussian layer would need n/k of about {N} to {N}; here it is (\S+)\.",
     says_here),
    (rf"It passes: eps/alpha < {N} is needed, at most {N} proved\.", says_open),
    (rf"Not decided: eps/alpha < {N} is needed, which lies within the bounds\.", says_open),
    (r"(More measurements.*|Measurements that.*)",
     lambda row, text: _true(text == named(row["kind"]).advice)),
]


def says_passing(row, text):
    while text:
        found, rule = next((found, rule) for pattern, rule in PASSING if (found := re.match(pattern, text)))
        rule(row, *found.groups())
        text = text[found.end():].strip()


def says_met(row, name, up_to):
    assert name == headline(row)
    _says_apart(row, name, up_to)


def says_met_here(row, up_to):
    assert headline(row) == "min eps/alpha" and not meet(row, "min eps/alpha")
    _says_apart(row, "eps/alpha", up_to)


def _says_apart(row, name, up_to):
    lower, upper = bounds(row, name)
    assert meet(row, name) or row["stopped"]["upper"].split(":")[0] in ("gap", "exact")
    if up_to is None:
        assert lower == upper
    else:
        is_up(up_to, Fraction(upper) - Fraction(lower), 2)


def says_nodes(row, nodes, distance, name, more):
    works = [work["work"] for work in row["bracket"]["engines"] if work["unit"] == "nodes" and work["work"]]
    assert works[-1] == int(nodes.replace(",", ""))
    lower, upper = bounds(row, name)
    is_up(distance, upper - lower, 3)
    assert "Estimate, not a bound" in more or "estimated" in more or "extrapolated" in more or not more


def says_reason(*reasons):
    """The search ended for one of these reasons, and the detail that is given is the recorded one."""
    def rule(row, *details):
        reason, _, recorded = row["stopped"]["upper"].partition(": ")
        assert reason in reasons and all(detail in (recorded, row["upper_by"], reason, str(max(_dims(row))))
                                         for detail in details if detail is not None)
    return rule


def _dims(row):
    dims = row["bracket"]["condition"]["options"].get("dims")
    return dims[:1] if dims else row["shape"][1:]


CLOSING = [
    (r"Nothing: there is nothing to bound\.", lambda row: says_state(row, "nothing to bound")),
    (MET, says_met),
    (MET_HERE, says_met_here),
    (r"It was interrupted; with --checkpoint a later call goes on from there\.", says_reason("interrupted")),
    (rf"Branch and bound ended after {N} nodes with {N} between the bounds of (eps/alpha|eps)\b(.*)",
     says_nodes),
    (r"The search for upper bounds was over before branch and bound began: (.*?)\."
     r"(?: A longer time limit may lower the upper bound\.)?",
     says_reason("time", "nodes", "budget", "memory")),
    (r"No branch and bound here: (.*) \((.*)\)\. More time raises the lower bound only; a smaller upper one "
     r"takes a better formula or relaxation\.", says_reason("cap_only")),
    (r"The upper bound is that of another row: (.*)\. See what would close it\.", says_reason("cap_only")),
    (r"The upper bound is a closed formula: (.*)\. Dimension (\d+) is too large for branch and bound to "
     r"lower it\. More time raises the lower bound only\.",
     says_reason("time", "nodes", "cap_only", "budget")),
    (r"The proof can go no further \((.*)\)\. More time raises the lower bound only; .*",
     says_reason("exhausted")),
]


def _first(rules, about, text):
    matching = [(found, rule) for pattern, rule in rules if (found := re.fullmatch(pattern, text))]
    assert matching, f"no rule explains: {text}"
    matching[0][1](about, *matching[0][0].groups())


def says_headline(row, lower, what, upper, state):
    assert what == headline(row) and (state or "") == row["state"]
    says_bounds(row, lower, what, upper)
    says_state(row, state)


def says_least_by(row, witnesses, upper):
    count = len(row["least"]["witnesses"])
    assert witnesses == ("nothing above 0 is proved", "one witness (Fact 4)", "two witnesses (Fact 4)")[count]
    assert upper == row["least_upper_by"]


FACTS = {
    "bounds": [(rf"{BETWEEN}(?: \((.*)\))?", says_headline)],
    "over all alpha": [(BETWEEN, says_bounds)],
    "minimum bounded by": [(r"(.*) from below, (.*) from above", says_least_by)],
    "alpha": [(r"([^\s,]+)(?:, (.*))?", says_why_alpha)],
    "at this alpha": [(rf"{BETWEEN}; {BETWEEN}", lambda row, *words: (
        says_bounds(row, *words[:3]), says_bounds(row, *words[3:])))],
    "what this number means": [(r"(.*)", says_meaning)],
    "what would make it pass": [(r"(.*)", says_passing)],
    "what would close the gap": CLOSING,
    "lower bound by": [(r"(.*)", lambda row, by: _true(by == row["lower_by"]))],
    "upper bound by": [(r"(.*)", lambda row, by: _true(by == row["upper_by"]))],
}


def _provenance(data, label, text):
    networks = data.get("pair") or {"": data["network"]}
    weights = {f"weights {name}".strip(): f"{'-'.join(map(str, one['dims']))}, sha256 {one['sha256']}"
               for name, one in networks.items()}
    assert text == {"program": f"wdccheck {data['wdccheck']}, kernel {data['kernel']}", "seed": data["seed"],
                    **weights}[label]


def _true(value):
    assert value


def _table_row(data, name, shape, says, at, state):
    (row,) = [row for row in data["rows"] if f"{row['kind']}{place(row)}" == name]
    assert shape == size(row)
    says_headline(row, *re.fullmatch(BETWEEN, says).groups(), state)
    if row["alpha"] is None:
        assert not at
    else:
        found = re.fullmatch(rf"alpha = (\S+): {BETWEEN}", at)
        says_why_alpha(row, found[1], row["note"])
        says_bounds(row, *found.groups()[1:])


def check_markdown(report: wc.Report) -> None:
    """Every line of the page in Markdown follows from the JSON."""
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    rows = {f"{row['kind']}{place(row)}, {size(row)}": row for row in data["rows"]}
    about, seen = None, []
    for line in report.to_markdown().splitlines()[1:]:
        line = re.sub(r"\\(.)", r"\1", line.strip())
        for word, letter in (("eps", "ε"), ("alpha", "α"), ("<=", "≤"), (">=", "≥")):
            line = line.replace(letter, word)
        if not line or line.startswith(("| condition", "|---")):
            continue
        if line.startswith("## "):
            about = rows.get(line[3:], line[3:])
            assert isinstance(about, dict) or about in ("What the theorems ask", "Provenance")
            seen += [line[3:]] if isinstance(about, dict) else []
        elif line.startswith("| "):
            _table_row(data, *(cell.strip() for cell in line.strip("|").split("|")))
        elif found := re.fullmatch(r"- (?:\*\*(.*?)\*\*: )?(.*)", line):
            label, text = found.groups()
            if isinstance(about, dict):
                _first(FACTS[label], about, text)
            elif about == "Provenance":
                _provenance(data, label, text.strip("`"))
            elif label != SOURCES[0]:
                _first(REPORT, data, f"{label} {text}" if label else text)
        else:
            _first(REPORT, data, line.strip("*"))
    assert seen == list(rows)
