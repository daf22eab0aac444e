"""Simulated particles and images, with abTEM."""

from particlespy_ml.core.rooms import attach_room

__getattr__, __dir__, __all__ = attach_room(__name__, __file__)
