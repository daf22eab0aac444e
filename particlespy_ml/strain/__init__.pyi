from .geometric_phase import geometric_phase
from .lattice_wave import equal_width
from .measure_strain import measure_strain
from .polar import left_polar
from .templates import Site, Template, template

__all__ = [
    "Site",
    "Template",
    "equal_width",
    "geometric_phase",
    "left_polar",
    "measure_strain",
    "template",
]
