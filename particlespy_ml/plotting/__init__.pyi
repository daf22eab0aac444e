from .fractions import plot_fractions

__all__ = ["plot_fractions"]
