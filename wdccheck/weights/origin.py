"""Where the layers of a network come from: the file, the order of its layers, what was done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Origin"]


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

    Examples
    --------
    >>> print(Origin("net.npz", ("'W1' 4 x 2",), "natural order of names").to_text())
    net.npz: layer 1 'W1' 4 x 2; natural order of names
    """

    file: str
    layers: tuple[str, ...]
    ordered_by: str
    options: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {"file": self.file, "layers": list(self.layers), "ordered_by": self.ordered_by,
                "options": dict(self.options)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Origin:
        """What :meth:`to_dict` gives."""
        return Origin(str(data["file"]), tuple(map(str, data["layers"])), str(data["ordered_by"]),
                      {str(name): str(meaning) for name, meaning in data["options"].items()})

    def to_text(self) -> str:
        """The order found, in one line, and a line per option."""
        layers = ", ".join(f"layer {i} {name}" for i, name in enumerate(self.layers, 1))
        return "\n".join([f"{self.file}: {layers}; {self.ordered_by}", *self.notes()])

    def notes(self) -> list[str]:
        """What each option used means."""
        return [f"{self.file}: {option}: {meaning}" for option, meaning in self.options.items()]
