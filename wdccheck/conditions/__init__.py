"""The conditions: each states its deviation and what is known of it."""
