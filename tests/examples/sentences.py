"""What each line of a printed report says, by rules that know nothing but the JSON; other lines fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import wdccheck as wc
from wdccheck.kinds import KINDS, named
from wdccheck.reports import thresholds

N = r"(\S+)"
BETWEEN = rf"{N} <= (min eps/alpha|eps/alpha|eps)(?: <= {N}| \(no upper bound\))"
STOPS = {"cap_only": "upper is a cap", "time": "time is up", "nodes": "nodes used up",
         "budget": "budget used up", "exhausted": "proof exhausted", "memory": "out of memory",
         "interrupted": "interrupted", "target": "decided"}


# -- numbers ---------------------------------------------------------------------------------------------


def is_down(text, value, digits=5):
    """`text` is `value` rounded down to so many digits or more."""
    printed = Decimal(text)
    step = Decimal(1).scaleb(printed.adjusted() - digits + 1) if printed else 0
    assert Fraction(printed) <= Fraction(value) <= Fraction(printed) + Fraction(step), (text, value)


def is_up(text, value, digits=5):
    """`text` is `value` rounded up, likewise."""
    printed = Decimal(text)
    step = Decimal(1).scaleb(printed.adjusted() - digits + 1) if printed else 0
    assert Fraction(printed) - Fraction(step) <= Fraction(value) <= Fraction(printed), (text, value)


def encloses(lower, upper, least, most):
    """Printed bounds enclose those of the JSON; null is no bound."""
    is_down(lower, least)
    assert (upper is None) == (most is None)
    if upper is not None:
        is_up(upper, most)


def meet(row, what):
    """Whether bounds are 0.2 % apart at most, those of a minimum over alpha 0.4 %."""
    lower, upper = bounds(row, what)
    share = Fraction(1, 250 if what == "min eps/alpha" else 500)
    return upper is not None and Fraction(upper) - Fraction(lower) <= max(
        share * Fraction(upper), Fraction(1, 10**9)) * (1 + Fraction(1, 10**9))


# -- one row ---------------------------------------------------------------------------------------------


def critical(row):
    return Fraction(named(row["kind"]).critical)


def bounds(row, what):
    """The two numbers of the JSON that a name stands for."""
    return {"min eps/alpha": (row["least_lower"], row["least_upper"]),
            "eps/alpha": (row["ratio_lower"], row["ratio_upper"]), "eps": (row["lower"], row["upper"])}[what]


def headline(row):
    if row["alpha"] is None:
        return "eps"
    return "eps/alpha" if row["scope"] == "pair" else "min eps/alpha"


def says_bounds(row, lower, what, upper):
    encloses(lower, upper, *bounds(row, what))


def place(row):
    of = f" of {row['of']}" if row["of"] else ""
    return f" of layer {row['layer']}{of}" if row["layer"] else ""


def size(row):
    n, *widths = row["shape"]
    return " and ".join(f"{n} x {k}" for k in widths)


def says_state(row, text):
    """A word about a row follows from its bounds, or else from the reason that is recorded."""
    reason = row["stopped"]["upper"].split(":")[0]
    if text == "nothing to bound":
        assert reason == "empty" and row["upper"] == 0
    elif text == "vacuous":
        says_vacuous(row)
    elif found := re.fullmatch(rf"vacuous to {N} %", text):
        is_up(found[1], 100 * (1 - Fraction(row["least_lower"]) / critical(row)), 2)
    elif text == "closed":
        assert meet(row, headline(row)) or (reason in ("gap", "exact") and headline(row) != "min eps/alpha")
    elif found := re.fullmatch(rf"closed at alpha = {N}", text):
        assert float(found[1]) == row["alpha"]
        assert reason in ("gap", "exact") or meet(row, "eps/alpha")
    else:
        assert not meet(row, headline(row))
        if text == "upper is a cap" and reason in ("time", "nodes"):
            assert "BranchAndBound" not in row["upper_by"]
        else:
            assert STOPS[reason] == text.removesuffix(" at this alpha")
            here = reason == "target" and "min eps/alpha" not in row["stopped"]["upper"]
            assert text.endswith(" at this alpha") is (here and row["scope"] == "best")


def says_vacuous(row, value=None):
    assert row["vacuous"] and Fraction(row["least_lower"]) >= critical(row) * (1 - Fraction(1, 10**6))
    assert value in (None, str(critical(row)))


def says_why_alpha(row, alpha, note):
    assert float(alpha) == row["alpha"]
    assert (note or "") == row["note"]
    if found := re.fullmatch(r"for which (\S+) is proved", note or ""):
        assert found[1] == str(critical(row)) and Fraction(row["ratio_upper"]) <= critical(row)


def says_witnesses(row, text):
    witnesses = row["least"]["witnesses"]
    assert text == {0: "nothing above 0 is proved", 1: "one witness, at every alpha (Fact 4)",
                    2: "two witnesses, at every alpha (Fact 4)"}[len(witnesses)]
    assert witnesses or row["least_lower"] == 0


def says_side(row, side, text):
    by, _, stopped = text.partition("; stopped by ")
    assert stopped == row["stopped"][side]
    assert re.sub(r"\([^()]*=.*", "", row[f"{side}_by"]).startswith(re.sub(r"\(.*", "", by))


def says_gap(row, lower, upper, gap):
    says_bounds(row, lower, "eps", upper)
    if row["gap"] is None:
        assert gap == "inf"
    else:
        is_up(gap, Fraction(row["upper"]) - Fraction(row["lower"]), 3)


ROW = [
    (rf"{BETWEEN}", says_bounds),
    (rf"{N} <= eps <= {N} +gap {N}", says_gap),
    (rf"{N} <= eps \(no upper bound\) +gap {N}", lambda row, lower, gap: says_gap(row, lower, None, gap)),
    (r"lower +(nothing above 0 is proved|(?:one|two) witness.*)", says_witnesses),
    (r"upper +(.*(?:Fact \d+\)|alpha = \S+: [^;]*))", lambda row, by: _true(by == row["least_upper_by"])),
    (r"(lower|upper) +(.*; stopped by .*)", says_side),
    (r"vacuous +to one part in a million no alpha brings eps/alpha below (\S+), the value of a matrix of "
     r"zeros: the condition says nothing (?:of this layer|here)", says_vacuous),
    (r"at alpha = ([^\s,]+)(?:, (.*))?", says_why_alpha),
    (r"eps = 0 +(.*)", lambda row, why: (says_state(row, "nothing to bound"),
                                         _true(f"empty: {why}" == row["stopped"]["upper"]))),
]


# -- a whole report --------------------------------------------------------------------------------------


def networks(data):
    return data.get("pair") or {"": data["network"]}


def says_network(data, dims, sha256, seed=None, name=""):
    assert [int(n) for n in dims.split("-")] == networks(data)[name]["dims"]
    assert networks(data)[name]["sha256"].startswith(sha256) and len(sha256) == 8
    assert seed in (None, data["seed"])


def says_pair(data, *words):
    says_network(data, *words[:2], words[4], "B")
    says_network(data, *words[2:], "C")


def says_measurements(data, m, n, how, rows=None):
    assert data["measurements"] == {"shape": [int(m), int(n)], "drawn": how != "given"}
    assert rows in (None, m)


def says_proved(data):
    """Each bound has a reason, each lower bound a witness; both sides are in order."""
    for row in data["rows"]:
        bracket = row["bracket"]
        assert row["upper"] is None or row["lower"] <= row["upper"]
        assert row["lower"] == 0 or bracket["witness"] is not None
        assert row["upper"] is None or row["upper_by"] != "nothing yet"
        assert row["least"] is None or row["least_lower"] <= row["least_upper"]
        if row["alpha"] is not None and row["upper"] is not None:
            alpha = Fraction(row["alpha"])
            assert Fraction(row["ratio_lower"]) <= Fraction(row["lower"]) / alpha
            assert Fraction(row["upper"]) / alpha <= Fraction(row["ratio_upper"])


def says_cut(data, begun, total):
    assert data["interrupted"] and len(data["rows"]) == int(begun)
    depths = [len(one["dims"]) - 1 for one in networks(data).values()]
    assert int(total) == (sum(depths) + 1 if len(depths) == 2 else 2 * depths[0] + 1)


def says_line(data, kind, where, bounds_, alpha, state):
    kinds = [row for row in data["rows"] if row["kind"] == kind]
    (row,) = [row for row in kinds if where in (place(row).removeprefix(" of "), size(row), "last layers")]
    says_bounds(row, *re.fullmatch(BETWEEN, bounds_).groups())
    assert re.fullmatch(BETWEEN, bounds_)[2] == headline(row)
    assert alpha is None or float(alpha) == row["alpha"]
    says_state(row, state)
    assert state == row["state"]


def says_theorem(data, theorem, kind, needed, claim):
    assert thresholds.EXPLICIT[kind] == theorem
    is_down(needed, data["threshold"], 3)
    own = [row for row in data["rows"] if row["kind"] == kind]
    if found := re.fullmatch(rf"at least {N} times too large, whatever alpha is", claim):
        is_down(found[1], max(row["margin"] for row in own), 3)
        highest = max(row["least_lower"] for row in own)
        assert Fraction(Decimal(found[1])) * Fraction(data["threshold"]) <= Fraction(highest)
        return
    depth = len(data["network"]["dims"]) - 1
    whole = len(own) == depth and all(row["least_upper"] < data["threshold"] for row in own)
    assert claim == ("satisfied" if whole else "undecided")
    assert all(row["least_lower"] < data["threshold"] for row in own)


def says_no_number(data, reason):
    shallow = any(len(one["dims"]) < 3 for one in networks(data).values())
    assert reason == ("at least two layers are needed" if shallow else "constant not given in the paper")


def says_estimate(data, low, high, here):
    """An estimate, and said to be one; the shapes are those of the rows."""
    is_down(low, thresholds.gaussian_expansion(data["threshold"])[0], 2)
    is_up(high, thresholds.gaussian_expansion(data["threshold"])[1], 2)
    shapes = [row["shape"] for row in data["rows"] if row["kind"] == "WDC"]
    lines = any(k == 1 for _, k in shapes)
    assert here == ", ".join(f"{n / k:.3g}" for n, k in shapes if k > 1) + lines * " (layers with k > 1)"


def says_one_eps(data, lower, upper, reason):
    rows = data["rows"]
    depths = [len(one["dims"]) - 1 for one in networks(data).values()]
    whole = len(rows) == sum(depths) + 1 and all(row["upper"] is not None for row in rows)
    encloses(lower, upper, max(row["lower"] for row in rows),
             max(row["upper"] for row in rows) if whole else None)
    says_no_number(data, reason)


REPORT = [
    (r"ReLU network (\S+), sha256 (\w+); seed (\d+)", says_network),
    (r"demodulation pair; B: (\S+), sha256 (\w+); C: (\S+), sha256 (\w+); seed (\d+)", says_pair),
    (r"measurements A: (\d+) x (\d+), (given|drawn N\(0, 1/(\d+)\) from the seed, since none were given)",
     says_measurements),
    (r"Every bound is proved; printed digits are rounded outward\.", says_proved),
    (r"interrupted: (\d+) of (\d+) rows begun; the bounds on them are proved", says_cut),
    (rf"({'|'.join(kind.name for kind in KINDS)}) +(layer \d+(?: of [BC])?|\d+ x \d+|last layers) +"
     rf"(\S+ <= .*? (?:<= \S+|\(no upper bound\)))(?: +alpha = (\S+))? +(\D.*)", says_line),
    (r"what the theorems ask", lambda data: None),
    (rf"(\[\w+\] Lemma \S+) +(\w+) of every layer, eps/alpha < {N}: (.*)", says_theorem),
    (r"\[\w+\] Theorem \S+ +\w+ of every layer and RRIC, .* (?:<= 1|< K/d\^90): (.*)", says_no_number),
    (r"every theorem +(.*)", says_no_number),
    (rf"estimate +for that WDC, Gaussian layers would need n/k of about {N} to {N}; here it is (.*)",
     says_estimate),
    (rf"\[HJ\] Theorem 3 +every row with one eps, here {N} <= eps(?: <= {N}| \(no upper bound\)); "
     r"K .* < alpha1 alpha2: (.*)", says_one_eps),
    (r"an alpha above 1, as here, is beyond the theorem: scale that last layer down \(Fact 3\)",
     lambda data: _true(any((row["alpha"] or 0) > 1 for row in data["rows"]))),
    (r"---- (.*)", lambda data, text: _true(text in {named(row["kind"]).heading for row in data["rows"]})),
]


def _true(value):
    assert value


def unwrapped(text: str) -> Iterator[str]:
    """The lines before they were wrapped: what is indented deeper goes on."""
    found: list[str] = []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth > 4 and not line.lstrip().startswith("an alpha above 1"):
            found[-1] += f" {line.strip()}"
        elif line.strip():
            found.append(line.strip())
    return iter(found)


def check(report: wc.Report) -> None:
    """Every line of the text, as the command prints it, follows from the JSON."""
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    titles = {f"{row['kind']}{place(row)}: {size(row)}": row for row in data["rows"]}
    seen, about, rules = [], data, REPORT
    for line in unwrapped(report.to_text()):
        if line in titles:
            about, rules = titles[line], ROW
            seen.append(line)
            continue
        if line.startswith("---- "):
            about, rules = data, REPORT
        matching = [(found, rule) for pattern, rule in rules if (found := re.fullmatch(pattern, line))]
        assert matching, f"no rule explains: {line}"
        found, rule = matching[0]
        rule(about, *found.groups())
    assert set(seen) == set(titles)
