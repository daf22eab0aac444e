"""The networks for HRTEM images beside thresholds, bounds and the literature."""
