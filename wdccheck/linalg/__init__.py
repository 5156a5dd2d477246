"""Numbers and matrices: what may be passed in, norms, eigenpairs, and the rounding of all of them."""
