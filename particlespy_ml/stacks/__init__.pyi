from .align_particles import align_particles
from .class_averages import class_averages
from .extract_particles import extract_particles

__all__ = ["align_particles", "class_averages", "extract_particles"]
