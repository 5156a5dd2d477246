"""One file a format: bytes to a chain of layers."""
