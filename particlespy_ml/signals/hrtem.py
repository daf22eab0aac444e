"""High-resolution transmission electron micrographs."""

from __future__ import annotations

from hyperspy.signals import LazySignal2D

from particlespy_ml.signals.particle_image import ParticleImage


class HRTEMImage(ParticleImage):
    """HRTEM image or series."""

    _signal_type = "HRTEM"
    _alias_signal_types = ["hrtem"]


class LazyHRTEMImage(LazySignal2D, HRTEMImage):
    """Lazy `HRTEMImage`."""
