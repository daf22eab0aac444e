"""Atomic models: particles, films, fields of view."""
