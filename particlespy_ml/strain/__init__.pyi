from .measure_strain import measure_strain
from .templates import Site, Template, template

__all__ = [
    "Site",
    "Template",
    "measure_strain",
    "template",
]
