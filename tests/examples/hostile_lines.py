"""Command lines that nobody would type, of every command, on files good and malformed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

import wdccheck as wc
from examples import hostile
from examples.hostile import one_of
from wdccheck.cli.main import cli

__all__ = ["files", "line"]

_NUMBERS = ("0", "1", "0.5", "-1", "1e-3", "1e300", "1e-320", "nan", "inf", "x", "", "best", "3", "1,2", "٣")
_WORDS = ("", "x", "W", "W1", "*", "W*", "layers.0", "a.b", "relu", "ignore", "gaussian", "wdc,r2wdc",
          "\x1b[2J", "a\nb", "é", "--", "None")
_SAFE = {"--workers": "1", "--time-limit": "0.05", "--samples": "400", "--budget": "50"}
"""What keeps a line short; the last of an option counts."""
_NEVER = {"--scheduler", "--help", "--repeat"}  # waits for a network, is no work, is much work
_FORMATS = (".npz", ".npy", ".mat", ".pt", ".pth", ".onnx", ".keras", ".h5", ".safetensors")
_GOOD = ("net.npz", "hostile.npz", "matrix.npy", "C.npy", "A.npy", "U.npy", "bracket.json", "report.json")
_WANTED = {"layer", "n", "m", "l"}


def files(rng: np.random.Generator, folder: Path, published: Path) -> list[str]:
    """Weight files of all formats, results and tables in `folder`, then some of them broken.

    `published` is the folder of the files that the readers are tested on.
    """
    for path in filter(Path.is_file, sorted(published.iterdir())):  # not what Python keeps beside them
        if path.suffix != ".py":
            shutil.copy(path, folder)
    np.save(folder / "matrix.npy", rng.standard_normal((5, 2)))
    np.save(folder / "A.npy", rng.standard_normal((2, 3)))
    np.save(folder / "U.npy", np.eye(3))
    np.save(folder / "C.npy", rng.standard_normal((5, 1)))
    np.save(folder / "hollow.npy", np.empty((0, 2)))
    np.save(folder / "text.npy", np.array([["a", "b"]]))
    np.save(folder / "nan.npy", np.array([[1.0, np.nan]]))
    np.savez(folder / "net.npz", W1=rng.standard_normal((4, 2)), W2=rng.standard_normal((3, 4)))
    np.savez(folder / "hostile.npz", **{f"W{i}": W for i, W in enumerate(hostile.layers(rng), 1)})
    np.savez(folder / "misfit.npz", W1=np.ones((4, 2)), W2=np.ones((3, 5)), b=np.ones(3))
    wc.bracket(wc.WDC(rng.standard_normal((5, 2))), wc.Spectral()).save(folder / "bracket.json")
    wc.certify([rng.standard_normal((4, 2)), rng.standard_normal((3, 4))], time_limit=0.1).save(
        folder / "report.json")
    wc.sweep("wdc", k=[1, 2], n=[4], budget=20).save(folder / "table.csv")
    (folder / "empty.json").write_text("")
    (folder / "folder.npz").mkdir()
    (folder / "notes.txt").write_text("no weights\n")
    (folder / "deep.json").write_text("[" * 5000)
    for path in [one_of(rng, sorted(folder.glob("*.*"))) for _ in range(12)]:
        if path.is_file():
            (folder / f"broken-{path.name}").write_bytes(_broken(rng, path.read_bytes()))
    for name in ("bracket.json", "report.json"):
        for i in range(6):
            data = json.loads((folder / name).read_text())
            _changed(rng, data)
            (folder / f"{i}-{name}").write_text(json.dumps(data))
    return [str(path) for path in sorted(folder.iterdir())] + [str(folder / "absent.npy"), "-", ""]


def _broken(rng: np.random.Generator, data: bytes) -> bytes:
    """Cut off, or with some bytes changed."""
    if rng.random() < 0.5:
        return data[: int(rng.integers(len(data) + 1))]
    changed = bytearray(data)
    for i in rng.integers(max(len(changed), 1), size=4) if changed else ():
        changed[int(i)] = int(rng.integers(256))
    return bytes(changed)


def _changed(rng: np.random.Generator, data: Any) -> None:
    """One value somewhere in plain data becomes another, or disappears."""
    while True:
        key = one_of(rng, list(data) if isinstance(data, dict) else range(len(data)))
        if isinstance(data[key], dict | list) and data[key] and rng.random() < 0.8:
            data = data[key]
        elif rng.random() < 0.2 and isinstance(data, dict):
            del data[key]
            return
        else:
            data[key] = one_of(rng, [None, 0, -1, 1e308, "x", [], {}, True, float("nan"), 10**400, [[]]])
            return


def line(rng: np.random.Generator, named: list[str]) -> list[str]:
    """The arguments of one command, mostly with those that it needs."""
    words, command = one_of(rng, list(_commands(cli, [])))
    options = [p for p in command.params if isinstance(p, click.Option) and not _NEVER & set(p.opts)]
    wanted = [p for p in options if rng.random() < (
        0.9 if p.required or p.name in _WANTED else 0.02 if p.is_flag else 1.2 / len(options))]
    given = [x for option in wanted for x in _given(rng, option, words[-1], named)]
    for argument in command.params:
        if isinstance(argument, click.Argument) and rng.random() < 0.97:
            count = 1 + (words[-1] == "joint-wdc") if argument.nargs == -1 else 1
            given += [_value(rng, argument, words[-1], named) for _ in range(count)]
    if rng.random() < 0.03:
        given.append(one_of(rng, ("--nonsense", "extra", "-h", "--version")))
    safe = {x for option in options for x in option.opts} & set(_SAFE)
    return [*words, *given, *(x for option in sorted(safe) for x in (option, _SAFE[option]))]


def _commands(group: click.Group, words: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, [*words, name])
        elif name != "info":
            yield [*words, name], command


def _given(rng: np.random.Generator, option: click.Option, command: str, named: list[str]) -> list[str]:
    """An option, with values where it takes some."""
    values = () if option.is_flag else (_value(rng, option, command, named) for _ in range(option.nargs))
    return [one_of(rng, option.opts), *values]


def _value(rng: np.random.Generator, parameter: click.Parameter, command: str, named: list[str]) -> str:
    """What fits, mostly."""
    fits = rng.random() < 0.85
    if parameter.name in ("json_path", "out", "figure", "checkpoint"):
        fit = {"json_path": ["-", "kept.json"], "figure": ["new.png"], "out": ["new.png", "new"]}
        return one_of(rng, fit.get(parameter.name, ["kept.json"]) if fits else named)
    if isinstance(parameter.type, click.Path):
        fitting = [one for one in named if _fits(one, parameter, command)] if fits else named
        best = [one for one in fitting if Path(one).name in _GOOD]
        return one_of(rng, best if best and rng.random() < 0.7 else fitting)
    if isinstance(parameter.type, click.Choice):
        return one_of(rng, list(parameter.type.choices) if fits else _WORDS)
    if not fits:
        return one_of(rng, _NUMBERS + _WORDS)
    if parameter.name in ("arrays", "key", "from_", "to"):
        return one_of(rng, _WORDS)
    if command == "sweep" and parameter.name == "condition":
        return one_of(rng, ("wdc", "r2wdc,wdc", "rric"))
    if parameter.name == "distribution":
        return "sphere,sparse"
    return one_of(rng, ("1", "1", "2", "3") if parameter.name != "confidence" else ("0.9", "0.5"))


def _fits(name: str, parameter: click.Parameter, command: str) -> bool:
    """Whether a file is what a parameter is for; files of one kind are good and bad ones."""
    if parameter.name == "measurements":
        return Path(name).name in ("A.npy", "U.npy", "nan.npy")
    if command in ("verify", "plot") and parameter.name in ("file", "beside"):
        return name.endswith(".json")
    if command == "plot":
        return name.endswith(".csv")
    if command == "joint-wdc":
        return Path(name).name in ("matrix.npy", "C.npy")
    return Path(name).name in ("net.npz", "hostile.npz") or name.endswith(_FORMATS)
