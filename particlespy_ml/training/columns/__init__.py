"""Networks that find columns."""
