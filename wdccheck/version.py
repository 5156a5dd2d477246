"""Which program this is: its version, its kernel, and what a result says of who made it."""

from __future__ import annotations

__all__ = ["VERSION", "made_by"]

VERSION = "0.1.0"


def made_by() -> dict[str, str]:
    """Version and active kernel, as every file that holds a result records them."""
    from wdccheck._kernels import kernel  # NumPy is not loaded for a version

    return {"wdccheck": VERSION, "kernel": kernel()}
