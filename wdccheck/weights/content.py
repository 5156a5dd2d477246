"""What kind of weight file a file is: its content says so, and where that is silent its name."""

from __future__ import annotations

import struct

from wdccheck.errors import InvalidInput
from wdccheck.weights.readers.archive import Archive
from wdccheck.weights.readers.pytorch import LEGACY
from wdccheck.weights.readers.selection import listed
from wdccheck.weights.readers.source import Bounded, kind, shown

__all__ = ["content"]

_HEAD = 512
_ZIPPED = (".npz", ".pt", ".pth", ".keras")
_OTHERS = {  # how files begin that hold no arrays as they are, and what to do about them
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"<!DOCTYPE": "a web page: download the file itself",
    b"<!doctype": "a web page: download the file itself",
    b"<html": "a web page: download the file itself", b"\x1f\x8b": "a file packed by gzip: gunzip it",
    b"BZh": "a file packed by bzip2: bunzip2 it", b"\xfd7zXZ": "a file packed by xz: unxz it",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd: unzstd it", b"7z\xbc\xaf": "a 7-Zip archive: unpack it",
    b"Rar!": "a RAR archive: unpack it", b"GGUF": "a GGUF file: np.savez('net.npz', W1=..., W2=...) of its "
    "tensors writes one that is read",
}


def content(source: str, suffix: str, stream: Bounded, size: int, known: tuple[str, ...]) -> str:
    """The suffix, among those that are `known`, of the files whose reader takes this one.

    Raises
    ------
    InvalidInput
        It is something else, which the message names.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    said = suffix.lower() if suffix.lower() in known else ""
    found = _zipped(source, stream, said) if head.startswith(b"PK") else _plain(head, size, said)
    stream.seek(0)
    if found:
        return found
    other = next((what for magic, what in _OTHERS.items() if head.lstrip().startswith(magic)), "")
    if head[257:262] == b"ustar":
        other = "a tar archive: unpack it, or torch.save(torch.load(FILE), 'net.pt') if PyTorch wrote it"
    if other or not said:
        raise InvalidInput(source, f"a weight file ({', '.join('*' + one for one in known)})",
                           other or kind(head[:16]))
    return said


def _plain(head: bytes, size: int, said: str) -> str:
    if head.startswith(b"\x93NUMPY"):
        return ".npy"
    if head.startswith(b"MATLAB"):
        return ".mat"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return ".mat" if said == ".mat" else ".h5"
    if head.startswith(LEGACY):
        return ".pt"
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size - 8:
        return ".safetensors"
    if len(head) > 3 and head[0] == 8 and head[1] < 32 and head[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42):
        return ".onnx"  # version of the format, then who wrote it
    return ""


def _zipped(source: str, stream: Bounded, said: str) -> str:
    """By the names of the members; a damaged archive is left to the reader that its name says."""
    try:
        names = Archive(source, stream, shown, "member").names
    except InvalidInput:
        return said if said in _ZIPPED else ".pt"
    if any(name.endswith((".json", ".ptir")) and ("/models/" in name or "exported_program" in name)
           for name in names):
        raise InvalidInput(source, "a state dict", "a program of torch.export (if you trust it: torch.save("
                           "torch.export.load(FILE).state_dict, 'net.pt'))")
    if any(name.endswith("/data.pkl") and name.count("/") == 1 for name in names):
        return ".pt"
    if {"config.json", "model.weights.h5"} <= set(names):
        return ".keras"
    if all(name.endswith(".npy") for name in names):
        return ".npz"
    if said in _ZIPPED:
        return said
    raise InvalidInput(source, "a weight file", f"a zip archive of {listed(map(shown, names), 3)}: unpack it")
