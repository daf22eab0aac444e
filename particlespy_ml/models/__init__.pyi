from .load import list_models, load_model
from .model import Classifier, MapModel, Model, ParticleFinder
from .tasks import TASKS, Task

__all__ = [
    "TASKS",
    "Classifier",
    "MapModel",
    "Model",
    "ParticleFinder",
    "Task",
    "list_models",
    "load_model",
]
