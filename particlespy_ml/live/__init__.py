"""At the microscope: images that are analysed while they are saved."""

from particlespy_ml.core.rooms import attach_room

__getattr__, __dir__, __all__ = attach_room(__name__, __file__)
