"""Whether the names of layers say one sequence; where they do not, which parts may be the network."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wdccheck.weights.readers.selection import Ambiguous, Selection
from wdccheck.weights.readers.source import in_quotes, natural, shown

__all__ = ["Named", "in_one_sequence", "missing", "numbered", "ways"]

_PARTS, _MOST, _LONGEST = 8, 400, 250  # parts that are looked at; characters of all ways, of the longest
_RULE = "layers of one chain, in an order that their names say"


@dataclass(frozen=True)
class Named:
    """A layer of a file without a graph.

    Attributes
    ----------
    name : str
        Of its matrix.
    stem : str
        What is left of the name without a word like ``weight``.
    shape : tuple of int
        (n_out, n_in).
    biased, normed : bool
        Whether it has a bias, whether batch norm follows.
    """

    name: str
    stem: str
    shape: tuple[int, int]
    biased: bool = False
    normed: bool = False

    @property
    def kind(self) -> str:
        """The stem, each number as ``#``; one Sequential in another counts on."""
        return re.sub(r"#(?:\.#)+", "#", re.sub(r"\d+", "#", self.stem.casefold()))


def in_one_sequence(source: str, layers: Sequence[Named], stored: Sequence[Named] | None,
                    others: Sequence[str], choice: Selection) -> None:
    """Refuse layers in natural order whose names leave a doubt that they are one chain in this order.

    Parameters
    ----------
    source : str
        The name of the file.
    layers : sequence of Named
        In natural order of their names.
    stored : sequence of Named or None
        In the order of the file; None where that says nothing.
    others : sequence of str
        Names of what else is in the file and is no part of these layers.
    choice : Selection
        What was asked for.

    Raises
    ------
    Ambiguous
        Names differ in more than their numbers, the file has another order, or widths narrow below both
        ends as those of an encoder and a decoder do. The message has the options that choose.
    """
    order = layers if stored is None else stored
    kinds = list(dict.fromkeys(layer.kind for layer in layers))
    if not layers:
        return
    if len(kinds) > 1:
        found = f"names of {len(kinds)} kinds, as {_quoted([_first(layers, kind) for kind in kinds], 4)}"
    elif list(order) != list(layers):
        found = f"{_quoted(_names(order), 4)} in the file, {_quoted(_names(layers), 4)} by name"
    elif jump := _jump(layers):
        found = f"names that count by more than the number of layers, as {_quoted(jump, 2)}"
    elif _chains(layers) and _neck(layers):
        found = f"widths {_widths(layers)}, which narrow and widen as those of an encoder and a decoder"
    else:
        return
    raise Ambiguous(source, _RULE, found, ways(order, others, choice, layers if len(kinds) == 1 else ()))


