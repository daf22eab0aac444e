from .load import list_models, load_model
from .model import Classifier, Model, ParticleFinder

__all__ = [
    "Classifier",
    "Model",
    "ParticleFinder",
    "list_models",
    "load_model",
]
