"""Strain of columns beside analytic truth and bounds."""
