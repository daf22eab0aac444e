from . import (
    classification,
    columns,
    counting,
    crystals,
    data,
    dynamics,
    live,
    models,
    particles,
    plotting,
    populations,
    reconstruction,
    segmentation,
    simulation,
    stacks,
    strain,
)
from .classification.classify_particles import classify_particles
from .columns.find_columns import find_columns
from .columns.find_columns_in_series import find_columns_in_series
from .columns.find_heights import find_heights
from .columns.map_columns import map_columns
from .columns.mean_columns import mean_columns
from .columns.track_columns import track_columns
from .core.frames import compute_together
from .counting.count_atoms import count_atoms
from .counting.count_atoms_in_series import count_atoms_in_series
from .counting.to_atoms import to_atoms
from .counting.total_counts import total_counts
from .crystals.find_zone_axis import find_zone_axis
from .dynamics.class_fractions import class_fractions
from .dynamics.comparison import compare_fractions
from .dynamics.surface_dynamics import surface_dynamics
from .models.load import list_models, load_model
from .models.model import Model
from .particles.measure_particles import measure_particles
from .particles.particlespy_list import from_particle_list, to_particle_list
from .particles.track_particles import track_particles
from .plotting.edit_labels import edit_labels
from .populations.cluster_particles import cluster_particles
from .populations.measure_shape import measure_shape
from .reconstruction.reconstruct import reconstruct
from .reconstruction.star import load_star, save_star
from .segmentation.segment_particles import segment_particles
from .segmentation.train_segmentation import train_segmentation
from .stacks.align_particles import align_particles
from .stacks.class_averages import class_averages
from .stacks.extract_particles import extract_particles
from .strain.geometric_phase import geometric_phase
from .strain.measure_strain import measure_strain
from .tables.as_classes import as_classes
from .tables.concatenate import concatenate
from .tables.merge_classes import merge_classes

__all__ = [
    "Model",
    "align_particles",
    "as_classes",
    "class_averages",
    "class_fractions",
    "classification",
    "classify_particles",
    "cluster_particles",
    "columns",
    "compare_fractions",
    "compute_together",
    "concatenate",
    "count_atoms",
    "count_atoms_in_series",
    "counting",
    "crystals",
    "data",
    "dynamics",
    "edit_labels",
    "extract_particles",
    "find_columns",
    "find_columns_in_series",
    "find_heights",
    "find_zone_axis",
    "from_particle_list",
    "geometric_phase",
    "list_models",
    "live",
    "load_model",
    "load_star",
    "map_columns",
    "mean_columns",
    "measure_particles",
    "measure_shape",
    "measure_strain",
    "merge_classes",
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
    "strain",
    "surface_dynamics",
    "to_atoms",
    "to_particle_list",
    "total_counts",
    "track_columns",
    "track_particles",
    "train_segmentation",
]
