"""Sweeps over random weights."""
