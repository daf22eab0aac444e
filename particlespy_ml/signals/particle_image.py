"""Images of particles of any kind."""

from __future__ import annotations

from hyperspy.signals import LazySignal2D

from particlespy_ml.reconstruction.reconstruct import reconstruct
from particlespy_ml.reconstruction.star import save_star
from particlespy_ml.signals._image import Image


class ParticleImage(Image):
    """Image or series whose intensities may be projections of the particles, of which volumes are reconstructed."""

    _signal_type = "particle_image"

    reconstruct = reconstruct
    save_star = save_star


class LazyParticleImage(LazySignal2D, ParticleImage):
    """Lazy `ParticleImage`."""
