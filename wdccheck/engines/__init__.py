"""What improves a bracket from either side; `bracket` runs them one after the other."""
