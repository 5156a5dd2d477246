"""What a condition owes an engine."""
