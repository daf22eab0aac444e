from .classify_particles import classify_particles

__all__ = [
    "classify_particles",
]
