"""Tables to populations: shape features, clusters, aligned stacks and class averages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
