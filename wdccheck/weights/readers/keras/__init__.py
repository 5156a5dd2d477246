"""Whole Keras models, ``.keras`` and ``.h5``: layers by configuration, kernels transposed to (out, in)."""
