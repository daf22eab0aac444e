"""Where columns are, and what is none."""
