from .measure_particles import measure_particles
from .particlespy_list import from_particle_list, to_particle_list
from .track_particles import track_particles

__all__ = [
    "from_particle_list",
    "measure_particles",
    "to_particle_list",
    "track_particles",
]
