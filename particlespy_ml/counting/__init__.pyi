from .library import ColumnLibrary, load_library, save_library
from .selection import choose_mixture
from .verbs import count_atoms, total_counts

__all__ = ["ColumnLibrary", "choose_mixture", "count_atoms", "load_library", "save_library", "total_counts"]
