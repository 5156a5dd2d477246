"""How work gets done: clock, seeds, workers, progress."""
