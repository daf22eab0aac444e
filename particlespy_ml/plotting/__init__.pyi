from .columns import plot_atoms
from .fractions import plot_fractions

__all__ = ["plot_atoms", "plot_fractions"]
