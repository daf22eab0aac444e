"""High-angle annular dark-field images."""

from __future__ import annotations

from hyperspy.signals import LazySignal2D

from particlespy_ml.signals.particle_image import ParticleImage


class HAADFImage(ParticleImage):
    """HAADF-STEM image or series: particles are bright, and the default model tells structural isomers apart."""

    _signal_type = "HAADF"
    _alias_signal_types = ["haadf", "HAADF-STEM"]


class LazyHAADFImage(LazySignal2D, HAADFImage):
    """Lazy `HAADFImage`."""
