"""High-angle annular dark-field images."""

from __future__ import annotations

from functools import wraps

from hyperspy.signals import LazySignal2D

from particlespy_ml.columns.find_columns import find_columns
from particlespy_ml.columns.find_columns_in_series import find_columns_in_series
from particlespy_ml.crystals.find_zone_axis import find_zone_axis
from particlespy_ml.signals.particle_image import ParticleImage


class HAADFImage(ParticleImage):
    """HAADF-STEM image or series: particles are bright, and the default model tells structural isomers apart."""

    _signal_type = "HAADF"
    _alias_signal_types = ["haadf", "HAADF-STEM"]

    @wraps(find_columns)
    def find_columns(self, positions=None, **kwargs):  # noqa: D102
        return find_columns(self, positions, **kwargs)

    @wraps(find_columns_in_series)
    def find_columns_in_series(self, **kwargs):  # noqa: D102
        return find_columns_in_series(self, **kwargs)

    @wraps(find_zone_axis)
    def find_zone_axis(self, element="Au", **kwargs):  # noqa: D102
        return find_zone_axis(self, element, **kwargs)


class LazyHAADFImage(LazySignal2D, HAADFImage):
    """Lazy `HAADFImage`."""
