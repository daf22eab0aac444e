from .fourier import project
from .model import volume_of_atoms
from .registration import Registration, register_volume
from .resolution import fourier_shell_correlation
from .result import Reconstruction
from .rotations import from_euler, point_group, pose_error, sample_rotations, to_euler

__all__ = [
    "Reconstruction",
    "Registration",
    "fourier_shell_correlation",
    "from_euler",
    "point_group",
    "pose_error",
    "project",
    "register_volume",
    "sample_rotations",
    "to_euler",
    "volume_of_atoms",
]
