from .recording.optics import Optics
from .strain_bias import StrainBias, strain_bias
from .waves.haadf import HAADFMicroscope
from .waves.single_columns import haadf_profiles, hrtem_profiles

__all__ = [
    "HAADFMicroscope",
    "Optics",
    "StrainBias",
    "haadf_profiles",
    "hrtem_profiles",
    "strain_bias",
]
