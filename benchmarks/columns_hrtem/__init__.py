"""Columns in HRTEM images: found, placed and counted, beside peers and bounds."""
