from .comparison import compare_fractions
from .energies import TemperatureSeries, fit_barriers, fit_enthalpies
from .sequences import Transitions

__all__ = ["TemperatureSeries", "Transitions", "compare_fractions", "fit_barriers", "fit_enthalpies"]
