"""High-resolution transmission electron micrographs."""

from __future__ import annotations

from hyperspy.signals import LazySignal2D

from particlespy_ml.columns.find_columns import find_columns
from particlespy_ml.columns.find_heights import find_heights
from particlespy_ml.columns.map_columns import map_columns
from particlespy_ml.columns.track_columns import track_columns
from particlespy_ml.signals._image import Image


class HRTEMImage(Image):
    """HRTEM image or series: no projection of the particles, so that there are no volumes of them."""

    _signal_type = "HRTEM"
    _alias_signal_types = ["hrtem"]

    find_columns = find_columns
    find_heights = find_heights
    map_columns = map_columns
    track_columns = track_columns


class LazyHRTEMImage(LazySignal2D, HRTEMImage):
    """Lazy `HRTEMImage`."""
