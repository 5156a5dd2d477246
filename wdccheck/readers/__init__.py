"""One file per kind of weight file: what it holds, as a chain of steps. Files are untrusted."""
