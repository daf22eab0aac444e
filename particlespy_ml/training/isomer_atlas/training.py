"""What the commands of training do for atlases of templates."""

from __future__ import annotations

from pathlib import Path

from particlespy_ml.simulation.atoms.closed_shells import ClosedShellRecipe
from particlespy_ml.training.isomer.training import IsomerTraining


class AtlasTraining(IsomerTraining):
    """Images are made while they are recorded, so that there is nothing to simulate before."""

    name = "isomer-atlas"
    simulation = ClosedShellRecipe
    needs_simulations = False
    has_pretraining = False

    @staticmethod
    def train(tables, cache_folder, out_folder, *, show_progressbar: bool = True, **options) -> Path:
        """Make the atlas; see `particlespy_ml.training.isomer_atlas.train.train_atlas`."""
        from particlespy_ml.training.isomer_atlas.train import train_atlas

        return train_atlas(tables, out_folder, show_progressbar=show_progressbar)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.isomer.evaluate.measure`."""
        from particlespy_ml.training.isomer_atlas.train import evaluate_atlas

        return evaluate_atlas(network, card)
