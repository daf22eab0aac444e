from . import counting, data, dynamics, plotting, populations, reconstruction
from ._frames import compute_together
from .classification.verb import classify_particles
from .columns.series_verb import find_columns_in_series
from .columns.verb import find_columns
from .columns.zone_axis_verb import find_zone_axis
from .models.load import list_models, load_model
from .models.model import Model
from .particles.extract import extract_particles
from .particles.particlespy_list import from_particle_list, to_particle_list
from .particles.verbs import measure_particles
from .reconstruction.star import load_star, save_star
from .reconstruction.verbs import reconstruct
from .segmentation.particlespy import train_segmentation
from .segmentation.verb import segment_particles

__all__ = [
    "Model",
    "classify_particles",
    "compute_together",
    "counting",
    "data",
    "dynamics",
    "extract_particles",
    "find_columns",
    "find_columns_in_series",
    "find_zone_axis",
    "from_particle_list",
    "list_models",
    "load_model",
    "load_star",
    "measure_particles",
    "plotting",
    "populations",
    "reconstruct",
    "reconstruction",
    "save_star",
    "segment_particles",
    "to_particle_list",
    "train_segmentation",
]
