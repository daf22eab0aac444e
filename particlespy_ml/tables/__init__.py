"""Ragged tables: rows, columns, units, provenance."""
