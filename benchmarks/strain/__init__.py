"""Strain of columns and of lattices, beside analytic truth, bounds and peers."""
