from .crystal import Crystal, crystal
from .find_zone_axis import find_zone_axis
from .plane_lattice import PlaneLattice, fit_lattice
from .projection import Projection, projection
from .relax import relax
from .site_lattice import SiteLattice, fit_sites

__all__ = [
    "Crystal",
    "PlaneLattice",
    "Projection",
    "SiteLattice",
    "crystal",
    "find_zone_axis",
    "fit_lattice",
    "fit_sites",
    "projection",
    "relax",
]
