"""``.onnx``: the graph is followed from its input to its output. Parsed with onnx, not executed."""
