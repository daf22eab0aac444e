from . import (
    classification,
    columns,
    counting,
    crystals,
    data,
    dynamics,
    models,
    particles,
    plotting,
    populations,
    reconstruction,
    segmentation,
    simulation,
    stacks,
)
from .classification.classify_particles import classify_particles
from .columns.find_columns import find_columns
from .columns.find_columns_in_series import find_columns_in_series
from .core.frames import compute_together
from .crystals.find_zone_axis import find_zone_axis
from .models.load import list_models, load_model
from .models.model import Model
from .particles.measure_particles import measure_particles
from .particles.particlespy_list import from_particle_list, to_particle_list
from .reconstruction.reconstruct import reconstruct
from .reconstruction.star import load_star, save_star
from .segmentation.segment_particles import segment_particles
from .segmentation.train_segmentation import train_segmentation
from .stacks.extract_particles import extract_particles

__all__ = [
    "Model",
    "classification",
    "classify_particles",
    "columns",
    "compute_together",
    "counting",
    "crystals",
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
    "models",
    "particles",
    "plotting",
    "populations",
    "reconstruct",
    "reconstruction",
    "save_star",
    "segment_particles",
    "segmentation",
    "simulation",
    "stacks",
    "to_particle_list",
    "train_segmentation",
]
