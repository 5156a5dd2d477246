"""The picture of docs/architecture.md, drawn from the imports themselves: ``python docs/architecture.py``.

Boxes are the wings, top to bottom in the order of the import contract in pyproject.toml. Wings that follow
each other in that order and import nothing of one another share a row. An arrow is an import; one that
follows from others is left out. Imports for type checkers alone do not count.
"""

from __future__ import annotations

import ast
import math
import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "wdccheck"
TARGET = ROOT / "docs" / "figures" / "architecture.svg"

WIDTH, MARGIN = 720, 16  # pixels
HEIGHT, PITCH = 38, 64  # of a box, and from one row to the next
GAP, THREAD = 44, 22  # between two boxes; the room of an arrow that passes a row
LETTER, PADDING = 7.9, 26  # of a name in monospaced type, and around it
SHUFFLES, ORDERED, STRAIGHTENED = 24, 10, 200  # first orders; sweeps over the rows
CENTER = 0.05  # how much a box is drawn to the middle of the picture, where an arrow to a box counts 1
ROOF, GROUND = (232, 240, 254), (253, 243, 226)  # colors of the highest and of the lowest row
STYLE = """\
.paper { fill: #ffffff; stroke: #d5dae1 }
.box { stroke: #5b6b80; stroke-width: 1 }
.line { fill: none; stroke: #8793a5; stroke-width: 1.3 }
.head { fill: #8793a5 }
text { text-anchor: middle; fill: #1c2733 }
.name { font: 600 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
.count { font: 11px system-ui, "DejaVu Sans", "Segoe UI", sans-serif; fill: #4a5868 }
"""

Edges = Mapping[str, set[str]]


@dataclass(eq=False)
class Place:
    """A box in a row, or the point where an arrow passes the row (`name` is empty)."""

    name: str
    width: float
    x: float = 0.0
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)


def contract() -> list[str]:
    """The wings in the order of the import contract, those without files left out."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == ["wdccheck"])
    names = [name.strip(" ()") for layer in layers for name in re.split(r"[|:]", layer)]
    return [name for name in names if files(name)]


def files(wing: str) -> list[Path]:
    """The source files of a wing."""
    alone, folder = PACKAGE / f"{wing}.py", PACKAGE / wing
    if alone.exists():
        return [alone]
    return sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".pyx", ".h"))


def imports(wings: Sequence[str]) -> dict[str, set[str]]:
    """Which other wings each wing imports."""
    found: dict[str, set[str]] = {}
    for wing in wings:
        trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files(wing) if path.suffix == ".py")
        found[wing] = {name for tree in trees for name in _imported(tree)} & set(wings) - {wing}
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    """The wings that a piece of code imports when it runs."""
    if isinstance(node, ast.ImportFrom) and node.module == "wdccheck":
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wdccheck."):
        yield str(node.module).split(".")[1]
    elif isinstance(node, ast.Import):
        yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("wdccheck."))
    typing = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    children = node.orelse if isinstance(node, ast.If) and typing else ast.iter_child_nodes(node)
    for child in children:
        yield from _imported(child)


def reduced(edges: Edges) -> dict[str, set[str]]:
    """The edges that do not follow from others."""
    @cache
    def reach(wing: str) -> set[str]:
        return edges[wing].union(*(reach(other) for other in edges[wing]))

    return {wing: {one for one in others if not any(one in reach(other) for other in others)}
            for wing, others in edges.items()}


def rows(wings: Sequence[str], edges: Edges) -> list[list[str]]:
    """The wings in rows, in their order; no wing imports another one of its row."""
    found: list[list[str]] = []
    for wing in wings:
        if not found or any(wing in edges[other] for other in found[-1]):
            found.append([])
        found[-1].append(wing)
    return found


def placed(wings: Sequence[str], edges: Edges) -> list[list[Place]]:
    """Rows of boxes and of passing arrows, each with its place."""
    named = rows(wings, edges)
    boxes = {wing: Place(wing, PADDING + LETTER * len(label(wing))) for wing in wings}
    layout = [[boxes[wing] for wing in row] for row in named]
    at = {wing: number for number, row in enumerate(named) for wing in row}
    arrows = reduced(edges)
    for wing in wings:
        for other in sorted(arrows[wing], key=wings.index):
            chain = [Place("", THREAD) for _ in range(at[wing] + 1, at[other])]
            for number, place in enumerate(chain, at[wing] + 1):
                layout[number].append(place)
            for upper, lower in pairwise([boxes[wing], *chain, boxes[other]]):
                upper.below.append(lower)
                lower.above.append(upper)
    _ordered(layout)
    for sweep in range(STRAIGHTENED):
        for row in layout if sweep % 2 else reversed(layout):
            for place in row:
                place.x = _middle(place, place.above + place.below)
            _spread(row)
    return layout


def _ordered(layout: list[list[Place]]) -> None:
    """Sort every row by its neighbors, those above and those below in turn; the fewest crossings win."""
    best, fewest, rng = [list(row) for row in layout], math.inf, random.Random(0)
    for _ in range(SHUFFLES):
        for row in layout:
            _centered(row)
        for sweep in range(ORDERED):
            for row in layout if sweep % 2 == 0 else reversed(layout):
                for place in row:
                    place.x = _middle(place, place.above if sweep % 2 == 0 else place.below)
                row.sort(key=lambda place: place.x)
                _spread(row)
            if (found := _crossings(layout)) < fewest:
                best, fewest = [list(row) for row in layout], found
        for row in layout:
            rng.shuffle(row)
    for row, order in zip(layout, best, strict=True):
        row[:] = order
        _centered(row)


def _centered(row: list[Place]) -> None:
    """Side by side in the middle of the picture, in their order."""
    for place in row:
        place.x = WIDTH / 2
    _spread(row)


def _crossings(layout: list[list[Place]]) -> int:
    """How many pairs of lines cross between two rows."""
    lines = [[(upper.x, lower.x) for upper in row for lower in upper.below] for row in layout]
    return sum((a - c) * (b - d) < 0 for row in lines for (a, b), (c, d) in combinations(row, 2))


def _pull(place: Place, other: Place) -> float:
    """How much a line wants to be upright: the longer it is, the more."""
    return (1.0, 2.0, 8.0)[(not place.name) + (not other.name)]


def _middle(place: Place, others: Sequence[Place]) -> float:
    """Where its lines would have a place; a box is drawn to the center a little."""
    if not others:
        return place.x
    pulls = [_pull(place, other) for other in others]
    ends = [_port(other, place) - _port(place, other) + place.x for other in others]
    center = CENTER if place.name else 0.0
    total = math.fsum(pull * end for pull, end in zip(pulls, ends, strict=True))
    return (total + center * WIDTH / 2) / (math.fsum(pulls) + center)


def _spread(row: list[Place]) -> None:
    """Move the places of a row apart, each as little as possible, and into the picture.

    Least squares with an order: neighbors that overlap become a block, which moves as one.
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        gap = GAP if left.name and right.name else GAP / 2
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + gap)
    blocks: list[tuple[float, float, int]] = []  # the mean of x - offset, the pull on it, how many places
    for place, offset in zip(row, offsets, strict=True):
        mean, many = place.x - offset, 1
        pull = CENTER + math.fsum(_pull(place, other) for other in place.above + place.below)
        while blocks and blocks[-1][0] > mean:
            before, more, others = blocks.pop()
            mean, pull = (mean * pull + before * more) / (pull + more), pull + more
            many += others
        blocks.append((mean, pull, many))
    starts = [mean for mean, _, many in blocks for _ in range(many)]
    low = MARGIN + row[0].width / 2
    high = max(low, WIDTH - MARGIN - row[-1].width / 2 - offsets[-1])
    for place, offset, start in zip(row, offsets, starts, strict=True):
        place.x = min(max(start, low), high) + offset


