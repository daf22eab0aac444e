from ._examples import gold_on_carbon, isomer_movie, measured_gold, measured_gold_path

__all__ = ["gold_on_carbon", "isomer_movie", "measured_gold", "measured_gold_path"]
