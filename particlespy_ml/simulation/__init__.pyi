from .atoms.atomic_strain import atomic_strain
from .atoms.check_structure import check_structure
from .atoms.support_slabs import support_slab
from .atoms.supported_particle import supported_particle
from .atoms.surface_defects import add_adatoms, add_step, add_vacancies, reduce_surface
from .atoms.wulff import wulff_particle
from .fit_columns import FittedColumns, fit_columns
from .potentials.calculators import get_calculator
from .potentials.check_potential import check_potential
from .potentials.relax_structure import estimate_cost, relax_structure, run_dynamics
from .recording.camera import Camera, load_camera
from .recording.compare import Comparison, compare
from .recording.optics import Optics
from .recording.simulate_image import simulate_image, true_columns, true_model
from .simulate_particle import simulate_particle
from .strain_bias import StrainBias, strain_bias
from .waves.dft_potential import DFTPotential, gpaw_potential
from .waves.haadf import HAADFMicroscope
from .waves.single_columns import haadf_profiles, hrtem_profiles
from .waves.tilted_columns import TiltedColumns, tilted_columns

__all__ = [
    "Camera",
    "Comparison",
    "DFTPotential",
    "FittedColumns",
    "HAADFMicroscope",
    "Optics",
    "StrainBias",
    "TiltedColumns",
    "add_adatoms",
    "add_step",
    "add_vacancies",
    "atomic_strain",
    "check_potential",
    "check_structure",
    "compare",
    "estimate_cost",
    "fit_columns",
    "get_calculator",
    "gpaw_potential",
    "haadf_profiles",
    "hrtem_profiles",
    "load_camera",
    "reduce_surface",
    "relax_structure",
    "run_dynamics",
    "simulate_image",
    "simulate_particle",
    "strain_bias",
    "support_slab",
    "supported_particle",
    "tilted_columns",
    "true_columns",
    "true_model",
    "wulff_particle",
]
