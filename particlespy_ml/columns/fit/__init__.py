"""All columns of a particle fitted together."""
