"""Makers of the bundled data; no part of the wheel."""
