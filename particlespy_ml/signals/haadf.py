"""High-angle annular dark-field images."""

from __future__ import annotations

from hyperspy.signals import LazySignal2D

from particlespy_ml.columns.find_columns import find_columns
from particlespy_ml.columns.find_columns_in_series import find_columns_in_series
from particlespy_ml.columns.track_columns import track_columns
from particlespy_ml.crystals.find_zone_axis import find_zone_axis
from particlespy_ml.signals.particle_image import ParticleImage


class HAADFImage(ParticleImage):
    """HAADF-STEM image or series: particles are bright, and the default model tells structural isomers apart."""

    _signal_type = "HAADF"
    _alias_signal_types = ["haadf", "HAADF-STEM"]

    find_columns = find_columns
    find_columns_in_series = find_columns_in_series
    find_zone_axis = find_zone_axis
    track_columns = track_columns


class LazyHAADFImage(LazySignal2D, HAADFImage):
    """Lazy `HAADFImage`."""