def ways(order: Sequence[Named], others: Sequence[str], choice: Selection,
         layers: Sequence[Named] = ()) -> list[str]:
    """The options that read a chain among these layers: one for each that may be meant.

    First come parts of the model, those that widen to the width of the data, which an encoder begins with,
    before others, and the longer before the shorter; then all layers in the order of the file, unless they
    are the best of the parts, and in that of `layers`.
    """
    named = [run for group in _groups(order) for run in _runs(group)]
    parts = named + [run for run in _runs(order, last=True)
                     if len(run) > 1 and run[-1].shape[0] > run[0].shape[1] and run not in named]

    def later(run: list[Named]) -> tuple[bool, bool, bool, bool, int]:
        return (run[-1].shape[0] <= run[0].shape[1], run[-1].shape[0] not in _entered(run, order),
                len(run) == 1, run not in named and run != list(order), -len(run))

    parts.sort(key=later)
    every = [list(whole) for whole in (order, layers) if len(whole) > 1 and _chains(whole)]
    last = [way for run in every if run != parts[0]  # an encoder with its decoder only if said in a word
            and (len(way := _way(run, order, others, choice)) <= _LONGEST // 3 or not _neck(run))]
    first, left = list[str](), 0
    for i, run in enumerate(parts):
        way = _way(run, order, others, choice) if i < _PARTS else ""
        if way in last:
            continue
        if i < _PARTS and (not first or sum(map(len, [*first, *last, way])) < _MOST):
            first.append(way)
        else:
            left += 1
    found = [*first, *dict.fromkeys(last)]
    return [*found[:-1], f"{found[-1]} ({left} more)"] if left and found else found


def _way(run: Sequence[Named], order: Sequence[Named], others: Iterable[str], choice: Selection) -> str:
    beside = choice.beside(any(layer.biased for layer in run), any(layer.normed for layer in run))
    return f"--arrays {_choice(run, order, others)}{beside} ({_widths(run)})"


def _entered(run: Sequence[Named], order: Sequence[Named]) -> set[int]:
    """The widths at which others than `run` begin: not behind a layer before them, nor to widen `run` on."""
    others = [layer for layer in order if layer not in run]
    follows = next((after for before, after in itertools.pairwise(order) if before == run[-1]), None)
    fed = {layer.name for i, layer in enumerate(others)
           if any(layer.shape[1] == before.shape[0] for before in others[:i])}
    return {layer.shape[1] for layer in others if layer.name not in fed
            and not (layer == follows and layer.shape[0] > layer.shape[1] == run[-1].shape[0])}


def missing(layers: Sequence[Named]) -> str:
    """The first name that layers like fc1, fc3 leave out; those of a Sequential may leave out any."""
    for one, other in itertools.pairwise(layers):
        (base, number), (following, last) = _counted(one), _counted(other)
        if base == following and base[-1:].isalpha() and None not in (number, last) and last > number + 1:  # type: ignore[operator]
            return shown(f"{base}{number + 1}")  # type: ignore[operator]
    return ""


def numbered(stem: str) -> tuple[str, int | None]:
    """A name without the number at its end, and the number."""
    match = re.fullmatch(r"(.*?)(\d{1,9})", stem)
    return (match[1], int(match[2])) if match else (stem, None)


def _counted(layer: Named) -> tuple[str, int | None]:
    return numbered(layer.name if layer.name[-1:].isdigit() else layer.stem)


def _jump(layers: Sequence[Named]) -> list[str]:
    """Two layers between which the numbers gain a digit and leave some out, as fc4, fc21 do."""
    for one, other in itertools.pairwise(layers):
        (base, number), (following, last) = _counted(one), _counted(other)
        if (base == following and base[-1:].isalpha() and number is not None and last is not None
                and last > number + 1 and len(str(last)) > len(str(number))):
            return _names([one, other])
    return []


def _groups(order: Sequence[Named]) -> list[list[Named]]:
    """Layers by the part of the model that they belong to, as their names have it."""
    paths = [re.split(r"[./]", layer.stem.casefold()) for layer in order]
    common = _alike([path[:-1] for path in paths])
    found: dict[str, list[Named]] = {}
    for layer, path in zip(order, paths, strict=True):
        head = re.sub(r"\d+", "#", path[common]) if len(path) > common + 1 else layer.kind
        found.setdefault(layer.kind if head.startswith("#") else head, []).append(layer)
    return list(found.values())


def _runs(group: Sequence[Named], last: bool = False) -> list[list[Named]]:
    """Layers side by side that chain, cut where their widths are least: at first, or at `last`."""
    runs: list[list[Named]] = []
    for layer in group:
        if runs and runs[-1][-1].shape[0] == layer.shape[1]:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    cuts = [(run, _neck(run, last)) for run in runs]
    return [part for run, cut in cuts for part in ((run[:cut], run[cut:]) if cut else (run,))]


def _neck(run: Sequence[Named], last: bool = False) -> int:
    """After how many layers the width is least, if no end is narrower and both sides are wider; else 0."""
    if not run:
        return 0
    widths = [run[0].shape[1], *(layer.shape[0] for layer in run)]
    least = min(widths)
    inner = [i for i in range(1, len(run)) if widths[i] == least < min(max(widths[:i]), max(widths[i:]))]
    return inner[-1 if last else 0] if inner else 0


def _chains(layers: Sequence[Named]) -> bool:
    return all(after.shape[1] == before.shape[0] for before, after in itertools.pairwise(layers))


def _choice(run: Sequence[Named], order: Sequence[Named], others: Iterable[str]) -> str:
    """What --arrays takes to choose these layers: a pattern where one does, else their names."""
    names = [layer.name for layer in run]
    parts = [re.split(r"(?<=[./])", name) for name in names]
    prefix = "".join(parts[0][:_alike([part[:-1] for part in parts])])
    pattern = prefix + "*"
    inside = [layer.name for layer in order if fnmatchcase(layer.name, pattern)]
    plain = not re.search(r"[\[\]*?,']", prefix) and names == sorted(names, key=natural)
    foreign = any(fnmatchcase(name, pattern) for name in others)
    if plain and prefix.isprintable() and inside == names and len(names) > 1 and not foreign:
        return f"'{pattern}'"
    parted = [names] if any("," in name for name in names) else [[",".join(names)]]
    text = " --arrays ".join(in_quotes(part) for one in parted for part in one)
    short = len(text) <= _LONGEST and text.isprintable()
    return text if short else f"and {len(names)} names from {_quoted(names, 1)}"


def _alike(paths: Sequence[Sequence[str]]) -> int:
    """How many parts all paths begin with alike."""
    return next((i for i, parts in enumerate(zip(*paths, strict=False)) if len(set(parts)) > 1),
                min(map(len, paths), default=0))


def _widths(run: Sequence[Named]) -> str:
    widths = list(map(str, [run[0].shape[1], *(layer.shape[0] for layer in run)]))
    return "-".join(widths if len(widths) <= 12 else [*widths[:8], "...", widths[-1]])


def _names(layers: Sequence[Named]) -> list[str]:
    return [layer.name for layer in layers]


def _first(layers: Sequence[Named], kind: str) -> str:
    return next(layer.name for layer in layers if layer.kind == kind)


def _quoted(names: Sequence[str], most: int) -> str:
    return ", ".join(map(shown, names[:most])) + (", ..." if len(names) > most else "")
