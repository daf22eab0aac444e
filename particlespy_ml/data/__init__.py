"""Small images that the project simulated itself, and loaders for measured ones that packages carry."""

from particlespy_ml.core.rooms import attach_room

__getattr__, __dir__, __all__ = attach_room(__name__, __file__)
