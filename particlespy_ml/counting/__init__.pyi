from .library import ColumnLibrary, load_library, save_library
from .normalisation import detector_normalisation
from .selection import choose_mixture
from .series import count_atoms_in_series
from .structure import build_atoms, relax, to_atoms
from .total import total_counts
from .verb import count_atoms

__all__ = [
    "ColumnLibrary",
    "build_atoms",
    "choose_mixture",
    "count_atoms",
    "count_atoms_in_series",
    "detector_normalisation",
    "load_library",
    "relax",
    "save_library",
    "to_atoms",
    "total_counts",
]
