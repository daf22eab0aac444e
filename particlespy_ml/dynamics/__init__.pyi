from .class_fractions import class_fractions
from .compare_surfaces import compare_surfaces
from .comparison import compare_fractions
from .energies import TemperatureSeries, fit_barriers, fit_enthalpies, free_energy_differences
from .plot_class_fractions import plot_class_fractions
from .plot_class_sequence import plot_class_sequence
from .sequences import Transitions, class_sequence, transitions
from .surface import SurfaceDynamics
from .surface_dynamics import surface_dynamics

__all__ = [
    "SurfaceDynamics",
    "TemperatureSeries",
    "Transitions",
    "class_fractions",
    "class_sequence",
    "compare_fractions",
    "compare_surfaces",
    "fit_barriers",
    "fit_enthalpies",
    "free_energy_differences",
    "plot_class_fractions",
    "plot_class_sequence",
    "surface_dynamics",
    "transitions",
]
