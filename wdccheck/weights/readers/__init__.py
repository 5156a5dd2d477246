"""One file per format: bytes to named arrays or to a chain of layers."""
