from .displacements import displacements
from .facets import facet_directions, facet_of_columns
from .geometric_phase import geometric_phase
from .lattice_wave import equal_width
from .layers import layers_from_surface, strain_by_layer
from .measure_strain import measure_strain
from .polar import left_polar
from .templates import Site, Template, template

__all__ = [
    "Site",
    "Template",
    "displacements",
    "equal_width",
    "facet_directions",
    "facet_of_columns",
    "geometric_phase",
    "layers_from_surface",
    "left_polar",
    "measure_strain",
    "strain_by_layer",
    "template",
]
