"""Accuracy and speed of finding columns and counting atoms, beside atomap and the bounds."""
