"""Small images that the project simulated itself, and loaders for measured ones that packages carry."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
