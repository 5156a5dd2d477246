"""Examples whose results are recorded bit for bit."""
