from .find_columns import find_columns
from .find_columns_in_series import find_columns_in_series
from .find_heights import find_heights
from .fit.background import Background
from .fit.gaussians import ColumnFit, gaussian_columns
from .fit.profiles import ColumnProfiles
from .fit.refine import measure_volumes, refine_columns
from .flags import Flag, describe_flags
from .map_columns import map_columns
from .mean_columns import mean_columns
from .refine_places import PlaceFit, refine_places
from .sublattice import from_sublattice
from .track_columns import track_columns

__all__ = [
    "Background",
    "ColumnFit",
    "ColumnProfiles",
    "Flag",
    "PlaceFit",
    "describe_flags",
    "find_columns",
    "find_columns_in_series",
    "find_heights",
    "from_sublattice",
    "gaussian_columns",
    "map_columns",
    "mean_columns",
    "measure_volumes",
    "refine_columns",
    "refine_places",
    "track_columns",
]
