from .atoms.check_structure import "add_adatoms", "add_step", "add_vacancies", "check_structure", "load_camera", "reduce_surface", "support_slab", "supported_particle", "wulff_particle", ], add_step, add_vacancies, check_structure from .atoms.support_slabs import support_slab from .atoms.supported_particle import supported_particle from .atoms.surface_defects import add_adatoms, load_camera  __all__ = [     "Camera", reduce_surface from .atoms.wulff import wulff_particle from .recording.camera import Camera
from .recording.optics import "Optics", "StrainBias", "haadf_profiles", "hrtem_profiles", "strain_bias", Optics from .strain_bias import StrainBias, ], hrtem_profiles  __all__ = [     "HAADFMicroscope", strain_bias from .waves.haadf import HAADFMicroscope from .waves.single_columns import haadf_profiles

__all__ = [
    "Camera",
    "HAADFMicroscope",
    "Optics",
    "StrainBias",
    "add_adatoms",
    "add_step",
    "add_vacancies",
    "check_structure",
    "haadf_profiles",
    "hrtem_profiles",
    "load_camera",
    "reduce_surface",
    "strain_bias",
    "support_slab",
    "supported_particle",
    "wulff_particle",
]
