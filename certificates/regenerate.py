"""Bracket everything that is committed here again: `make certificates`.

Writes the weights that are drawn from a seed, every report.json, the table of README.md in this
folder, and the quotation in the README.md of the project.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import numpy as np

import wdccheck as wc
from wdccheck.data import generator
from wdccheck.reports.markdown import typeset
from wdccheck.rounded_text import between, shortest

HERE = Path(__file__).parent
TABLE = "| network | condition | size | bounds | at one α | |\n|---|---|---|---|---|---|\n"


def contractive() -> wc.ReLUNetwork:
    """2 -> 24 -> 40, N(0, 1/rows): layer 2 has n < 2k rows, so its WDC is vacuous (Fact 6)."""
    rng = np.random.default_rng(1)
    return wc.ReLUNetwork([rng.standard_normal((n, k)) / math.sqrt(n) for k, n in ((2, 24), (24, 40))])


def demodulation() -> tuple[wc.ReLUNetwork, wc.ReLUNetwork]:
    """Twice 1 -> 2 -> 40: inner layers (3, -3)/4, last layers N(0, 1/40)."""
    rng = np.random.default_rng(0)
    inner = np.array([[0.75], [-0.75]])
    first, second = (wc.ReLUNetwork([inner, rng.standard_normal((40, 2)) / math.sqrt(40)]) for _ in "BC")
    return first, second


def matrices() -> dict[str, np.ndarray]:
    """Five matrices for the WDC at alpha = 1, scaled so that E[W^T W] = I where they are random."""
    rng = np.random.default_rng(0)
    return {
        "gaussian-100x3": np.random.default_rng(0).standard_normal((100, 3)) / 10,
        "gaussian-50x4": np.random.default_rng(0).standard_normal((50, 4)) / math.sqrt(50),
        "signs-40x3": rng.choice([-1.0, 1.0], (40, 3)) / math.sqrt(40),  # four lines, each many times
        "axes-8x4": np.concatenate([np.eye(4), -np.eye(4)]) / math.sqrt(2),
        "gaussian-200x10": np.random.default_rng(0).standard_normal((200, 10)) / math.sqrt(200),
    }


def bracket_matrices() -> None:
    """The WDC of every matrix, by the default engines with their own budgets."""
    lines = []
    (HERE / "matrices").mkdir(exist_ok=True)
    for name, W in matrices().items():
        np.save(HERE / "matrices" / f"{name}.npy", W)
        found = wc.bracket(wc.WDC(W), workers=-1, progress=True)
        found.save(HERE / "matrices" / f"{name}.json")
        size, quoted = " x ".join(map(str, W.shape)), between(found.lower, "ε", found.upper)
        lines.append(f"| [{name}](matrices/{name}.json) | {size} | {quoted.replace('<=', '≤')} | "
                     f"{found.stopped['upper'].reason} |")
    head = "| matrix | size | bounds | upper ended by |\n|---|---|---|---|\n"
    replace(HERE / "README.md", "matrices", head + "\n".join(lines) + "\n")


def main(chosen: list[str]) -> None:
    """Bracket the networks named, or all."""
    (B, C), net = demodulation(), contractive()
    store("contractive/weights.npz", net)
    store("demodulation/B.npz", B)
    store("demodulation/C.npz", C)
    for name in chosen:
        if name == "matrices":
            bracket_matrices()
            continue
        if name == "demodulation":
            report = wc.certify_pair(B, C, time_limit=170, workers=-1, progress=True)
        else:
            network = {"digits": generator(), "contractive": net}[name]
            report = wc.certify(network, time_limit=170, workers=-1, progress=True)
        report.save(HERE / name / "report.json")
        table(name, report)
        if name == "digits":
            shown = report.to_text().split("\n\n----")[0]
            replace(HERE.parent / "README.md", name, f"```\n{shown}\n```\n")


def store(name: str, net: wc.ReLUNetwork) -> None:
    """The layers as W1, W2, ..."""
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{f"W{i}": W for i, W in enumerate(net.layers, 1)})


def table(name: str, report: wc.Report) -> None:
    """The rows of one network in the table of README.md."""
    lines = []
    for row in report.rows:
        at = "" if row.alpha is None else (
            f"α = {shortest(row.alpha)}: {between(row.ratio_lower, row.ratio_name, row.ratio_upper)}")
        lines.append(f"| [{name}]({name}/report.json) | {row.name} | {row.size} | "
                     f"{typeset(between(*row.headline))} | {typeset(at)} | {row.state} |")
    replace(HERE / "README.md", name, TABLE + "\n".join(lines) + "\n")


def replace(path: Path, name: str, content: str) -> None:
    """Put `content` between the two comments that bear the name."""
    begin, end = f"<!-- {name}: made by `make certificates` -->\n", f"<!-- end of {name} -->"
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"{path}: one pair of comments named {name} required")
    path.write_text(pattern.sub(lambda _: begin + content + end, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or ["digits", "contractive", "demodulation", "matrices"])
