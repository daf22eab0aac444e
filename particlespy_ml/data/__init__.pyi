from ._examples import gold_hrtem, gold_on_carbon, isomer_movie, measured_gold, measured_gold_path
from ._isomer_dynamics import isomer_dynamics, isomer_rates

__all__ = [
    "gold_hrtem",
    "gold_on_carbon",
    "isomer_dynamics",
    "isomer_movie",
    "isomer_rates",
    "measured_gold",
    "measured_gold_path",
]
