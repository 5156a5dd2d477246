"""What pushes a bracket from either side; `solve` runs them one after the other."""