def label(wing: str) -> str:
    """What its box says: a folder ends in a slash."""
    return f"{wing}.py" if (PACKAGE / f"{wing}.py").exists() else f"{wing}/"


def picture() -> str:
    """The SVG as text."""
    wings = contract()
    layout = placed(wings, imports(wings))
    height = 2 * MARGIN + PITCH * (len(layout) - 1) + HEIGHT
    boxes, lines = [], []
    for number, row in enumerate(layout):
        y, share = MARGIN + PITCH * number, number / max(1, len(layout) - 1)
        color = "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(ROOF, GROUND, strict=True))
        for place in row:
            lines += _arrows(place, y)
            boxes += _box(place, y, color) if place.name else []
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img">',
        "<title>The wings of wdccheck: each imports only wings below it</title>",
        f"<style>\n{STYLE}</style>",
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        *lines, *boxes, "</svg>", ""])


def _box(place: Place, y: float, color: str) -> list[str]:
    left, count = place.x - place.width / 2, sum(x.name != "__init__.py" for x in files(place.name))
    alone = label(place.name).endswith(".py")
    parts = [f'<rect class="box" x="{left:.1f}" y="{y}" width="{place.width:.1f}" height="{HEIGHT}" rx="5" '
             f'fill="{color}"/>',
             f'<text class="name" x="{place.x:.1f}" y="{y + (24 if alone else 17)}">{label(place.name)}'
             "</text>"]
    words = f'{count} file{"s" * (count != 1)}'
    return parts if alone else [
        *parts, f'<text class="count" x="{place.x:.1f}" y="{y + 31}">{words}</text>']


def _arrows(place: Place, y: float) -> list[str]:
    """The lines from a place to those below it; where they pass a row they are upright."""
    parts = []
    for lower in place.below:
        x, end = _port(place, lower), _port(lower, place)
        top, bottom = y + HEIGHT, y + PITCH - (6 if lower.name else 0)
        middle = (top + bottom) / 2
        passing = "" if lower.name else f"v{HEIGHT}"
        parts.append(f'<path class="line" d="M{x:.1f} {top}C{x:.1f} {middle:g} {end:.1f} {middle:g} '
                     f'{end:.1f} {bottom}{passing}"/>')
        if lower.name:
            parts.append(f'<path class="head" d="M{end:.1f} {y + PITCH}l-4 -7h8z"/>')
    return parts


def _port(place: Place, other: Place) -> float:
    """Where a line to or from `other` meets a place: side by side along the edge of a box."""
    side = sorted(place.below if other in place.below else place.above, key=lambda one: one.x)
    room = min(16.0, (place.width - 24) / len(side))
    return place.x + (side.index(other) - (len(side) - 1) / 2) * room


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
