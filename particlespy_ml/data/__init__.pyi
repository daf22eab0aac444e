from ._examples import (
    columns_of_ceria,
    columns_of_gold,
    columns_of_platinum,
    decahedron_of_gold,
    focal_series_of_gold,
    gold_hrtem,
    gold_on_carbon,
    isomer_movie,
    measured_gold,
    measured_gold_path,
    platinum_library,
    sheet_of_graphene,
)
from ._isomer_dynamics import isomer_dynamics, isomer_rates
from ._populations import three_populations
from ._supports import particles_on_support
from ._surface_movie import surface_movie

__all__ = [
    "columns_of_ceria",
    "columns_of_gold",
    "columns_of_platinum",
    "decahedron_of_gold",
    "focal_series_of_gold",
    "gold_hrtem",
    "gold_on_carbon",
    "isomer_dynamics",
    "isomer_movie",
    "isomer_rates",
    "measured_gold",
    "measured_gold_path",
    "particles_on_support",
    "platinum_library",
    "sheet_of_graphene",
    "surface_movie",
    "three_populations",
]
