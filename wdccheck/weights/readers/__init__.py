"""One file per format: bytes to a chain of layers."""
