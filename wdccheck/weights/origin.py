"""Where the layers of a network come from: the file, the order of its layers, what was done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wdccheck.result_files import printable

if TYPE_CHECKING:
    from wdccheck.weights.readers.chain import Chain, Dense

__all__ = ["Origin"]

_NAMED = 12  # arrays that were not used and are named in text; JSON has all of them


@dataclass(frozen=True)
class Origin:
    """The file that a network was read from.

    Attributes
    ----------
    file : str
        Its name, without folders.
    layers : tuple of str
        The arrays, nodes or layers of the file that became layers, first to last, with their shapes.
    ordered_by : str
        What the order and the activations come from.
    options : mapping of str to str
        Every option that changed something, and what the bounds then mean.
    key : str
        Where in a checkpoint the arrays are; empty for its top, and for other files.
    unused : tuple of str
        What else the file holds.
    checked : str
        What was evaluated to see whether the layers are the network of the file.
    folded : tuple of str
        What else in the file became part of the layers, exactly or rounded.

    Examples
    --------
    >>> print(Origin("net.npz", ("'W1' 4 x 2",), "one layer", unused=("'A'",)).to_text())
    net.npz: layer 1 'W1' 4 x 2; one layer
    net.npz: not used: 'A'
    """

    file: str
    layers: tuple[str, ...]
    ordered_by: str
    options: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    unused: tuple[str, ...] = ()
    checked: str = ""
    folded: tuple[str, ...] = ()

    @staticmethod
    def of(chain: Chain, file: str, layers: Sequence[Dense], used: Mapping[str, str],
           folded: Sequence[str] = (), checked: str = "") -> Origin:
        """That of the layers that a chain gave under the options `used`; what was folded and evaluated."""
        shapes = tuple(f"{layer.label} {' x '.join(map(str, layer.W.shape))}".strip() for layer in layers)
        turned = {"--transpose": "every matrix of the file was transposed"} if chain.transposed else {}
        return Origin(file, shapes, chain.ordered_by, {**turned, **used}, chain.key, chain.unused,
                      "; ".join(filter(None, (chain.checked, checked))), (*chain.folded, *folded))

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {"file": self.file, "key": self.key, "layers": list(self.layers),
                "ordered_by": self.ordered_by, "options": dict(self.options), "unused": list(self.unused),
                "checked": self.checked, "folded": list(self.folded)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Origin:
        """What :meth:`to_dict` gives, also without what older versions did not write."""
        return Origin(str(data["file"]), tuple(map(str, data["layers"])), str(data["ordered_by"]),
                      {str(name): str(meaning) for name, meaning in data["options"].items()},
                      str(data.get("key", "")), tuple(map(str, data.get("unused", ()))),
                      str(data.get("checked", "")), tuple(map(str, data.get("folded", ()))))

    def to_text(self) -> str:
        """The order found, in one line, and a line for all else that was done."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The file, its layers and their order; what each option means; what was checked and not used."""
        where = f"{self.file}, key {self.key!r}" if self.key else self.file
        layers = ", ".join(f"layer {i} {name}" for i, name in enumerate(self.layers, 1))
        said = [f"{where}: {layers}; {self.ordered_by}"]
        said += [f"{self.file}: {option}: {meaning}" for option, meaning in self.options.items()]
        said += [f"{self.file}: {fold}" for fold in self.folded]
        if self.unused:
            left = f" and {len(self.unused) - _NAMED} more" if len(self.unused) > _NAMED else ""
            said.append(f"{self.file}: not used: {', '.join(self.unused[:_NAMED])}{left}")
        if self.checked:
            said.append(f"{self.file}: forward check: {self.checked}")
        return [printable(line) for line in said]
