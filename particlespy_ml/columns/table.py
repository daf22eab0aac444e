"""What a table of columns is made of, under one name for scripts that read tables: its rows, units and flags."""

from particlespy_ml.columns.flags import Flag, describe_flags
from particlespy_ml.columns.rows import column_dtype, column_units

__all__ = ["Flag", "column_dtype", "column_units", "describe_flags"]
