from .align_particles import align_particles
from .class_averages import class_averages
from .extract_particles import extract_particles
from .plot_montage import plot_montage
from .plot_populations import plot_populations

__all__ = [
    "align_particles",
    "class_averages",
    "extract_particles",
    "plot_montage",
    "plot_populations",
]
