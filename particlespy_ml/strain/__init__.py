"""Strain: of every column by templates of what surrounds it, and of lattices in images by their phases."""

from particlespy_ml.core.rooms import attach_room

__getattr__, __dir__, __all__ = attach_room(__name__, __file__)
