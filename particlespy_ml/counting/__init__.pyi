from .count_atoms import count_atoms
from .count_atoms_in_series import count_atoms_in_series
from .library import ColumnLibrary, load_library, save_library
from .normalisation import detector_normalisation
from .selection import choose_mixture
from .to_atoms import build_atoms, relax, to_atoms
from .total_counts import total_counts

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
