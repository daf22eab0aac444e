"""Simulations on disk, made once by recipes."""
